from benchmark_utils.common import COUNT, POSITIVE, one_of
from benchmark_utils.dictionaries import learn_adam, learn_line_search, learn_unrolled
from benchmark_utils.solving import DictionarySolver

ALGORITHMS = {
    "adam": learn_adam,
    "line_search": learn_line_search,
    "unrolled": learn_unrolled,
}


class Solver(DictionarySolver):
    """A dictionary learned from the measurements of all the operators alone.

    Malezieux, Michel, Moreau and Kowalski (2024), "Where prior learning can and can't
    work in unsupervised inverse problems":

        min_D sum_g min_Z 1/2 ||y_g - A_g D Z||^2 + lam ||Z||_1,  ||d_k|| = 1

    from random atoms.

    algorithm : "adam" (mini-batches), "line_search" (the authors', on all signals) or
        "unrolled" (the gradient goes through FISTA; Malezieux, Moreau and Kowalski,
        2022).
    n_steps : steps of learning; None for the algorithm's default.
    """

    name = "Dictionary learning"
    parameters = {
        "algorithm": one_of(*ALGORITHMS)("adam"),
        "lam": POSITIVE(0.1),
        "n_steps": COUNT.or_none()(None),
        "n_atoms": COUNT.or_none()(None),
    }
    requires_grad = True

    def dictionaries(self, data):
        start = self.first_dictionary()
        options = {} if self.n_steps is None else {"n_steps": self.n_steps}
        if self.algorithm != "line_search":
            options["generator"] = self.generator
        yield from ALGORITHMS[self.algorithm](data, start, self.lam, **options)
