import copy

import torch

from benchmark_utils.common import COUNT, POSITIVE
from benchmark_utils.data import Batch
from benchmark_utils.learning import check_losses, self_supervised_loss
from benchmark_utils.priors import UnrolledHQS, load_for_channels
from benchmark_utils.solving import IterativeSolver


class Solver(IterativeSolver):
    """The shipped denoiser in unrolled HQS, adapted to the measurements of one batch.

    Terris, Hurault, Song and Tachella (2025), "Reconstruct Anything Model", adapt
    their network to y alone in this way: Adam on

        SURE(network, y) + EI(network, y),

    where EI asks that turned images come back turned. Nothing is learned beforehand,
    and the steps are in the time of the curve, with the network calls of their losses.

    loss : losses of the measurements, joined by "+", as of ``Self-supervised``.
    n_iter : iterations of the unrolled HQS.
    n_steps : steps of Adam for each batch.
    lr : its learning rate.
    """

    name = "Fine-tuned"
    parameters = {
        "loss": ["sure+ei"],
        "n_iter": COUNT(6),
        "n_steps": COUNT(20),
        "lr": POSITIVE(1e-5),
    }
    test_config = {"n_steps": 2, "n_iter": 2}
    requires_grad = True
    # Those that ask for one operator, and for any network.
    LOSSES = ("mc", "sure", "splitting", "ei")

    def check(self):
        self.check_denoiser("compact")
        check_losses(self.loss, self.test, self.LOSSES)

    def setup(self):
        denoiser = load_for_channels("denoiser", self.n_channels, self.device)
        network = UnrolledHQS(denoiser, self.n_iter)
        self.start = network.to(self.device).requires_grad_(False)
        self.count_calls(self.start)

    def iterate(self, y, physics):
        network = copy.deepcopy(self.start).requires_grad_(True)
        adam = torch.optim.Adam(network.parameters(), lr=self.lr)
        batch = Batch(y=y, physics=physics, domain=self.domain)
        for _ in range(self.n_steps):
            adam.zero_grad()
            self.seeded_loss(network, batch).backward()
            adam.step()
            with torch.no_grad():
                x = network(y, physics)
            yield x

    def seeded_loss(self, network, batch):
        """deepinv's losses draw from torch's global generator."""
        generator = self.generator
        seed = int(torch.randint(2**31, (1,), generator=generator, device=self.device))
        with torch.random.fork_rng([self.device] * (self.device.type == "cuda")):
            torch.manual_seed(seed)
            return self_supervised_loss(self.loss, network, batch)
