"""Forward operators, their noise, the data term, and the degradations of priors."""

from benchmark_utils.physics.all_problems import ALL_PROBLEMS
from benchmark_utils.physics.back_projection import (
    filtered_back_projection,
    inverse_radon,
)
from benchmark_utils.physics.ct import CT_PROBLEMS
from benchmark_utils.physics.data_term import data_term, unweighted_data_term
from benchmark_utils.physics.degradations import (
    DEGRADATIONS,
    BrushMask,
    Downscaling,
    Identity,
    LogNoise,
    Measurement,
    OneOf,
)
from benchmark_utils.physics.degraded import Degraded, adjoint
from benchmark_utils.physics.mri import MRI_PROBLEMS, check_mri, estimated_maps
from benchmark_utils.physics.noise import (
    REFERENCE_NOISE,
    denoiser_scale,
    noise_level,
    norm_scale,
    residual_scale,
)
from benchmark_utils.physics.problems import (
    PROBLEMS,
    default_strength,
)
from benchmark_utils.physics.tomography import (
    MAX_ATTENUATION,
    Tomography,
    check_tomography,
)

__all__ = [
    "ALL_PROBLEMS",
    "CT_PROBLEMS",
    "DEGRADATIONS",
    "MAX_ATTENUATION",
    "MRI_PROBLEMS",
    "PROBLEMS",
    "REFERENCE_NOISE",
    "BrushMask",
    "Degraded",
    "Downscaling",
    "Identity",
    "LogNoise",
    "Measurement",
    "OneOf",
    "Tomography",
    "adjoint",
    "check_mri",
    "check_tomography",
    "data_term",
    "default_strength",
    "denoiser_scale",
    "estimated_maps",
    "filtered_back_projection",
    "inverse_radon",
    "noise_level",
    "norm_scale",
    "residual_scale",
    "unweighted_data_term",
]
