"""What networks are trained on: crops of photographs, or the batches of a dataset."""

import copy
from dataclasses import replace

import torch

from benchmark_utils.common.errors import NotApplicable
from benchmark_utils.physics.noise import draw_measurements, without_generator

# The share of the training images that is held out, and how many at most.
HELD_OUT, MAX_HELD_OUT = 0.1, 8
# Images of a step, where nothing is asked for.
USUAL_SIZE = 4


class Photographs:
    """Images of any sizes on one device, to draw batches of crops from.

    Their pixels lie in one tensor, image after image: a batch is read at once.
    """

    def __init__(self, images, device):
        self.pixels = torch.cat([x.flatten(1).T for x in images]).to(device)
        sizes = torch.tensor([x.shape[1:] for x in images], device=device)
        self.heights, self.widths = sizes.T
        self.starts = (self.heights * self.widths).cumsum(0)
        self.starts = self.starts - self.heights * self.widths

    def random_crops(self, n, size, generator):
        """``n`` crops of ``size`` x ``size`` pixels, turned and mirrored, in [0, 1]."""
        device = self.pixels.device

        def draw(high):
            """An integer below ``high`` (a number, or one for each crop): (n, 1, 1)."""
            share = torch.rand(n, generator=generator, device=device)
            return (share * high).long()[:, None, None]

        image = draw(len(self.widths)).flatten()
        top = draw(self.heights[image] - size + 1)
        left = draw(self.widths[image] - size + 1)
        along = torch.arange(size, device=device)
        rows, columns = along[:, None], along[None]
        # Up to three reflections make the eight symmetries of a square.
        swapped = draw(2) == 1
        rows, columns = rows.where(~swapped, columns), columns.where(~swapped, rows)
        rows = rows.where(draw(2) == 1, size - 1 - rows)
        columns = columns.where(draw(2) == 1, size - 1 - columns)
        start, width = (t[image, None, None] for t in (self.starts, self.widths))
        # Read as (n, H, W, C), seen as (n, C, H, W): channels_last.
        crops = self.pixels[start + (top + rows) * width + left + columns]
        return crops.movedim(-1, 1)


class Samples:
    """The training batches of a dataset: some images to draw, the last ones held out.

    Images stay whole, for an operator is made for one size of them (a mask of k-space,
    a blur that wraps around, a scanner).

    Parameters
    ----------
    batches : list of Batch
    size : int or None
        Images of a step; None for four, or as many as share a batch.
    generator : torch.Generator, on the device of the batches.

    Raises
    ------
    NotApplicable
        ``size`` is larger than the batches.
    """

    def __init__(self, batches, size, generator):
        self.batches, self.generator = batches, generator
        places = [(i, j) for i, b in enumerate(batches) for j in range(len(b.y))]
        n_held_out = min(max(1, int(HELD_OUT * len(places))), MAX_HELD_OUT)
        n_held_out = n_held_out if len(places) > 1 else 0
        n_drawn = len(places) - n_held_out
        self.drawn, self._held_out = places[:n_drawn], places[n_drawn:]
        largest = max(len(chosen) for chosen in _by_batch(self.drawn).values())
        if size is not None and size > largest:
            raise NotApplicable(
                f"batch={size} is more than the {largest} training images that can be "
                f"drawn together (of {len(places)} images, {n_held_out} held out): set "
                f"batch={largest} or less, or add training images."
            )
        self.size = min(size or USUAL_SIZE, largest)

    def draw(self):
        """A Batch of ``size`` images, or of those that there are of one shape."""
        i, _ = self.drawn[self._below(len(self.drawn))]
        there = _by_batch(self.drawn)[i]
        order = torch.randperm(
            len(there), generator=self.generator, device=self.generator.device
        )
        return images_of(
            self.batches[i], [there[k] for k in order[: self.size].tolist()]
        )

    def draw_anew(self):
        """``draw()``, its images turned, and measured with fresh noise."""
        batch = self.draw()
        x = turned(batch.x, self.generator)
        y = draw_measurements(batch.physics, x, self.generator)
        return replace(batch, x=x, y=y)

    def other_physics(self, batch):
        """Operators of the training set for as many images of the shape of ``batch``.

        They may come more than once, and those of ``batch`` are among them.
        """
        same = [b for b in self.batches if b.signal_shape == batch.signal_shape]
        other = same[self._below(len(same))]
        chosen = [self._below(len(other.y)) for _ in batch.y]
        return images_of(other, chosen).physics

    def held_out(self):
        """The Batches that are never drawn."""
        return [
            images_of(self.batches[i], chosen)
            for i, chosen in _by_batch(self._held_out).items()
        ]

    def _below(self, high):
        device = self.generator.device
        draw = torch.randint(high, (1,), generator=self.generator, device=device)
        return int(draw)


def _by_batch(places):
    """{index of a batch: indices of its images}."""
    chosen = {}
    for i, j in places:
        chosen.setdefault(i, []).append(j)
    return chosen


def images_of(batch, chosen):
    """The Batch of some images of another one, each with the operator that it has.

    Its noise is drawn from torch's global generator. The tensors of an operator that
    has one for each image (masks, maps of coils) have four dimensions or more, of which
    the first is that of the images.
    """
    n = len(batch.y)
    physics = copy.copy(batch.physics)
    physics._buffers = {
        name: tensor[chosen]
        if torch.is_tensor(tensor) and tensor.ndim > 3 and len(tensor) == n > 1
        else tensor
        for name, tensor in batch.physics._buffers.items()
    }
    physics._modules = dict(batch.physics._modules)
    physics.noise_model = without_generator(batch.physics.noise_model)
    return replace(
        batch,
        y=batch.y[chosen],
        physics=physics,
        x=None if batch.x is None else batch.x[chosen],
        names=tuple(batch.names[j] for j in chosen if j < len(batch.names)),
    )


def turned(x, generator=None):
    """Each image (B, C, H, W) by one of the symmetries of a square, or of a rectangle.

    They are drawn from ``generator``, torch's global one by default.
    """
    return turned_by(x, draw_turns(len(x), generator))


def draw_turns(n, generator=None):
    """A symmetry of a square for each of n images: (n, 3), of 0 and 1.

    Whether rows are mirrored, whether columns are, and whether both are then swapped,
    which is left out for rectangles.
    """
    device = "cpu" if generator is None else generator.device
    return torch.randint(2, (n, 3), generator=generator, device=device)


def turned_by(x, turns):
    """Images x (B, C, H, W), each by its row of ``turns`` (B, 3)."""
    return _each(x, turns, _mirrored, _swapped)


def turned_back(x, turns):
    """The inverse of ``turned_by``."""
    return _each(x, turns, _swapped, _mirrored)


def _each(x, turns, first, second):
    pairs = zip(x, turns.tolist())
    return torch.stack([second(first(image, turn), turn) for image, turn in pairs])


def _mirrored(image, turn):
    return image.flip([dim for dim, mirrored in zip((-2, -1), turn) if mirrored])


def _swapped(image, turn):
    is_square = image.shape[-2] == image.shape[-1]
    return image.mT if turn[2] and is_square else image
