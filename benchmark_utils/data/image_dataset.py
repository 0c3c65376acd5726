"""The base class of image datasets: from images and a problem to batches."""

from abc import abstractmethod

import numpy as np
import torch
from benchopt import BaseDataset

from benchmark_utils.common.errors import Unavailable
from benchmark_utils.common.naming import ShortName
from benchmark_utils.common.parameters import COUNT, check_parameters, optional, whole
from benchmark_utils.data.batches import LazyBatches, measure
from benchmark_utils.data.checked import SMALLEST_SIDE, load_checked
from benchmark_utils.data.images import center_crop
from benchmark_utils.physics.problems import (
    PROBLEMS,
    STRENGTHS,
    check_strengths,
    default_strength,
    make_physics,
    size_multiple,
)

# Images of one shape are measured together, this many at a time at most.
MAX_BATCH = 8


class ImageDataset(ShortName, BaseDataset):
    """What a dataset of images defines: ``name``, ``parameters``, ``load(split)``.

    ``load`` returns {name: image} for the split "train" or "test", the images as
    ``benchmark_utils.data.as_image`` takes them. The parameters in ``image_parameters``
    are common to all, and so is ``img_size``: the side of the central crop, or None for
    whole images. ``valid`` says what those of its parameters must be that the problems
    do not check.
    """

    always_shown = ("problem",)
    image_parameters = {
        "problem": list(PROBLEMS),
        "noise_level": [None],
        **{strength: [None] for strength in STRENGTHS},
    }

    valid = {
        "img_size": optional(whole(SMALLEST_SIDE)),
        "n_images": optional(COUNT),
        "n_train": optional(whole(0)),
    }

    def is_default(self, parameter, value):
        """A strength is a default as None or written out: one name, one seed, one y."""
        default = self.parameters[parameter][0]
        if default is None and parameter in ("noise_level", *STRENGTHS):
            return value in (None, default_strength(self.problem, parameter))
        return value == default

    @abstractmethod
    def load(self, split): ...

    def get_data(self):
        data = {"dataset": self.name, "problem": self.problem}
        seed = self.get_seed(use_dataset=True, use_repetition=True)
        try:
            self.check()
            test = [self._measure(*key) for key in self._groups("test", seed)]
            if not test:
                raise ValueError("There is no test image: is n_images at least 1?")
            train = LazyBatches(lambda: self._groups("train", seed), self._measure)
            return {**data, "train": train, "test": test}
        except (Unavailable, ValueError) as error:
            return {**data, "train": [], "test": [], "unavailable": str(error)}

    def check(self):
        """Raise ``ValueError`` for a parameter that is not what it must be."""
        known = self.valid.keys() & self._parameters.keys()
        check_parameters(self, {name: self.valid[name] for name in sorted(known)})
        check_strengths(factor=self.factor)

    def _groups(self, split, seed):
        """What ``_measure`` needs for each batch of a split: images of one shape."""
        multiple = size_multiple(self.problem, self.factor)
        by_shape = {}
        for name, image in load_checked(self, split).items():
            image = center_crop(image, self.img_size, name, multiple)
            by_shape.setdefault(tuple(image.shape), []).append((name, image))
        groups = [
            images[i : i + MAX_BATCH]
            for images in by_shape.values()
            for i in range(0, len(images), MAX_BATCH)
        ]
        return [(seed, split, i, group) for i, group in enumerate(groups)]

    def _measure(self, seed, split, index, images):
        sequence = np.random.SeedSequence([seed, split == "test", index])
        generator = torch.Generator().manual_seed(int(sequence.generate_state(1)[0]))
        names, pixels = zip(*images)
        x = torch.stack(pixels)
        physics = make_physics(
            self.problem,
            tuple(x.shape[1:]),
            generator,
            n_images=len(x),
            noise_level=self.noise_level,
            **{strength: getattr(self, strength) for strength in STRENGTHS},
        )
        return measure(x, physics, generator, names)
