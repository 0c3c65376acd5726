from benchmark_utils.common import COUNT, one_of
from benchmark_utils.physics import data_term
from benchmark_utils.priors import FieldsOfExperts
from benchmark_utils.solving import LearnedSolver


class Solver(LearnedSolver):
    """A regulariser learned so that its minimisers are near the training images.

        min_theta E ||x*(theta) - x||^2,  x*(theta) = argmin_x f(x) + sigma R(x, theta)

    by implicit differentiation (Kunisch and Pock, 2013). ``prior="tv"`` learns the
    weight of a smoothed TV for the problem at hand; ``prior="experts"``, SIZE^2 - 1
    filters and their weights (fields of experts), which start as cosines.

    prior : "tv", the weight of a smoothed TV; "experts", filters and their weights.
    n_iter : iterations of the minimisation in x.
    """

    name = "Bilevel"
    any_channels = True
    parameters = {
        "prior": one_of("tv", "experts")("experts"),
        "n_iter": COUNT(100),
        **LearnedSolver.training(n_steps=30, lr=0.05),
    }
    test_config = {"n_steps": 2, "n_iter": 5}
    FILTERS_LR, SIZE = 5e-3, 5

    def build(self):
        options = {"n_iter": self.n_iter, "is_complex": self.domain.kind == "complex"}
        if self.prior == "tv":
            return FieldsOfExperts.tv(0.2, **options)
        return FieldsOfExperts.cosines(self.SIZE, 0.1, **options)

    def groups(self, network):
        groups = [{"params": [network.log_weights], "lr": self.lr}]
        if self.prior == "experts":
            groups.append({"params": [network.filters], "lr": self.FILTERS_LR})
        return groups

    def iterate(self, y, physics):
        yield from self.network.iterates(data_term(physics, y))
