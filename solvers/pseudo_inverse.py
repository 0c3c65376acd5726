from benchmark_utils.physics import data_term, norm_scale
from benchmark_utils.solving import IterativeSolver, Range


class Solver(IterativeSolver):
    """x = A^T (A A^T + weight)^{-1} y: Tikhonov's regularised pseudo-inverse.

    A^+ amplifies the noise without bound where A dampens a frequency; ``weight`` limits
    it to 1 / (2 sqrt(weight)). ``reg=0`` is A^+ itself.

    weight = reg (noise / 0.01)^{1.4}: of motion blur, the best one at noise 0.05 is 7
    to 12 times that at 0.01 (the power would be 2 for a white signal).
    """

    name = "Pseudo-inverse"
    parameters = {"reg": ["tuned"]}
    search_space = {"reg": Range(1e-5, 1.0, default=1e-3, may_be_zero=True)}

    def iterate(self, y, physics):
        f = data_term(physics, y)
        yield f.pseudo_inverse(self.reg * norm_scale(f.noise_level))
