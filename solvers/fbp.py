from benchmark_utils.common import one_of
from benchmark_utils.physics import check_tomography, filtered_back_projection
from benchmark_utils.solving import IterativeSolver


class Solver(IterativeSolver):
    """Filtered back-projection: what scanners do, without a prior.

    Kak and Slaney (1988).

    window : what the ramp filter is multiplied by: "ramp" leaves it as it is, and
        "hann" takes away high frequencies, and their noise.
    """

    name = "Filtered back-projection"
    parameters = {"window": one_of("ramp", "hann")("hann")}
    test_config = {"dataset": {"name": "chest"}}

    def check(self):
        check_tomography(self.name, self.test)

    def iterate(self, y, physics):
        yield filtered_back_projection(physics, y, self.window)
