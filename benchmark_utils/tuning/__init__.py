"""The search for hyper-parameters on training images: one protocol for all solvers."""

from benchmark_utils.tuning.entries import save
from benchmark_utils.tuning.job import Job
from benchmark_utils.tuning.report import report
from benchmark_utils.tuning.training_data import N_CROPS, TrainingData

__all__ = ["N_CROPS", "Job", "TrainingData", "report", "save"]
