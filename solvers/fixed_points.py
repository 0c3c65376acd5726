import deepinv as dinv

from benchmark_utils.common import LEVEL
from benchmark_utils.physics import Identity
from benchmark_utils.solving import IterativeSolver


class Solver(IterativeSolver):
    """What a restoration network does to an image when it is applied again and again.

    FiRe iterates x_{k+1} = R(D(x_k)), the naive way is x_{k+1} = R(x_k), both from the
    image that is measured: clean where ``noise_level=0``. There is no data term: the
    image drifts towards the fixed points (Terris et al., CVPR 2025, figure 1).
    ``noise`` is that of D, and the level that R is told.
    """

    name = "Fixed points"
    parameters = {
        "prior": ["sr2"],
        "naive": [False],
        "networks": ["compact"],
        "noise": [0.02],
        "n_iter": [50],
    }
    valid = {"noise": LEVEL}
    always_shown = ("prior",)
    snapshots = (1, 3, 10, 20, 49)

    def setup(self):
        if not isinstance(self.batches[0].physics, dinv.physics.Denoising):
            raise ValueError(
                "Fixed points start from an image: take problem=denoising, and "
                "noise_level=0 for a clean one."
            )
        if self.naive:
            options = {"degradation": Identity(self.noise)}
        else:
            options = {"noise": (self.noise, self.noise)}
        self.T = self.load_restoration(self.prior, self.networks, **options)

    def iterate(self, y, physics):
        x = y
        for _ in range(self.n_iter):
            x = self.T(x, self.generator)
            yield x
