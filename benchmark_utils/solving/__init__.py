"""The base classes of solvers, and their hyper-parameters."""

from benchmark_utils.solving.dictionary_solver import DictionarySolver
from benchmark_utils.solving.learned_solver import LearnedSolver
from benchmark_utils.solving.restoration_priors import RestorationPriors
from benchmark_utils.solving.search import Choice, Iterations, Range
from benchmark_utils.solving.solver import IterativeSolver
from benchmark_utils.solving.tuned import (
    TUNED_FILE,
    parse_key,
    read_tuned,
    solver_key,
)

__all__ = [
    "TUNED_FILE",
    "Choice",
    "DictionarySolver",
    "Iterations",
    "IterativeSolver",
    "LearnedSolver",
    "Range",
    "RestorationPriors",
    "parse_key",
    "read_tuned",
    "solver_key",
]
