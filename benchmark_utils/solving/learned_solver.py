"""The base class of the solvers whose prior is a network trained on the dataset."""

import hashlib
import platform
import time
from abc import abstractmethod

import torch

from benchmark_utils.common.errors import NotApplicable, Unavailable
from benchmark_utils.common.fingerprint import digest
from benchmark_utils.common.parameters import COUNT, POSITIVE, whole
from benchmark_utils.learning.samples import Samples
from benchmark_utils.learning.store import store_folder, trained_weights
from benchmark_utils.learning.training import Adam, cosine, fit
from benchmark_utils.physics.data_term import data_term
from benchmark_utils.physics.noise import levels_of
from benchmark_utils.solving.solver import IterativeSolver

# Evaluations on what is held out, and largest norm of the gradients.
N_EVALUATIONS, CLIP = 10, 1.0
SECONDS_BETWEEN_CHECKPOINTS = 60
SECONDS_BETWEEN_REPORTS = 20


class LearnedSolver(IterativeSolver):
    """A solver is its ``build`` and its ``loss``; this class trains, stores and finds.

    What a solver defines
    ---------------------
    parameters : ``training(n_steps, lr)`` and its own.
    build()
        The network, a torch module called as network(y, physics), for signals of
        ``self.test``. Random weights are drawn from torch's generator, which is seeded.
    loss(network, batch) : optional
        A tensor (), of a Batch of training images: by default, the mean square of
        network(y, physics) - x. Random draws come from torch's global generator, which
        is seeded at each step.
    needs_truth : bool
        True: batches have ``x``, turned at random, and fresh noise at each draw.
        False: they have the measurements of the dataset, as they are, and no ``x``.
    any_channels : bool
        True for networks that take each channel alone: others do not learn from images
        in colours to restore grey ones.
    groups(network) : optional
        Groups of weights with their learning rates.
    iterate(y, physics) : optional
        By default, it yields network(y, physics), the network being ``self.network``.

    Training images are those of the dataset, whole; a tenth of them is held out (none
    where there is one alone), and the weights are those of its lowest loss. They are
    kept in the store, under a key of all that shapes them: code, weights and libraries
    (``fingerprint``), parameters, the training images, their measurements and the
    physics that solvers are told, the kind of device. ``fit_time`` is that of the
    training, whenever it was; ``self.record`` is its record, and ``self.from_store``
    tells whether it was there already.

    n_steps : steps of training.
    lr : learning rate of Adam.
    batch : training images of a step; None for four, or as many as there are.
    seed : of the first weights and of all the draws.
    """

    needs_truth = True
    any_channels = False
    test_config = {"n_steps": 2}

    @staticmethod
    def training(n_steps, lr):
        """The parameters of a training, with two of their defaults."""
        return {
            "n_steps": COUNT(n_steps),
            "lr": POSITIVE(lr),
            "batch": COUNT.or_none()(None),
            "seed": whole(0)(0),
        }

    @abstractmethod
    def build(self): ...

    def loss(self, network, batch):
        return (network(batch.y, batch.physics) - batch.x).square().mean()

    def groups(self, network):
        return [{"params": list(network.parameters()), "lr": self.lr}]

    def iterate(self, y, physics):
        yield self.network(y, physics)

    def set_hyper_parameters(self):
        super().set_hyper_parameters()
        if self.batch is not None:
            # Says what is wrong with the size of the batches.
            Samples(list(self.train), self.batch, torch.Generator())

    def setup(self):
        with torch.random.fork_rng([]):
            torch.manual_seed(self.seed)
            self.network = self.build().to(self.device)
        self.count_calls(self.network)

    def learn(self, train):
        """Train ``self.network``, or find its weights: the seconds it took."""
        with torch.inference_mode(False), torch.enable_grad():
            batches = list(train)
            self._check_channels(batches)
            weights, self.record, self.from_store = trained_weights(
                self.weights_key(batches), lambda path: self._train(batches, path)
            )
        try:
            self.network.load_state_dict(weights)
        except RuntimeError as error:
            raise Unavailable(
                f"The weights of {self} in {store_folder()} are of another network: "
                "python tools/learned.py --clear removes them, and they are trained "
                "anew."
            ) from error
        self.network.eval().requires_grad_(False)
        if self.from_store:
            print(
                f"{self}: weights of the store, trained in {self.record['seconds']} s."
            )
        return self.record["seconds"]

    def _check_channels(self, batches):
        if not self.domain.is_image or self.any_channels:
            return
        most = max(batch.x.shape[1] for batch in batches)
        if most > self.n_channels:
            raise NotApplicable(
                f"{self.name} would learn from images of {most} channels, and those to "
                f"restore have {self.n_channels}: give it grey images to learn from."
            )

    def weights_key(self, batches):
        """What tells the weights: 24 hexadecimal digits."""
        values = self._parameters | {n: getattr(self, n) for n in self.search_space}
        state = self.fingerprint(), sorted(values.items()), self.device.type
        return digest(*state) + content_of(batches)

    def _train(self, batches, checkpoint):
        for batch in batches:
            # Found again by the operators of the images that are drawn.
            data_term(batch.physics, batch.y).prepare()
        generator = torch.Generator(self.device).manual_seed(self.seed)
        samples = Samples(batches, self.batch, generator)
        held_out = samples.held_out()
        if not self.needs_truth:
            held_out = [batch.without_truth() for batch in held_out]
        # Operators other than that of the batch, for losses that ask for them.
        self.other_physics = samples.other_physics
        network = self.network

        def loss(step):
            if self.needs_truth:
                return self.loss(network, samples.draw_anew())
            return self.loss(network, samples.draw().without_truth())

        def evaluate():
            state = generator.get_state()
            generator.manual_seed(self.seed)
            losses = [len(b.y) * self.loss(network, b) for b in held_out]
            generator.set_state(state)
            return float(sum(losses)) / n_held_out if losses else None

        n_held_out = sum(len(batch.y) for batch in held_out)
        progress = fit(
            network,
            Adam(self.groups(network)),
            cosine(self.n_steps),
            loss,
            self.n_steps,
            generator,
            evaluate,
            self._reporter(),
            every=-(-self.n_steps // N_EVALUATIONS),
            seconds_between=SECONDS_BETWEEN_CHECKPOINTS,
            keep_best=True,
            clip=CLIP,
            checkpoint=checkpoint,
            recipe=repr(self),
            seed=self.seed,
        )
        if progress.stopped:
            print(f"{self}: {progress.stopped}")
        best = progress.best or {"step": progress.step}
        record = {
            "solver": repr(self),
            "dataset": self.dataset,
            "problem": self.problem,
            "steps": progress.step,
            "best_step": best["step"],
            "seconds": round(progress.seconds, 2),
            "stopped": progress.stopped,
            "device": self.device.type,
            "machine": platform.processor() or platform.machine(),
            "n_parameters": sum(p.numel() for p in network.parameters()),
            "n_drawn": len(samples.drawn),
            "n_held_out": n_held_out,
            "losses": progress.losses,
            "held_out": progress.held_out,
        }
        return network.state_dict(), record

    def _reporter(self):
        """Prints how far the training is, from time to time."""
        last = time.time()

        def report(progress):
            nonlocal last
            if time.time() - last < SECONDS_BETWEEN_REPORTS or not progress.step:
                return
            last = time.time()
            left = progress.seconds / progress.step * (self.n_steps - progress.step)
            print(
                f"{self}: step {progress.step} of {self.n_steps}, loss "
                f"{progress.losses[-1][1]:.3g}, {left:.0f} s to go"
            )

        return report


def content_of(batches):
    """A digest of training images, of y and of the physics that is told: 12 digits.

    A^T y tells any operator from another one, be it a function of the user's.
    """
    found = hashlib.sha256()
    for batch in batches:
        adjoint = batch.physics.A_adjoint(batch.y)
        levels = levels_of(batch.physics.noise_model).values()
        for tensor in (batch.x, batch.y, adjoint, *levels):
            found.update(repr(tuple(tensor.shape)).encode())
            found.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()[:12]
