"""The base class of the solvers: everything that is not the method itself."""

import time

import torch
from benchopt import BaseSolver
from benchopt.stopping_criterion import StoppingCriterion

from benchmark_utils.common.errors import Unavailable
from benchmark_utils.common.naming import ShortName
from benchmark_utils.common.parameters import COUNT, check_parameters, optional
from benchmark_utils.data.batches import for_solver
from benchmark_utils.priors.restoration import load_denoiser, load_restoration
from benchmark_utils.solving.iterates import checked_iterates
from benchmark_utils.solving.tuned import solver_key, tuned_parameters


class FixedBudget(StoppingCriterion):
    """Leaves the budget to the solver, whose number of iterations is a parameter.

    benchopt's time-out and its limit of 100 points per curve do not apply: a curve
    always ends with the solver's last iterate.
    """

    def should_stop(self, stop_val, objective_list):
        self.progress(f"point {len(objective_list)}")
        return False, "running", self.get_next_stop_val(stop_val)


class IterativeSolver(ShortName, BaseSolver):
    """A solver is its ``iterate``; this class runs it on every batch and reports.

    What a solver defines
    ---------------------
    name, parameters : as in benchopt. Numbers of iterations are parameters; those that
        are named n_* count something, 1 at least.
    search_space : dict of Range
        The hyper-parameters to tune. Their value in ``parameters`` is "tuned": the
        value of config/tuned.yml for the problem at hand, or the range's default.
    valid : dict {parameter: (test, description)}
        What other parameters must be (benchmark_utils/common/parameters.py).
    setup() : optional
        Loads what the method needs, once per problem; not timed.
    learn(train) : optional
        Learns from training batches, which have ``x``; reported as ``fit_time``.
    iterate(y, physics)
        A generator that yields the successive x_k of one batch, shape (B, C, H, W).
        One-shot methods yield once. Stochastic ones draw from ``self.generator``.
    snapshots : tuple of int
        Iterations whose pictures are kept for the dashboard, beside the last one.
    atoms : tensor (K, C, h, w)
        Set by methods that learn atoms, for the dashboard to show them.
    requires_grad : bool
        True for methods that differentiate; others run in ``inference_mode``.
    oracle : bool
        True for those that may use ``self.true_dictionary``.

    What it finds at hand: ``self.device``, ``self.generator``, the values of its
    parameters, and for signals that are made of atoms or patches their number
    (``self.n_true_atoms``) or shape (``self.patch_shape``), else None. All batches
    advance together; a batch that ends early keeps its last iterate. The time of
    evaluation is not counted, and CUDA is synchronised before each time stamp.
    """

    sampling_strategy = "callback"
    stopping_criterion = FixedBudget()
    search_space = {}
    valid = {}
    snapshots = ()
    requires_grad = False
    oracle = False

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
            self._prepare(**objective)
        except (Unavailable, ValueError) as error:
            return True, str(error)
        return False, None

    def set_objective(self, **objective):
        """Everything was prepared by ``skip``, which benchopt calls just before."""

    def check_signals(self):
        """Raise ``ValueError`` for signals that this kind of solver does not take."""
        if self.batches[0].y.ndim != 4:
            raise ValueError(
                f"{self.name} takes images, and these signals are vectors."
            )

    def _prepare(
        self, train, test, dataset, problem, device, dictionary=None, patch_shape=None
    ):
        self.device = torch.device(device)
        self.train = train
        self.batches = [batch.to(self.device) for batch in test]
        self.true_dictionary, self.n_true_atoms = None, None
        if dictionary is not None:
            self.n_true_atoms = dictionary.shape[1]
        if dictionary is not None and self.oracle:
            self.true_dictionary = dictionary.to(self.device, copy=True)
        self.atoms = self.fit_time = None
        self.patch_shape = patch_shape
        self.check_signals()
        if self.learns() and not len(train):
            raise ValueError(
                f"{self.name} learns from training signals, and there are none: is "
                "n_train at least 1?"
            )
        self._networks = []
        # benchopt keeps one solver for all the datasets, and warms it up once.
        self._warmup_done = False
        self._set_hyper_parameters(dataset, problem)
        self.setup()

    def _set_hyper_parameters(self, dataset, problem):
        """Check the numbers, and put the tuned ones in place of "tuned"."""
        counts = {
            name: optional(COUNT) if values == [None] else COUNT
            for name, values in self.parameters.items()
            if name.startswith("n_")
        }
        check_parameters(self, counts | self.valid)
        key = solver_key(self.name, self._parameters, self.search_space)
        tuned = tuned_parameters(dataset, problem, key)
        for parameter, space in self.search_space.items():
            value = self._parameters[parameter]
            if value == "tuned":
                value = space.value(tuned.get(parameter), self._parameters)
            elif space.shared_by is None:
                space.check(parameter, value)
            setattr(self, parameter, value)

    def load_denoiser(self, name):
        """A denoiser of the registry, on the solver's device, its calls counted."""
        denoiser = load_denoiser(name, self.device, self._image_shapes())
        self._networks.append(denoiser)
        return denoiser

    def load_restoration(self, task, networks="compact", **ranges):
        """A restoration model T = R o D, on the solver's device, its calls counted."""
        model = load_restoration(
            task, networks, self.device, shapes=self._image_shapes(), **ranges
        )
        self._networks.append(model)
        return model

    def _image_shapes(self):
        return {batch.image_shape for batch in self.batches}

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
                iterates = [next(iterates, None) for iterates in running]
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

    def get_result(self):
        x_hat = [x.cpu() for x in self.x_hat]
        self._diverged = not all(bool(x.isfinite().all()) for x in x_hat)
        n_images = sum(len(batch.y) for batch in self.batches)
        result = {
            "x_hat": x_hat,
            "is_last": self._is_last or self._diverged,
            "fit_time": self.fit_time,
            "n_network_calls": sum(net.n_images for net in self._networks) / n_images,
        }
        if self.snapshots:
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
