"""The base class of the solvers: everything that is not the method itself."""

import time

import torch
from benchopt import BaseSolver

from benchmark_utils.common.checksums import files_read
from benchmark_utils.common.descriptions import Described
from benchmark_utils.common.device import resolved
from benchmark_utils.common.errors import NotApplicable, Unavailable
from benchmark_utils.common.machine import machine_record
from benchmark_utils.common.naming import ShortName
from benchmark_utils.data.batches import for_solver
from benchmark_utils.data.domain import KINDS
from benchmark_utils.physics.data_term import data_term
from benchmark_utils.solving.curve import Curve, FixedBudget
from benchmark_utils.solving.hyper_parameters import HyperParameters
from benchmark_utils.solving.iterates import checked_iterates
from benchmark_utils.solving.networks import UsesNetworks


class IterativeSolver(Described, HyperParameters, UsesNetworks, ShortName, BaseSolver):
    """A solver is its ``iterate``; this class runs it on every batch and reports.

    What a solver defines
    ---------------------
    name, parameters : as in benchopt. What a value must be stands beside its default:
        ``"n_iter": COUNT(20)`` (benchmark_utils/common/parameters.py). What it means is
        an entry of the docstring, as in ``solvers/tv.py``; those that many solvers
        have are described at the end of this one.
    search_space : dict of Range, Iterations or Choice
        The hyper-parameters to tune. Their value in ``parameters`` is "tuned": the
        value of config/tuned.yml for the problem at hand, or the default.
    check() : optional
        Raises ``NotApplicable`` for options or signals that the method does not take.
        It is cheap: nothing is loaded yet. Any other error is a bug.
    setup() : optional
        Loads what the method needs, once per problem; not timed.
    learn(train) : optional
        Learns from training batches, which have ``x``; reported as ``fit_time``, or
        the seconds that it returns are, where what was learned before is found again.
    iterate(y, physics)
        A generator that yields the successive x_k of one batch, shape (B, C, H, W).
        One-shot methods yield once. Stochastic ones draw from ``self.generator``.
        Where x_k costs what x_{k+1} does not need, it yields a function that makes x_k:
        it is called for the points of the curve alone, before the next step.
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
    parameters, ``self.test`` (the batches to restore), ``self.n_channels`` (of a
    network for all their images), and for signals that are made of atoms or patches
    their number (``self.n_true_atoms``) or shape (``self.patch_shape``), else None.
    All batches advance together; a batch that ends early keeps its last iterate. The
    time of a point is that of the iterations, and of making its images; evaluation and
    pictures are not counted, and CUDA is synchronised before each time stamp.

    n_iter : iterations.
    denoiser : "compact" (this repository's), "equivariant" (its mean over rotations and
        reflections), "wide", "drunet" (downloaded), "tv" or "bm3d".
    prior : the task of the restoration network, as "sr2" or "deblur".
    networks : "compact" (this repository's) or "published" (downloaded).
    """

    sampling_strategy = "callback"
    stopping_criterion = FixedBudget()
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

    @property
    def n_channels(self):
        """The channels of one network for all images: grey ones are equal colours."""
        return max(batch.signal_shape[0] for batch in self.test)

    @classmethod
    def learns(cls):
        """Whether the method learns from training batches."""
        return cls.learn is not IterativeSolver.learn

    def skip(self, **objective):
        try:
            self._receive(**objective)
            self._check_signals()
            self.set_hyper_parameters()
            self.check()
        except (NotApplicable, Unavailable) as error:
            return True, str(error)
        return False, None

    def set_objective(self, **objective):
        """Load what the method needs: benchopt has just called ``skip``."""
        self._run_record = machine_record(self.device)
        self.batches = [batch.to(self.device) for batch in self.test]
        if self.domain.is_image:
            for batch in self.batches:
                # ||A|| belongs to the operator: its computation is not timed.
                data_term(batch.physics, batch.y).prepare()
        self.atoms = self.fit_time = None
        self._networks = []
        # benchopt keeps one solver for all the datasets, and warms it up once.
        self._warmup_done = False
        with files_read() as weights:
            self.setup()
        self._run_record["weights"] = weights

    def _receive(
        self,
        train,
        test,
        dataset,
        problem,
        device,
        defaults=None,
        dictionary=None,
        patch_shape=None,
    ):
        self.device = resolved(device)
        self.train, self.test = train, test
        self.dataset, self.problem, self.defaults = dataset, problem, defaults or {}
        self.patch_shape = patch_shape
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

    def get_next(self, stop_val):
        """Every iterate up to the 22nd, then about ten per doubling, and snapshots."""
        usual = max(stop_val + 1, round(1.07 * stop_val))
        return min([usual, *(k for k in self.snapshots if k > stop_val)])

    def pre_run_hook(self, stop_val):
        self._learn_once()
        self._reset()

    def warm_up(self):
        """Compute and drop one iterate, so that one-time costs are not timed."""
        self.pre_run_hook(None)
        # What is done to a copy does not change what is restored afterwards.
        batches = [batch.to(self.device) for batch in self.warm_up_batches()]
        with torch.inference_mode(not self.requires_grad):
            if next(self._iterations(batches), None) is None:
                raise ValueError(f"{self} yields no iterate: n_iter is 1 or more.")
            self._make_images()

    def warm_up_batches(self):
        """The largest one: what it needs (memory, plans of FFTs) serves the others."""
        return [max(self.batches, key=lambda batch: batch.y.numel())]

    def run(self, callback):
        curve = Curve(callback, self._make_images)
        with torch.inference_mode(not self.requires_grad):
            for _ in self._iterations(self.batches):
                self._n_iterates += 1
                self._synchronise()
                if not curve.add():
                    return
                if self._diverged:
                    print(f"{self}: NaN or infinite values; stopped, and scored NaN.")
                    break
            # The last iterate has the costly metrics.
            self._is_last = True
            curve.end()

    def _iterations(self, batches):
        """One iteration on all the batches at a time: ``x_hat`` is what they yield."""
        running = [checked_iterates(self, b.y, b.physics) for b in batches]
        self.x_hat = [None] * len(batches)
        while True:
            iterates = self._advance(running)
            if all(x is None for x in iterates):
                return
            self.x_hat = [
                old if x is None else x for x, old in zip(iterates, self.x_hat)
            ]
            yield True

    def _advance(self, running):
        """The next iterate of each batch; None for those that have ended."""
        first, *others = running
        x = next(first, None)
        atoms = self.atoms
        iterates = [x, *(next(other, None) for other in others)]
        self.atoms = atoms
        return iterates

    def _make_images(self):
        """Call what was yielded as a function."""
        self.x_hat = [x() if callable(x) else x for x in self.x_hat]
        self._synchronise()

    def get_result(self):
        # Iterates are scored where they are, and not copied.
        self._make_images()
        finite = torch.stack([x.isfinite().all() for x in self.x_hat])
        self._diverged = not bool(finite.all())
        n_images = sum(len(batch.y) for batch in self.batches)
        result = {
            "x_hat": self.x_hat,
            "code": self.code_digest(),
            "values": self.values,
            "values_from": self.values_from,
            "run": self._run_record,
            "is_last": self._is_last,
            "fit_time": self.fit_time,
            "n_network_calls": sum(net.n_images for net in self._networks) / n_images,
        }
        if self._n_iterates in self.snapshots:
            self._kept[self._n_iterates] = [x.to("cpu", copy=True) for x in self.x_hat]
        if self.snapshots and self._is_last:
            result["snapshots"] = self._kept
        if self.atoms is not None:
            result["atoms"] = self.atoms.cpu()
        return result

    def _learn_once(self):
        if self.fit_time is not None:
            return
        self._reset()
        self._synchronise()
        start = time.perf_counter()
        with torch.inference_mode(not self.requires_grad):
            known = self.learn(for_solver(self.train, self.device, self._seed))
        self._synchronise()
        self.fit_time = time.perf_counter() - start if known is None else known

    def _reset(self):
        seed = self.get_seed(use_dataset=True, use_solver=True, use_repetition=True)
        self.generator = torch.Generator(self.device).manual_seed(seed)
        # Neither self.generator nor each other repeat the draws of a noise model.
        for i, batch in enumerate(self.batches, seed + 1):
            batch.seed_noise(i)
        self._seed = seed + 1 + len(self.batches)
        self._n_iterates, self._kept = 0, {}
        self._is_last = self._diverged = False
        for network in self._networks:
            network.n_images = 0

    def _synchronise(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
