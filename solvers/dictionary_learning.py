from benchmark_utils.dictionaries import learn_adam, learn_line_search, learn_unrolled
from benchmark_utils.solving import DictionarySolver


class Solver(DictionarySolver):
    """A dictionary learned from the measurements of all the operators alone.

    Malezieux, Michel, Moreau and Kowalski (2024), "Where prior learning can and can't
    work in unsupervised inverse problems":

        min_D sum_g min_Z 1/2 ||y_g - A_g D Z||^2 + lam ||Z||_1,  ||d_k|| = 1

    from random atoms. ``algorithm``: "adam" (mini-batches), "line_search" (the
    authors', on all signals) or "unrolled" (the gradient goes through FISTA;
    Malezieux, Moreau and Kowalski, 2022). ``n_steps`` None is the algorithm's default.
    ``n_atoms`` None is as many as the true dictionary has, or as a signal has values.
    """

    name = "Dictionary learning"
    parameters = {
        "algorithm": ["adam"],
        "lam": [0.1],
        "n_steps": [None],
        "n_atoms": [None],
    }
    requires_grad = True

    def setup(self):
        algorithms = {
            "adam": learn_adam,
            "line_search": learn_line_search,
            "unrolled": learn_unrolled,
        }
        if self.algorithm not in algorithms:
            raise ValueError(
                f"Unknown algorithm {self.algorithm!r}. The algorithms are: "
                f"{', '.join(algorithms)}."
            )
        self.algorithm_function = algorithms[self.algorithm]

    def dictionaries(self, data):
        start = self.first_dictionary()
        options = {} if self.n_steps is None else {"n_steps": self.n_steps}
        if self.algorithm != "line_search":
            options["generator"] = self.generator
        yield from self.algorithm_function(data, start, self.lam, **options)
