"""Images given from Python, and their operator, as a dataset."""

import copy
from collections.abc import Mapping
from pathlib import Path

import deepinv as dinv

from benchmark_utils.common.errors import NotApplicable
from benchmark_utils.data.checked import as_image
from benchmark_utils.data.domain import COMPLEX_IMAGES, IMAGES
from benchmark_utils.data.folders import existing_folder, read_folder
from benchmark_utils.data.image_dataset import ImageDataset, problem_parameters
from benchmark_utils.data.modalities import as_slice, domain_of, is_complex, seen_by
from benchmark_utils.physics import ALL_PROBLEMS
from benchmark_utils.physics.problems import OwnProblem, make_problem


def images_of(value, parameter="images", convert=as_image):
    """{name: tensor} of images of any form.

    Parameters
    ----------
    value : dict {name: image}, list of images, tensor or array (B, C, H, W), or folder
        Images as ``benchmark_utils.data.as_image`` takes them.
    parameter : str
        What sentences call it.
    convert : callable (image, name) -> tensor
        What to make of each; ``as_image`` gives (C, H, W), float32 in [0, 1].

    Raises
    ------
    NotApplicable
        It is something else, or there is no image.
    """
    if isinstance(value, str | Path):
        return read_folder(existing_folder(parameter, value), convert=convert)
    if not isinstance(value, Mapping):
        is_one = getattr(value, "ndim", 4) == 3 and value.shape[0] in (1, 3)
        if is_one and not is_complex(value):
            raise NotApplicable(
                f"{parameter} has the shape {tuple(value.shape)}: one image is given "
                "in a list."
            )
        try:
            value = {f"image {i}": image for i, image in enumerate(value)}
        except TypeError:
            value = {}
    if not value:
        raise NotApplicable(
            f"{parameter} must be {{name: image}}, a list of images, a tensor "
            "(B, C, H, W), or the folder where they are."
        )
    return {
        str(name): convert(image, f"{parameter}, {name!r}")
        for name, image in value.items()
    }


def _as_signal(image, name):
    return as_slice(image, name) if is_complex(image) else as_image(image, name)


def own_problem(physics, noise_level=None):
    """The problem that ``physics`` stands for.

    Parameters
    ----------
    physics : str, deepinv LinearPhysics, or callable (shape, generator) -> physics
        A text is the name of a problem, or of a file: /my/file.py.
    noise_level : float or None
        None: that of the problem, or of the physics.

    Raises
    ------
    NotApplicable
        It is something else.
    """
    if isinstance(physics, str):
        return make_problem(physics, ALL_PROBLEMS, noise_level=noise_level)
    # A class of the user's may be made from (shape, generator), and no other one is.
    if isinstance(physics, type) and physics.__module__.startswith("deepinv."):
        raise NotApplicable(
            f"physics is the class {physics.__name__}: give an operator, as "
            f"{physics.__name__}(...)."
        )
    if not callable(physics) or (
        isinstance(physics, dinv.physics.Physics)
        and not isinstance(physics, dinv.physics.LinearPhysics)
    ):
        raise NotApplicable(
            f"physics is a {type(physics).__name__}: it must be the name of a problem "
            "or of a file, a deepinv.physics.LinearPhysics, or a function "
            "(shape, generator) that makes it."
        )
    if isinstance(physics, dinv.physics.LinearPhysics):
        operator = physics

        def physics(shape, generator):
            return copy.deepcopy(operator)

    return OwnProblem(make=physics, noise_level=noise_level)


def dataset_of(images, physics, noise_level=None):
    """A dataset class of these images, all seen through ``physics``.

    The parameters are those of ``images_of`` and ``own_problem``. Those for a problem
    of MRI or of tomography are slices; complex ones are so for any operator.
    """
    own = own_problem(physics, noise_level)
    label = physics if isinstance(physics, str) else "physics"
    kind = domain_of(label)
    found = images_of(images, convert=_as_signal if kind == IMAGES else as_slice)
    if any(image.is_complex() for image in found.values()):
        kind = COMPLEX_IMAGES if kind == IMAGES else kind
    if kind != IMAGES:
        found = seen_by(found, kind)

    class Dataset(ImageDataset):
        name = "images"
        problems = ALL_PROBLEMS
        domain = kind
        parameters = {
            **problem_parameters(ALL_PROBLEMS),
            "problem": [label],
            "noise_level": [noise_level],
            "img_size": [None],
        }
        always_shown = ("problem",)
        _module_filename = Path(__file__)

        def load(self, split):
            return found if split == "test" else {}

        def make_problem(self):
            return own

    return Dataset
