from benchmark_utils.physics import data_term, denoiser_scale
from benchmark_utils.solving import IterativeSolver, Range


class Solver(IterativeSolver):
    """x = A^T (A A^T + weight)^{-1} y: Tikhonov's regularised pseudo-inverse.

    A^+ amplifies the noise without bound where A dampens a frequency; ``weight`` limits
    it to 1 / (2 sqrt(weight)). ``reg=0`` is A^+ itself.

    weight = reg (noise / 0.01)^{1.2}: of motion blur, the best one at noise 0.05 is 6
    to 12 times that at 0.01 (a power of 1.1 to 1.5; 2 for a white signal).

    reg : the weight, for measurements with noise 0.01.
    """

    name = "Pseudo-inverse"
    parameters = {"reg": ["tuned"]}
    search_space = {"reg": Range(1e-5, 1.0, default=1e-3, may_be_zero=True)}

    def iterate(self, y, physics):
        f = data_term(physics, y)
        yield f.pseudo_inverse(self.reg * denoiser_scale(f.noise_level) ** 2)
