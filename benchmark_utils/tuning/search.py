"""The search: as many trials as there are values to find, the published ones first.

optuna's multivariate tree-structured Parzen estimator (Bergstra et al., 2011; Falkner
et al., 2018) draws the trials. Each has a seed made of the search's and of its number,
and is written when it is done: a search that was stopped goes on as if it had not been.

Schedules of other lengths ask for other values, and the estimator hardly tries those
that are behind after a few draws. So each length of a ``Choice`` has a search of its
own, with the same share of the first half of the trials; the best one goes on with the
rest.

The values of the entry that a search replaces are tried last, so that a search that
finds less keeps them, and that they move none of its draws.
"""

import itertools
import math
import time
import warnings
from dataclasses import dataclass

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import create_trial

from benchmark_utils.solving.search import (
    NEAR_BOUND,
    ON_BOUND,
    Choice,
    Iterations,
    Range,
)
from benchmark_utils.tuning.training_data import seed_of

# Trials of a search that tunes n values: 10 + 10 n.
TRIALS, TRIALS_PER_VALUE = 10, 10
# Random draws of a search before the estimator's first, in all.
RANDOM = 10
# dB. Iterations that gain less than this in all are not worth their time.
NEGLIGIBLE = 0.01
# dB. The curve still rises at the maximum if its last tenth gains more.
STILL_RISING = 0.05

optuna.logging.set_verbosity(optuna.logging.WARNING)
warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)


@dataclass(frozen=True)
class Trial:
    """One trial: its number (from 1), score (dB), values."""

    number: int
    score: float
    values: dict


