"""What solvers are tuned on: crops of training images, the same for every solver."""

import hashlib
from functools import cached_property
from itertools import product

import torch

from benchmark_utils.common.errors import NotApplicable, Unavailable
from benchmark_utils.data.batches import measure
from benchmark_utils.data.checked import load_checked
from benchmark_utils.data.image_dataset import ImageDataset

# Crops that a score is the mean over, at least, and their side in pixels.
N_CROPS = 10
CROP = 128
# Crops that are learned from come in batches.
MAX_BATCH = 8


def seed_of(*texts):
    """A whole number, 0 or more, below 2^32, that texts always give."""
    return int(hashlib.sha256("\n".join(texts).encode()).hexdigest()[:8], 16)


class TrainingData:
    """The training signals of one dataset and problem, seen through its operator.

    Of a dataset of images, ten crops or more: the tiles around the centre of as many
    images as are needed, or several of each. They have 128x128 pixels, or the sides of
    the images, or ``img_size``, where these are smaller. Other datasets give their
    training batches, as many as hold ten signals.

    Attributes
    ----------
    dataset : the dataset
    name, problem : str
        As tuned.yml has them.
    """

    def __init__(self, dataset):
        self.dataset, self.name = dataset, dataset.name
        self.crops = isinstance(dataset, ImageDataset)
        if self.crops:
            # Who tunes does not know that what is told is wrong.
            self.dataset = dataset.matched()
            self.name = dataset.training_set or self.name
            self.problem = self.dataset.problem_name()
        else:
            self._data = dataset.get_data()
            self.problem = self._data["problem"]

    def for_solver(self, learns):
        """What an objective hands to a solver, and what the solver is scored on.

        A method that learns does so on one half of the training images, and is scored
        on the other: what is learned from cannot tell how well it was learned.

        Returns
        -------
        dict, and a list of Batch

        Raises
        ------
        NotApplicable, Unavailable
            There is no such data, or too little of it.
        """
        train, scored = self._halves if learns else ([], self._scored)
        data = {} if self.crops else self._data
        names = {"dataset": self.name, "problem": self.problem}
        if self.crops:
            names["defaults"] = self.dataset.default_strengths()
        test = [batch.without_truth() for batch in scored]
        return {**data, **names, "train": train, "test": test}, scored

    def names(self, learns):
        """What is scored: "rocket 128x128+192+86", the corner of a crop at its end."""
        return [name for batch in self.for_solver(learns)[1] for name in batch.names]

    def channels(self):
        """The numbers of channels of the images: a set."""
        return {batch.signal_shape[0] for batch in self._scored}

    @cached_property
    def _scored(self):
        if not self.crops:
            batches, n = self._batches(), 0
            for i, batch in enumerate(batches, 1):
                n += len(batch.y)
                if n >= N_CROPS:
                    return batches[:i]
            return batches
        return self._measure(self._tiles(self._images, N_CROPS))

    @cached_property
    def _halves(self):
        parts = self._images.items() if self.crops else self._batches()
        first, second = list(parts)[::2], list(parts)[1::2]
        if not second:
            raise NotApplicable(
                f"{self.name} has one training image, and methods that learn are tuned "
                "on two or more: give a larger n_train."
            )
        if not self.crops:
            return first, second
        learned = self._measure(self._tiles(dict(first)), MAX_BATCH)
        return learned, self._measure(self._tiles(dict(second), N_CROPS))

    def _batches(self):
        if reason := self._data.get("unavailable"):
            raise Unavailable(reason)
        return self._not_empty(list(self._data["train"]))

    @cached_property
    def _images(self):
        self.dataset.check()
        return self._not_empty(load_checked(self.dataset, "train"))

    def _not_empty(self, signals):
        if not signals:
            raise NotApplicable(
                f"{self.name} has nothing to tune on: is n_train at least 1?"
            )
        return signals

    @cached_property
    def _side(self):
        sides = [side for image in self._images.values() for side in image.shape[1:]]
        side = min(CROP, self.dataset.img_size or CROP, *sides)
        multiple = self.dataset.make_problem().size_multiple
        return side - side % multiple

    def _tiles(self, images, n_crops=None):
        """{name: tile} of ``n_crops`` or more tiles, if there are; of all for None."""
        size, tiles = self._side, {}
        images = dict(list(images.items())[:n_crops])
        n_each = -(-n_crops // len(images)) if n_crops else None
        for name, image in images.items():
            height, width = image.shape[1:]
            rows, columns = height // size, width // size
            if n_each:
                # As near to a square as the image allows.
                rows = min(rows, round(n_each**0.5))
                columns = min(columns, -(-n_each // rows))
            top, left = (height - rows * size) // 2, (width - columns * size) // 2
            for row, column in product(range(rows), range(columns)):
                i, j = top + row * size, left + column * size
                tile = image[:, i : i + size, j : j + size].contiguous()
                tiles[f"{name} {size}x{size}+{j}+{i}"] = tile
        return tiles

    def _measure(self, tiles, max_batch=None):
        """Batches of tiles, one for each number of channels, or of ``max_batch``."""
        by_shape = {}
        for name, tile in tiles.items():
            by_shape.setdefault(tuple(tile.shape), []).append((name, tile))
        seed = seed_of(self.name, self.problem)
        generator = torch.Generator().manual_seed(seed)
        batches = []
        for shape, named in by_shape.items():
            step = max_batch or len(named)
            for i in range(0, len(named), step):
                names, pixels = zip(*named[i : i + step])
                problem = self.dataset.make_problem()
                numbers = range(i, i + len(names))
                physics = problem.physics(shape, generator, numbers)
                x = torch.stack(pixels)
                batches.append(
                    measure(x, physics, generator, names, self.dataset.domain)
                )
        return batches
