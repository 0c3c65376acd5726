import deepinv as dinv
import torch

from benchmark_utils.common import COUNT, whole
from benchmark_utils.physics import data_term
from benchmark_utils.solving import Iterations, IterativeSolver, Range


class Solver(IterativeSolver):
    """Deep image prior: a network with random weights, fitted to the measurements.

    Ulyanov, Vedaldi and Lempitsky (2018), with the decoder of Darestani and Heckel
    (2021): for each image, Adam on the weights w of

        min_w 1/2 ||A G_w(v) - y||^2,  v fixed and random,

    stopped early: what G_w fits first is the prior. The result is an exponential mean
    of the G_w(v), with a memory of 1 / ``decay`` iterations.

    channels : of each layer of the network.
    layers : of the network.
    lr : learning rate of Adam.
    """

    name = "DIP"
    parameters = {
        "n_iter": ["tuned"],
        "channels": COUNT(32),
        "layers": whole(2)(6),
        "lr": ["tuned"],
    }
    search_space = {
        "n_iter": Iterations(1000, maximum=2000),
        "lr": Range(0.001, 0.1, default=0.01),
    }
    test_config = {"n_iter": 5}
    requires_grad = True
    decay = 0.05
    in_size = (4, 4)

    def iterate(self, y, physics):
        f = data_term(physics, y)
        shape = f.A_adjoint(y).shape
        networks = torch.nn.ModuleList(self.network(shape[1:]) for _ in y)
        inputs = torch.randn(
            (len(y), 1, self.channels, *self.in_size),
            generator=self.generator,
            device=self.device,
        )
        adam = torch.optim.Adam(networks.parameters(), lr=self.lr)
        mean = None
        for _ in range(self.n_iter):
            adam.zero_grad()
            x = torch.cat([G(v) for G, v in zip(networks, inputs)])
            # The networks are apart: the gradient of a sum is that of each.
            f.value(x).sum().backward()
            adam.step()
            x = x.detach()
            mean = x if mean is None else mean.lerp(x, self.decay)
            yield mean

    def network(self, shape):
        """A decoder with weights drawn from the solver's generator."""
        seed = int(
            torch.randint(2**31, (1,), generator=self.generator, device=self.device)
        )
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return dinv.models.ConvDecoder(
                shape, self.in_size, self.layers, self.channels
            ).to(self.device)
