"""The base class of the solvers: everything that is not the method itself."""

import time

import torch
from benchopt import BaseSolver
from benchopt.stopping_criterion import StoppingCriterion

from benchmark_utils.common.device import resolved
from benchmark_utils.common.errors import NotApplicable, Unavailable
from benchmark_utils.common.naming import ShortName
from benchmark_utils.common.parameters import check_parameters
from benchmark_utils.data.batches import for_solver
from benchmark_utils.physics.data_term import data_term
from benchmark_utils.solving.iterates import checked_iterates
from benchmark_utils.solving.networks import UsesNetworks
from benchmark_utils.solving.tuned import solver_key, tuned_parameters

# How sentences call the kinds of signals.
KINDS = {
    "image": "images",
    "complex": "complex images",
    "vector": "vectors",
}


class FixedBudget(StoppingCriterion):
    """Leaves the budget to the solver, whose number of iterations is a parameter.

    benchopt's time-out and its limit of 100 points per curve do not apply: a curve
    always ends with the solver's last iterate.
    """

    def should_stop(self, stop_val, objective_list):
        self.progress(f"point {len(objective_list)}")
        return False, "running", self.get_next_stop_val(stop_val)


class IterativeSolver(UsesNetworks, ShortName, BaseSolver):
    """A solver is its ``iterate``; this class runs it on every batch and reports.

    What a solver defines
    ---------------------
    name, parameters : as in benchopt. What a value must be stands beside its default:
        ``"n_iter": COUNT(20)`` (benchmark_utils/common/parameters.py).
    search_space : dict of Range
        The hyper-parameters to tune. Their value in ``parameters`` is "tuned": the
        value of config/tuned.yml for the problem at hand, or the range's default.
    check() : optional
        Raises ``NotApplicable`` for options or signals that the method does not take.
        It is cheap: nothing is loaded yet. Any other error is a bug.
    setup() : optional
        Loads what the method needs, once per problem; not timed.
    learn(train) : optional
        Learns from training batches, which have ``x``; reported as ``fit_time``.
    iterate(y, physics)
        A generator that yields the successive x_k of one batch, shape (B, C, H, W).
        One-shot methods yield once. Stochastic ones draw from ``self.generator``.
    domains : tuple of str
        The kinds of signals that it takes: "image", "complex", "vector".
    snapshots : tuple of int
        Iterations whose pictures are kept for the dashboard, beside the last one.
    atoms : tensor (K, C, h, w)
        Set by ``iterate`` where atoms are learned, for the dashboard to show them;
        those of the first batch are kept.
    requires_grad : bool
        True for methods that differentiate; others run in ``inference_mode``.
    oracle : bool
        True for those that may use ``self.true_dictionary``.

    What it finds at hand: ``self.device``, ``self.generator``, the values of its
    parameters, ``self.test`` (the batches to restore), and for signals that are made of
    atoms or patches their number (``self.n_true_atoms``) or shape
    (``self.patch_shape``), else None. All batches advance together; a batch that ends
    early keeps its last iterate. The time of evaluation is not counted, and CUDA is
    synchronised before each time stamp.
    """

    sampling_strategy = "callback"
    stopping_criterion = FixedBudget()
    search_space = {}
    domains = ("image", "complex")
    snapshots = ()
    requires_grad = False
    oracle = False

    def check(self):
        pass

    def setup(self):
        pass

    def learn(self, train):
        pass

    @classmethod
    def learns(cls):
        """Whether the method learns from training batches."""
        return cls.learn is not IterativeSolver.learn

    def skip(self, **objective):
        try:
            self._receive(**objective)
            self._check_signals()
            self._set_hyper_parameters()
            self.check()
        except (NotApplicable, Unavailable) as error:
            return True, str(error)
        return False, None

    def set_objective(self, **objective):
        """Load what the method needs: benchopt has just called ``skip``."""
        self.batches = [batch.to(self.device) for batch in self.test]
        if self.domain.is_image:
            for batch in self.batches:
                # ||A|| belongs to the operator: its computation is not timed.
                _ = data_term(batch.physics, batch.y).lipschitz
        self.atoms = self.fit_time = None
        self._networks = []
        # benchopt keeps one solver for all the datasets, and warms it up once.
        self._warmup_done = False
        self.setup()

    def _receive(
        self, train, test, dataset, problem, device, dictionary=None, patch_shape=None
    ):
        self.device = resolved(device)
        self.train, self.test = train, test
        self.dataset, self.problem, self.patch_shape = dataset, problem, patch_shape
        self.domain = test[0].domain
        self.true_dictionary, self.n_true_atoms = None, None
        if dictionary is not None:
            self.n_true_atoms = dictionary.shape[1]
        if dictionary is not None and self.oracle:
            self.true_dictionary = dictionary.to(self.device, copy=True)

    def _check_signals(self):
        if self.domain.kind not in self.domains:
            # Those that take complex images take real ones too.
            raise NotApplicable(
                f"{self.name} takes {KINDS[self.domains[0]]}, and these signals are "
                f"{KINDS[self.domain.kind]}."
            )
        if self.learns() and not len(self.train):
            raise NotApplicable(
                f"{self.name} learns from training signals, and there are none: is "
                "n_train at least 1, or train given?"
            )

    def _set_hyper_parameters(self):
        """Check the numbers, and put the tuned ones in place of "tuned"."""
        check_parameters(self)
        key = solver_key(self.name, self._parameters, self.search_space)
        tuned = tuned_parameters(self.dataset, self.problem, key)
        for parameter, space in self.search_space.items():
            value = self._parameters[parameter]
            if value == "tuned":
                value = space.value(tuned.get(parameter), self._parameters)
            elif space.shared_by is None:
                space.check(parameter, value)
            setattr(self, parameter, value)

    def get_next(self, stop_val):
        """Every iterate up to the 22nd, then about ten per doubling."""
        return max(stop_val + 1, round(1.07 * stop_val))

    def pre_run_hook(self, stop_val):
        self._learn_once()
        self._reset()

    def warm_up(self):
        """Compute and drop one iterate, so that one-time costs are not timed."""
        self.pre_run_hook(None)
        # What is done to a copy does not change what is restored afterwards.
        batch = min(self.batches, key=lambda batch: len(batch.y)).to(self.device)
        with torch.inference_mode(not self.requires_grad):
            iterates = checked_iterates(self, batch.y, batch.physics)
            if next(iterates, None) is None:
                raise ValueError(f"{self} yields no iterate: n_iter is 1 or more.")

    def run(self, callback):
        with torch.inference_mode(not self.requires_grad):
            running = [checked_iterates(self, b.y, b.physics) for b in self.batches]
            while True:
                iterates = self._advance(running)
                if all(x is None for x in iterates):
                    break
                self.x_hat = [
                    old if x is None else x for x, old in zip(iterates, self.x_hat)
                ]
                self._synchronise()
                self._n_iterates += 1
                if self._n_iterates in self.snapshots:
                    self._kept[self._n_iterates] = [x.clone() for x in self.x_hat]
                if not callback():
                    return
                if self._diverged:
                    print(f"{self}: NaN or infinite values; stopped, and scored NaN.")
                    break
        # The last iterate is evaluated once more, with the costly metrics.
        self._is_last = True
        callback()

    def _advance(self, running):
        """The next iterate of each batch; None for those that have ended."""
        first, *others = running
        x = next(first, None)
        atoms = self.atoms
        iterates = [x, *(next(other, None) for other in others)]
        self.atoms = atoms
        return iterates

    def get_result(self):
        # Iterates are scored where they are, and not copied.
        finite = torch.stack([x.isfinite().all() for x in self.x_hat])
        self._diverged = not bool(finite.all())
        n_images = sum(len(batch.y) for batch in self.batches)
        result = {
            "x_hat": self.x_hat,
            "code": self.code_digest(),
            "is_last": self._is_last or self._diverged,
            "fit_time": self.fit_time,
            "n_network_calls": sum(net.n_images for net in self._networks) / n_images,
        }
        if self.snapshots and result["is_last"]:
            result["snapshots"] = {
                k: [x.cpu() for x in kept] for k, kept in self._kept.items()
            }
        if self.atoms is not None:
            result["atoms"] = self.atoms.cpu()
        return result

    def _learn_once(self):
        if self.fit_time is not None:
            return
        self._reset()
        start = time.perf_counter()
        with torch.inference_mode(not self.requires_grad):
            self.learn(for_solver(self.train, self.device, self._seed))
        self._synchronise()
        self.fit_time = time.perf_counter() - start

    def _reset(self):
        seed = self.get_seed(use_dataset=True, use_solver=True, use_repetition=True)
        self.generator = torch.Generator(self.device).manual_seed(seed)
        # Neither self.generator nor each other repeat the draws of a noise model.
        for i, batch in enumerate(self.batches, seed + 1):
            batch.seed_noise(i)
        self._seed = seed + 1 + len(self.batches)
        self.x_hat = [None] * len(self.batches)
        self._n_iterates, self._kept = 0, {}
        self._is_last = self._diverged = False
        for network in self._networks:
            network.n_images = 0

    def _synchronise(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
