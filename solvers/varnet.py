from benchmark_utils.common import COUNT
from benchmark_utils.physics import check_mri
from benchmark_utils.priors import VarNet, untrained_denoiser
from benchmark_utils.solving import LearnedSolver


class Solver(LearnedSolver):
    """Gradient steps and U-Nets, ``n_iter`` of them, trained with pairs.

    Hammernik et al. (2018), "Learning a Variational Network for Reconstruction of
    Accelerated MRI Data"; Sriram et al. (2020), whose maps of the coils are learned as
    well: here, they are those of the operator.
    """

    name = "VarNet"
    parameters = {
        "n_iter": COUNT(6),
        **LearnedSolver.training(n_steps=150, lr=1e-3),
    }
    test_config = {"n_steps": 2, "n_iter": 2, "dataset": {"name": "brain"}}

    def check(self):
        check_mri(self.name, self.test)

    def build(self):
        return VarNet([untrained_denoiser(2) for _ in range(self.n_iter)])

    def iterate(self, y, physics):
        yield from self.network.iterates(y, physics)
