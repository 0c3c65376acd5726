from benchmark_utils.physics import noise_level
from benchmark_utils.solving import IterativeSolver


class Solver(IterativeSolver):
    """One network for all problems, which is given the operator and the noise.

    Terris, Hurault, Song and Tachella (2025), "Reconstruct Anything Model": trained
    with pairs of many problems, of photographs, MRI and tomography, once. The weights
    are downloaded on first use. ``Fine-tuned`` is how they adapt it to other data.
    """

    name = "RAM"

    def check(self):
        self.check_published("ram")

    def setup(self):
        self.network = self.load_published("ram")

    def iterate(self, y, physics):
        model, told = physics.noise_model, {}
        if not (hasattr(model, "sigma") or hasattr(model, "gain")):
            # It reads the noise of Gauss and of Poisson alone.
            told = {"sigma": noise_level(physics, y)}
        self.network.n_images += len(y)
        yield self.network(y, physics, **told)
