"""The data term of a batch: f(x) = 1/2 ||A x - y||^2, weighted as its noise is.

``data_term(physics, y)`` picks the fastest form there is: closed_forms.py for the usual
operators, kspace.py for MRI, tomography_data_term.py for X-rays, cropped_blur.py for
blurs without a border, least_squares.py for any other one.
"""

import copy

import deepinv as dinv

from benchmark_utils.physics.closed_forms import (
    BlurDataTerm,
    DownsamplingDataTerm,
    MaskDataTerm,
)
from benchmark_utils.physics.cropped_blur import CroppedBlurDataTerm
from benchmark_utils.physics.kspace import MulticoilDataTerm, SingleCoilDataTerm
from benchmark_utils.physics.least_squares import DataTerm
from benchmark_utils.physics.noise import REFERENCE_NOISE, is_signal_dependent
from benchmark_utils.physics.tomography import Tomography
from benchmark_utils.physics.tomography_data_term import TomographyDataTerm


def is_circular_blur(physics):
    if isinstance(physics, dinv.physics.BlurFFT):
        return True
    return isinstance(physics, dinv.physics.Blur) and physics.padding == "circular"


def is_cropped_blur(physics):
    is_blur = isinstance(physics, dinv.physics.Blur) and physics.padding == "valid"
    return is_blur and physics.filter is not None and physics.filter.ndim == 4


def is_circular_downsampling(physics):
    """Whether it is a blur that wraps around, then every ``factor``-th pixel."""
    return (
        isinstance(physics, dinv.physics.Downsampling)
        and physics.filter is not None
        and physics.padding == "circular"
        and len(physics.filter) == 1
        and all(side % physics.factor == 0 for side in (physics.imsize or ())[-2:])
    )


def data_term(physics, y):
    """The fastest ``DataTerm`` for this operator and its noise."""
    if isinstance(physics, dinv.physics.Denoising | dinv.physics.Inpainting):
        return MaskDataTerm(physics, y)
    if isinstance(physics, Tomography):
        return TomographyDataTerm(physics, y)
    if is_signal_dependent(physics):
        # Weights are diagonal in the space of y, where no other A A^T is.
        return DataTerm(physics, y)
    if isinstance(physics, dinv.physics.MRI):
        return SingleCoilDataTerm(physics, y)
    if isinstance(physics, dinv.physics.MultiCoilMRI):
        return MulticoilDataTerm(physics, y)
    if is_circular_blur(physics):
        return BlurDataTerm(physics, y)
    if is_cropped_blur(physics):
        return CroppedBlurDataTerm(physics, y)
    if is_circular_downsampling(physics):
        return DownsamplingDataTerm(physics, y)
    return DataTerm(physics, y)


def unweighted_data_term(physics, y):
    """That of the operator alone: what it loses is the same, whatever the noise.

    Weights would hide the values that are measured with much noise in ker A, and with
    them the scores of an operator would depend on y.
    """
    if is_signal_dependent(physics):
        physics = copy.deepcopy(physics)
        physics.noise_model = dinv.physics.GaussianNoise(sigma=REFERENCE_NOISE)
    return data_term(physics, y)
