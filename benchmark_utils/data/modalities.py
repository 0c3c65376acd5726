"""Images of the user's, as a problem of photographs, MRI or tomography sees them."""

import numpy as np
import torch

from benchmark_utils.common.errors import NotApplicable
from benchmark_utils.data.attenuation import ATTENUATIONS
from benchmark_utils.data.checked import as_complex_image, as_image
from benchmark_utils.data.domain import COMPLEX_IMAGES, IMAGES
from benchmark_utils.data.phase import with_smooth_phase
from benchmark_utils.physics.ct import CT_PROBLEMS
from benchmark_utils.physics.mri import MRI_PROBLEMS


def domain_of(problem):
    """What the images of a problem are, by its name."""
    if problem in MRI_PROBLEMS:
        return COMPLEX_IMAGES
    return ATTENUATIONS if problem in CT_PROBLEMS else IMAGES


def as_slice(value, name="The image"):
    """A slice for MRI or tomography: complex (H, W), or real, (1, H, W) in [0, 1].

    Parameters
    ----------
    value : array of complex values (H, W), or what ``as_image`` takes, in grey.
    name : str
        What the sentence begins with.

    Raises
    ------
    NotApplicable
        It is something else.
    """
    if is_complex(value):
        return torch.complex(*as_complex_image(value, name))
    image = as_image(value, name)
    if len(image) != 1:
        raise NotApplicable(
            f"{name} has colours: convert it to grey, as MRI and tomography see it."
        )
    return image


def is_complex(value):
    """Whether an array, or a tensor, has complex values."""
    if torch.is_tensor(value):
        return value.is_complex()
    return isinstance(value, np.ndarray) and np.iscomplexobj(value)


def seen_by(images, domain):
    """{name: image} of slices, as datasets of this domain load them.

    For MRI, the n-th slice that is real is a magnitude, and has the n-th smooth phase
    (``with_smooth_phase``). Tomography sees attenuations: black is air.

    Raises
    ------
    NotApplicable
        A slice is complex, and its attenuation has no phase.
    """
    if domain.kind == "complex":
        return {
            name: image if image.is_complex() else with_smooth_phase(image[0], seed=n)
            for n, (name, image) in enumerate(images.items(), start=1)
        }
    for name, image in images.items():
        if image.is_complex():
            raise NotApplicable(
                f"{name} is complex: tomography sees attenuations, in [0, 1]."
            )
    return images
