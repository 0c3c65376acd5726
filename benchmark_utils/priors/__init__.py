"""Explicit priors (TV, wavelets) and those that are networks."""

from benchmark_utils.priors.compact import (
    load_by_channels,
    load_compact,
    load_for_channels,
    on_image_grid,
    save_compact_weights,
)
from benchmark_utils.priors.experts import FieldsOfExperts
from benchmark_utils.priors.fire import Residuals, decreasing, running_mean
from benchmark_utils.priors.networks import CompactUNet, EDMUNet, ResidualBlock
from benchmark_utils.priors.reconstruction import (
    ArtifactRemoval,
    LearnedPrimalDual,
    UnrolledHQS,
    VarNet,
    untrained_denoiser,
)
from benchmark_utils.priors.restoration import family_and_task, load_restoration
from benchmark_utils.priors.tv import gradient, gradient_adjoint, project_on_ball
from benchmark_utils.priors.wavelets import pad_to_multiple, soft_threshold

__all__ = [
    "ArtifactRemoval",
    "CompactUNet",
    "EDMUNet",
    "FieldsOfExperts",
    "LearnedPrimalDual",
    "ResidualBlock",
    "Residuals",
    "UnrolledHQS",
    "VarNet",
    "decreasing",
    "family_and_task",
    "gradient",
    "gradient_adjoint",
    "load_by_channels",
    "load_compact",
    "load_for_channels",
    "load_restoration",
    "on_image_grid",
    "pad_to_multiple",
    "project_on_ball",
    "running_mean",
    "save_compact_weights",
    "soft_threshold",
    "untrained_denoiser",
]
