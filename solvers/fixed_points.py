import deepinv as dinv

from benchmark_utils.common import COUNT, LEVEL, NotApplicable
from benchmark_utils.physics import Identity
from benchmark_utils.solving import IterativeSolver


class Solver(IterativeSolver):
    """What a restoration network does to an image when it is applied again and again.

    FiRe iterates x_{k+1} = R(D(x_k)), the naive way is x_{k+1} = R(x_k), both from the
    image that is measured: clean where ``noise_level=0``. There is no data term: the
    image drifts towards the fixed points (Terris et al., CVPR 2025, figure 1).
    ``noise`` is that of D, and the level that R is told.

    naive : x_{k+1} = R(x_k), without D.
    noise : that of D, and the level that R is told.
    """

    name = "Fixed points"
    parameters = {
        "prior": ["sr2"],
        "naive": [False],
        "networks": ["compact"],
        "noise": LEVEL(0.02),
        "n_iter": COUNT(50),
    }
    always_shown = ("prior",)
    snapshots = (1, 3, 10, 20, 49)

    def check(self):
        if not isinstance(self.test[0].physics, dinv.physics.Denoising):
            raise NotApplicable(
                "Fixed points start from an image: take problem=denoising, and "
                "noise_level=0 for a clean one."
            )
        self.check_restoration(self.prior, self.networks, **self.options())

    def options(self):
        """What D is: none for the naive way, else the network's own."""
        if self.naive:
            return {"degradation": Identity(self.noise)}
        return {"noise": (self.noise, self.noise)}

    def setup(self):
        self.T = self.load_restoration(self.prior, self.networks, **self.options())

    def iterate(self, y, physics):
        x = y
        for _ in range(self.n_iter):
            x = self.T(x, self.generator)
            yield x
