"""The base class of image datasets: from images and a problem to batches."""

from abc import abstractmethod
from dataclasses import replace
from numbers import Real

import numpy as np
import torch
from benchopt import BaseDataset

from benchmark_utils.common.descriptions import Described
from benchmark_utils.common.errors import NotApplicable, Unavailable
from benchmark_utils.common.naming import ShortName, short_value
from benchmark_utils.common.parameters import check_parameters, whole
from benchmark_utils.data.batches import LazyBatches, measure
from benchmark_utils.data.checked import SMALLEST_SIDE, load_checked
from benchmark_utils.data.domain import IMAGES
from benchmark_utils.data.images import ReadsImages, center_crop
from benchmark_utils.physics.own_operator import split_name
from benchmark_utils.physics.problems import (
    PROBLEMS,
    default_strength,
    make_problem,
    strengths_of,
)

# Images of one shape are measured together, this many at a time at most.
MAX_BATCH = 8

IMG_SIZE = whole(SMALLEST_SIDE).or_none()


def problem_parameters(problems):
    """The parameters of a dataset with these problems: {name: class}.

    A strength that is None is the default of the problem at hand.
    """
    strengths = {strength: [None] for strength in strengths_of(problems)}
    return {"problem": list(problems), **strengths}


class ImageDataset(Described, ReadsImages, ShortName, BaseDataset):
    """What a dataset of images defines: ``name``, ``parameters``, ``load(split)``.

    ``load`` returns {name: image} for the split "train" or "test", the images as
    ``benchmark_utils.data.as_image`` takes them. The parameters in ``image_parameters``
    are common to all, and so is ``img_size``: the side of the central crop, or None for
    whole images. A dataset of other problems than those of photographs names them, and
    what its images are: ``problems`` (``problem_parameters`` has their parameters) and
    ``domain``. The strengths are described by the problems.

    problem : what is measured, or /my/file.py with ``make_physics(shape, generator)``.
    img_size : side of the central crop, in pixels; None for whole images.
    n_images : number of test images; None for all.
    n_train : number of training images; None for all.
    """

    always_shown = ("problem",)
    # The dataset whose training images these are, where it is another one: values that
    # were tuned on them are for both.
    training_set = None
    problems = PROBLEMS
    image_parameters = problem_parameters(PROBLEMS)
    domain = IMAGES

    def is_default(self, parameter, value):
        """A strength is a default as None or written out: one name, one seed, one y."""
        default = self.parameters[parameter][0]
        if default is None and parameter in strengths_of(self.problems):
            usual = default_strength(self.problem, parameter, self.problems)
            return value in (None, usual)
        return value == default

    @classmethod
    def other_docstrings(cls):
        of_problems = [c for problem in cls.problems.values() for c in problem.mro()]
        return [c.__doc__ for c in reversed(dict.fromkeys(of_problems))]

    @classmethod
    def default_text(cls, name):
        if name not in strengths_of(cls.problems):
            return super().default_text(name)
        values = {
            problem: f"{value:g}" if isinstance(value, float) else str(value)
            for problem in cls.problems
            if (value := default_strength(problem, name, cls.problems)) is not None
        }
        if len(set(values.values())) == 1:
            return next(iter(values.values()))
        return ", ".join(f"{value} ({problem})" for problem, value in values.items())

    def code_files(self):
        file, _ = split_name(self.problem)
        return [file] if file is not None and file.is_file() else []

    @abstractmethod
    def load(self, split): ...

    def get_data(self):
        data = {
            "dataset": self.training_set or self.name,
            "problem": self.problem_name(),
            "defaults": self.default_strengths(),
        }
        seed = self._seed()
        try:
            self.check()
            test = [self._measure(*key) for key in self._groups("test", seed)]
            if not test:
                raise NotApplicable("There is no test image: is n_images at least 1?")
            train = LazyBatches(lambda: self._groups("train", seed), self._measure)
            return {**data, "train": train, "test": test}
        except (Unavailable, NotApplicable) as error:
            return {**data, "train": [], "test": [], "unavailable": str(error)}

    def check(self):
        """Raise ``NotApplicable`` for a parameter that is not what it must be."""
        check_parameters(self)
        IMG_SIZE.check("img_size", self.img_size)
        self.make_problem()

    def problem_name(self):
        """The problem, with its strengths that are not the default: sr4[factor=2]."""
        strengths = [
            f"{name}={value:g}"
            if isinstance(value, Real)
            else f"{name}={short_value(value)}"
            for name in sorted(strengths_of(self.problems))
            if not self.is_default(name, value := getattr(self, name))
        ]
        problem = str(short_value(self.problem))
        return problem + (f"[{','.join(strengths)}]" if strengths else "")

    def default_strengths(self):
        """{strength: value} of those that ``problem_name`` leaves out."""
        names = strengths_of(self.problems)
        usual = {n: default_strength(self.problem, n, self.problems) for n in names}
        return {name: value for name, value in usual.items() if value is not None}

    def matched(self):
        """This dataset, of which solvers are told what measures."""
        told = [
            name
            for name in strengths_of(self.problems, only_told=True)
            if not self.is_default(name, getattr(self, name))
        ]
        if not told:
            return self
        return type(self).get_instance(**{**self._parameters, **dict.fromkeys(told)})

    def _seed(self):
        """What solvers are told moves no draw: y is that of the matched dataset."""
        seed = self.get_seed(use_dataset=True, use_repetition=True)
        matched = self.matched()
        if matched is self:
            return seed
        context = replace(self._run_context, dataset_name=str(matched))
        context.attach(None, matched, None)
        return matched.get_seed(use_dataset=True, use_repetition=True)

    def make_problem(self):
        """The problem, with the strengths that were asked for."""
        strengths = {name: getattr(self, name) for name in strengths_of(self.problems)}
        return make_problem(self.problem, self.problems, **strengths)

    def _groups(self, split, seed):
        """What ``_measure`` needs for each batch of a split: images of one shape."""
        multiple = self.make_problem().size_multiple
        by_shape = {}
        for name, image in load_checked(self, split).items():
            image = center_crop(image, self.img_size, name, multiple)
            by_shape.setdefault(tuple(image.shape), []).append((name, image))
        groups = [
            (first, images[first : first + MAX_BATCH])
            for images in by_shape.values()
            for first in range(0, len(images), MAX_BATCH)
        ]
        return [(seed, split, i, *group) for i, group in enumerate(groups)]

    def _measure(self, seed, split, index, first, images):
        sequence = np.random.SeedSequence([seed, split == "test", index])
        generator = torch.Generator().manual_seed(int(sequence.generate_state(1)[0]))
        names, pixels = zip(*images)
        x = torch.stack(pixels)
        problem = self.make_problem()
        numbers = range(first, first + len(x))
        physics = problem.physics(tuple(x.shape[1:]), generator, numbers)
        batch = measure(x, physics, generator, names, self.domain)
        told = problem.told(physics, generator, batch.y)
        truth = problem.truth_by(told, physics, batch.x)
        if truth is not None:
            return replace(batch, x=truth, physics=told)
        is_hidden = split == "test" and told is not physics
        return replace(batch, physics=told, measured_by=physics if is_hidden else None)