class Search:
    """The values of a solver's hyper-parameters that score best.

    A value that ends near a bound of its range (random draws seldom are on it) widens
    it once, and the search goes on with half as many trials more.

    Parameters
    ----------
    space : dict of Range, Iterations or Choice
        What to tune.
    parameters : dict
        Those of the solver.
    curve : callable (values) -> list of float
        The mean PSNR (dB) of each iterate; NaN or infinite where it diverged. The
        number of iterations in ``values`` is the maximum, where it is tuned.
    seed : int
    path : Path
        The file of the trials. The same file must mean the same search.
    replaced : dict or None
        Values to try last; those that are not all in the space are left out.
    """

    def __init__(self, space, parameters, curve, seed, path, replaced=None):
        self.curve, self.seed, self.path = curve, seed, path
        self.iterations = [n for n, s in space.items() if isinstance(s, Iterations)]
        if len(self.iterations) > 1:
            raise TypeError(f"{' and '.join(self.iterations)} are both Iterations.")
        self.space = {n: s for n, s in space.items() if n not in self.iterations}
        self.maximum = {name: space[name].maximum for name in self.iterations}
        self.sizes = {n: s.n_values(parameters) for n, s in self.space.items()}
        n_values = sum(self.sizes.values())
        # All trials of a method whose iterations alone are tuned would be the same.
        self.n_trials = TRIALS + TRIALS_PER_VALUE * n_values if n_values else 1
        self._choices = choices(self.space)
        self._n_shared = self.n_trials // 2 // len(self._choices) * len(self._choices)
        self.widened, self._trials, self._replaced = {}, [], replaced

    def trials(self):
        """Search to the end, or until the caller stops: yields each new ``Trial``."""
        yield from self._search("first")
        bounds = self._bounds(NEAR_BOUND)
        wider = {
            name: range_.widened(bounds[name])
            for name, range_ in self._ranges().items()
            if name in bounds and range_ != range_.widened(bounds[name])
        }
        if wider:
            self.widened, self.space = wider, self.space | wider
            self.n_trials += self.n_trials // 2
            yield from self._search("widened", self._trials)
        if drawn := self._drawn_before():
            self.n_trials += 1
            yield from self._search("replaced", self._trials, lambda _: drawn)

    @property
    def best(self):
        """The best trial so far: the first of equals."""
        return max(self._trials, key=lambda trial: trial.value)

    @property
    def values(self):
        return self.best.user_attrs["values"]

    @property
    def n_done(self):
        return len(self._trials)

    @property
    def seconds(self):
        """What all the trials took, those of earlier runs too."""
        return sum(trial.user_attrs["seconds"] for trial in self._trials)

    @property
    def to_go(self):
        """Seconds that the other trials will take, as those that are done."""
        return self.seconds / self.n_done * (self.n_trials - self.n_done)

    def on_bound(self):
        """The names of the values that are on a bound of their range."""
        names = list(self._bounds(ON_BOUND))
        if self.best.user_attrs["rising"]:
            names += self.iterations
        return names

    def _bounds(self, within):
        """{name: set of "low" and "high"}, that the best values are near."""
        found = {}
        for name, range_ in self._ranges().items():
            value = self.values[name]
            values = value if isinstance(value, list) else [value]
            if bounds := {range_.bound(v, within) for v in values} - {None}:
                found[name] = bounds
        return found

    def _ranges(self):
        return {n: s for n, s in self.space.items() if isinstance(s, Range)}

    def _search(self, stage, earlier=(), draw=None):
        draw = draw or self._draw
        self.path.parent.mkdir(parents=True, exist_ok=True)
        stored = optuna.create_study(
            study_name=stage,
            storage=JournalStorage(JournalFileBackend(str(self.path))),
            direction="maximize",
            load_if_exists=True,
        )
        distributions = self._distributions()
        for trial in earlier[len(stored.trials) :]:
            trial = create_trial(
                params=trial.params,
                distributions=distributions,
                value=trial.value,
                user_attrs=trial.user_attrs,
            )
            stored.add_trial(trial)
        self._trials = stored.trials
        while len(self._trials) < self.n_trials:
            drawn = draw(distributions)
            values = self._values(drawn)
            start = time.perf_counter()
            curve = self.curve(values | self.maximum)
            seconds = time.perf_counter() - start
            score, found, rising = self._score(curve)
            values |= found
            attributes = {"values": values, "seconds": seconds, "rising": rising}
            stored.add_trial(
                create_trial(
                    params=drawn,
                    distributions=distributions,
                    value=score,
                    user_attrs=attributes,
                )
            )
            self._trials = stored.trials
            yield Trial(self.n_done, score, values)

    def _distributions(self):
        return {
            label: CategoricalDistribution(space.values)
            if isinstance(space, Choice)
            else FloatDistribution(space.low, space.high, log=True)
            for name, space in self.space.items()
            for label in labels(name, self.sizes[name])
        }

    def _draw(self, distributions):
        """{label: value} of the next trial."""
        chosen = self._chosen()
        others = {n: d for n, d in distributions.items() if n not in chosen}
        earlier = [t for t in self._trials if chosen.items() <= t.params.items()]
        if not earlier:
            return self._published() | chosen
        seed = seed_of(str(self.seed), str(self.n_done))
        sampler = optuna.samplers.TPESampler(
            multivariate=True, seed=seed, n_startup_trials=RANDOM // len(self._choices)
        )
        study = optuna.create_study(direction="maximize", sampler=sampler)
        study.add_trials([restricted(trial, others) for trial in earlier])
        return study.ask(others).params | chosen

    def _chosen(self):
        """{name: value} of what is a ``Choice``, for the next trial."""
        if self.n_done < self._n_shared:
            return self._choices[self.n_done % len(self._choices)]
        return {name: self.best.params[name] for name in self._choices[0]}

    def _published(self):
        return {
            label: space.default / self.sizes[name]
            if isinstance(space, Range)
            else space.default
            for name, space in self.space.items()
            for label in labels(name, self.sizes[name])
        }

    def _drawn_before(self):
        """{label: value} of the values that are replaced.

        None if they are not in the space, or were tried.
        """
        found = {}
        for name, n in self.sizes.items():
            value = (self._replaced or {}).get(name)
            each = value if isinstance(value, list) else [value]
            if len(each) != n or not all(contains(self.space[name], v) for v in each):
                return None
            found |= dict(zip(labels(name, n), each))
        tried = [self._values(trial.params) for trial in self._trials]
        return None if self._values(found) in tried else found

    def _values(self, drawn):
        """{name: value}, or a list of them where several things share the parameter."""
        values = {}
        for name, n in self.sizes.items():
            each = [rounded(drawn[label]) for label in labels(name, n)]
            values[name] = each[0] if n == 1 else each
        return values

    def _score(self, curve):
        """The score of a curve, the number of iterations, and whether it still rises.

        That of the first point as good as the best one where this number is tuned, else
        of the last one; minus infinity where it is not finite.
        """
        scores = [s if math.isfinite(s) else -math.inf for s in curve]
        if not self.iterations:
            return scores[-1], {}, False
        enough = max(scores) - NEGLIGIBLE
        n = next(i for i, score in enumerate(scores, 1) if score >= enough)
        [(name, maximum)] = self.maximum.items()
        almost = int(0.9 * maximum)
        before = scores[almost - 1] if n > almost > 0 else math.inf
        return scores[n - 1], {name: n}, scores[n - 1] - before > STILL_RISING


def choices(space):
    """All combinations of what is a ``Choice``, as {name: value}; the default first."""
    found = {n: s for n, s in space.items() if isinstance(s, Choice)}
    orders = [sorted(s.values, key=lambda v: v != s.default) for s in found.values()]
    return [dict(zip(found, values)) for values in itertools.product(*orders)]


def contains(space, value):
    if isinstance(space, Choice):
        return value in space.values
    return value is not None and space.low <= value <= space.high


def restricted(trial, distributions):
    """The trial, with these of its parameters alone."""
    params = {name: trial.params[name] for name in distributions}
    return create_trial(params=params, distributions=distributions, value=trial.value)


def labels(name, n):
    """What optuna calls the ``n`` values of a parameter."""
    return [name] if n == 1 else [f"{name}_{i}" for i in range(1, n + 1)]


def rounded(value):
    """Three digits of a float; whole numbers as they are."""
    return float(f"{value:.3g}") if isinstance(value, float) else value
