"""What users of the benchmark import from Python."""

from benchmark_utils.scoring.evaluation import Report, evaluate

__all__ = ["Report", "evaluate"]
