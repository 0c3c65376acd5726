"""The problems of photographs, of MRI and of tomography, by name."""

from benchmark_utils.physics.ct import CT_PROBLEMS
from benchmark_utils.physics.mri import MRI_PROBLEMS
from benchmark_utils.physics.problems import PROBLEMS

ALL_PROBLEMS = {**PROBLEMS, **MRI_PROBLEMS, **CT_PROBLEMS}
