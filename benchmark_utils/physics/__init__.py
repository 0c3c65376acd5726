"""Forward operators, their noise, the data term, and the degradations of priors."""

from benchmark_utils.physics.data_term import data_term
from benchmark_utils.physics.degradations import (
    DEGRADATIONS,
    BrushMask,
    Downscaling,
    Identity,
    Measurement,
    OneOf,
)
from benchmark_utils.physics.degraded import Degraded, adjoint
from benchmark_utils.physics.noise import data_weight, noise_level
from benchmark_utils.physics.problems import PROBLEMS, default_strength

__all__ = [
    "DEGRADATIONS",
    "PROBLEMS",
    "BrushMask",
    "Degraded",
    "Downscaling",
    "Identity",
    "Measurement",
    "OneOf",
    "adjoint",
    "data_term",
    "data_weight",
    "default_strength",
    "noise_level",
]
