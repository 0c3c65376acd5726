"""What users of the benchmark import from Python."""

from benchmark_utils.scoring.evaluation import evaluate
from benchmark_utils.scoring.report import Report
from benchmark_utils.solving.restore import restore

__all__ = ["Report", "evaluate", "restore"]
