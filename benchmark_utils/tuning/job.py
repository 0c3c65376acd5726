"""One entry of tuned.yml to make: a solver with its options, on one problem."""

import datetime
import hashlib
import re

import torch
from benchopt.utils.run_context import RunContext

from benchmark_utils.common.errors import NotApplicable
from benchmark_utils.common.fingerprint import installed
from benchmark_utils.data.domain import VECTORS
from benchmark_utils.scoring import metrics
from benchmark_utils.solving.search import Choice, Range
from benchmark_utils.solving.tuned import read_tuned, solver_key
from benchmark_utils.tuning.search import Search
from benchmark_utils.tuning.training_data import seed_of

# Entries of another protocol, or of none, are made anew. Where a schedule is tuned, it
# is a newer one: its lengths share the trials.
PROTOCOL, PROTOCOL_OF_CHOICES = 2, 3

NOTHING = "nothing to tune"

# What the PSNRs of an entry are of; entries that do not say it have the first.
SIGNALS, MAGNITUDES = "signals", "magnitudes"


class Job:
    """Tune a solver on the training data of one dataset and problem.

    Parameters
    ----------
    data : TrainingData
    solver_class : class
    options : dict
        Its parameters that are given. A hyper-parameter among them is not tuned, and is
        part of the solver's name in tuned.yml, as all that is given is.
    device : torch.device
    folder : Path
        Where trials are kept, for a search that is stopped to go on.
    precision : torch.dtype
        What networks compute in.
    """

    def __init__(
        self, data, solver_class, options, device, folder, precision=torch.float32
    ):
        self.data, self.solver_class, self.options = data, solver_class, options
        self.device = device
        solver = solver_class.get_instance(**options)
        self.parameters, self.networks = solver._parameters, solver.weights()
        if self.networks:
            self.networks = solver.weights(data.channels())
        # Without networks, there is one precision.
        self.precision = precision if self.networks else torch.float32
        self.key = solver_key(solver)
        self.space = {
            name: space
            for name, space in solver_class.search_space.items()
            if self.parameters[name] == "tuned"
        }
        self.seed = seed_of(data.name, data.problem, self.key)
        self._folder = folder

    def __str__(self):
        return f"{self.data.name} {self.data.problem} {self.key}"

    @property
    def learns(self):
        return self.solver_class.learns()

    def check(self):
        """Raise ``NotApplicable`` or ``Unavailable`` where the solver cannot run."""
        data, scored = self.data.for_solver(self.learns and bool(self.space))
        if self.learns and not self.space:
            data["train"] = scored
        skipped, reason = self._in_context().skip(**data, device=self.device)
        if skipped:
            raise NotApplicable(reason)

    def reason(self):
        """Why its entry must be made: a few words; None where it is up to date."""
        if (entry := self._present()) is None:
            return "no entry"
        if entry.get("protocol") != protocol_of(self.space):
            return "an entry of an older protocol"
        if entry.get("networks", {}) != self.networks:
            return "an entry of other networks"
        if self.space and entry.get("scored", SIGNALS) != self._what_is_scored():
            return "an entry of another score"
        if entry.get("ranges", {}) != self._described_space():
            return "an entry of another search space"
        return None

    def other_data(self):
        """What its entry was tuned on, in words; None if this is the present data."""
        entry = self._present()
        if not self.space or entry["data"] == self.names():
            return None
        return f"{len(entry['data'])} other signals of {entry['dataset']}"

    def names(self):
        """The signals that it is scored on."""
        return self.data.names(self.learns)

    def _present(self):
        entries = read_tuned().get(self.data.name, {}).get(self.data.problem, {})
        return entries.get(self.key)

    def search(self):
        """The search for its values, which goes on from the trials that are kept."""
        self._data, self._scored = self.data.for_solver(self.learns)
        name = re.sub(r"[^\w=.,+-]+", "_", str(self))[:120]
        path = self._folder / f"{name}-{self._digest()}.journal"
        replaced = (self._present() or {}).get("parameters")
        return Search(
            self.space, self.parameters, self.curve, self.seed, path, replaced
        )

    def curve(self, values):
        """Mean PSNR (dB) of each iterate over the crops, up to where it diverges."""
        solver = self._in_context(values)
        skipped, reason = solver.skip(**self._data, device=self.device)
        if skipped:
            raise NotApplicable(reason)
        solver.set_objective(**self._data, device=self.device)
        solver.pre_run_hook(None)
        truths = [batch.x.to(self.device) for batch in self._scored]
        curve = {}

        def go_on():
            # As in benchopt, the solver learns here that it diverged.
            x_hat = solver.get_result()["x_hat"]
            psnrs = [
                metrics.psnr(batch.domain.scored(ours), batch.domain.scored(x))
                for batch, ours, x in zip(self._scored, x_hat, truths)
            ]
            # The last iterate comes twice.
            curve[solver._n_iterates] = float(torch.cat(psnrs).mean())
            return True

        solver.run(go_on)
        return list(curve.values())

    def entry(self, search=None):
        """What tuned.yml keeps of it, once the search is at its end."""
        entry = {
            "protocol": protocol_of(self.space),
            "date": datetime.date.today().isoformat(),
        }
        if search is None:
            return entry | {"parameters": {}, "note": NOTHING}
        entry |= {
            "parameters": search.values,
            "score": round(search.best.value, 3),
            "scored": self._what_is_scored(),
            "trials": search.n_done,
            "seed": self.seed,
            "seconds": round(search.seconds),
            "dataset": str(self.data.dataset),
            "data": self.names(),
            "ranges": self._described_space(),
            "device": self.device.type,
            "versions": versions(),
            "code": self._code(),
        }
        if self.networks:
            entry["networks"] = self.networks
            entry["precision"] = str(self.precision).removeprefix("torch.")
        if search.widened:
            entry["widened"] = {n: described(s) for n, s in search.widened.items()}
        if on_bound := search.on_bound():
            entry["on_bound"] = on_bound
        return entry

    def _in_context(self, values=None):
        """The solver. Whatever its values, it makes the same random draws."""
        solver = self.solver_class.get_instance(**(self.options | (values or {})))
        solver.precision = self.precision
        problem = f"{self.data.name} {self.data.problem}"
        context = RunContext().set_run_context("tuning", problem, self.key, 0, 0)
        context.attach(None, None, solver)
        return solver

    def _what_is_scored(self):
        """What the PSNR is of, as the objective has it."""
        domain = getattr(self.data.dataset, "domain", VECTORS)
        return MAGNITUDES if domain.kind == "complex" else SIGNALS

    def _described_space(self):
        return {name: described(space) for name, space in self.space.items()}

    def _code(self):
        # With values that are given, entries of tuned.yml do not count.
        given = {n: s.value(None, self.parameters) for n, s in self.space.items()}
        return self.solver_class.get_instance(**(self.options | given)).code_digest()

    def _digest(self):
        """Of everything that shapes the trials."""
        shaped = [
            protocol_of(self.space),
            str(self),
            self.space,
            self.networks,
            self.device.type,
            self._what_is_scored(),
        ]
        shaped += [versions(), self._code(), self.precision]
        digest = hashlib.sha256(repr(shaped).encode())
        for batch in self._scored + list(self._data["train"]):
            for signals in (batch.x, batch.y):
                digest.update(signals.cpu().numpy().tobytes())
        return digest.hexdigest()[:12]


def protocol_of(space):
    """The protocol of a search over this space."""
    has_choice = any(isinstance(values, Choice) for values in space.values())
    return PROTOCOL_OF_CHOICES if has_choice else PROTOCOL


def versions():
    return {name: installed(name) for name in ("torch", "deepinv")}


def described(space):
    """A search space as tuned.yml has it: bounds, a maximum, or values."""
    if isinstance(space, Range):
        return [space.low, space.high]
    return list(space.values) if hasattr(space, "values") else space.maximum
