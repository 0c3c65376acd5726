"""How networks are trained, on what, with which losses, and where they are kept."""

from benchmark_utils.learning.implicit import implicit_solution, prox
from benchmark_utils.learning.losses import check_losses, self_supervised_loss
from benchmark_utils.learning.samples import Photographs, Samples, turned
from benchmark_utils.learning.splitting import predictions
from benchmark_utils.learning.store import clear, entries, trained_weights
from benchmark_utils.learning.training import Adam, Progress, cosine, fit, in_bfloat16

__all__ = [
    "Adam",
    "Photographs",
    "Progress",
    "Samples",
    "check_losses",
    "clear",
    "cosine",
    "entries",
    "fit",
    "implicit_solution",
    "in_bfloat16",
    "predictions",
    "prox",
    "self_supervised_loss",
    "trained_weights",
    "turned",
]
