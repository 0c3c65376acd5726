from benchmark_utils.common import POSITIVE, NotApplicable
from benchmark_utils.solving import DictionarySolver


class Solver(DictionarySolver):
    """Sparse coding with the true dictionary: the aim of those that learn one.

    min_z 1/2 ||y - A D z||^2 + lam ||z||_1, and x = D z.
    """

    name = "Dictionary oracle"
    parameters = {"lam": POSITIVE(0.1)}
    oracle = True

    def check(self):
        if self.true_dictionary is None:
            raise NotApplicable(
                f"{self.name} needs the true dictionary of the signals, which only "
                "synthetic_dictionary has."
            )

    def dictionaries(self, data):
        yield self.true_dictionary
