"""Metrics, pictures, results, and the evaluation of a function."""

from benchmark_utils.scoring.metrics import psnr
from benchmark_utils.scoring.pictures import (
    atom_sheet,
    centre,
    decode,
    light,
    picture_psnr,
    png,
)
from benchmark_utils.scoring.results import (
    ANOMALY,
    KEYS,
    final_results,
    final_scores,
    last_rows,
    mean_or_nan,
    score_cell,
    short_label,
    with_final_results,
    with_gaps,
    without,
)

__all__ = [
    "ANOMALY",
    "KEYS",
    "atom_sheet",
    "centre",
    "decode",
    "final_results",
    "final_scores",
    "last_rows",
    "light",
    "mean_or_nan",
    "picture_psnr",
    "png",
    "psnr",
    "score_cell",
    "short_label",
    "with_final_results",
    "with_gaps",
    "without",
]
