from benchmark_utils.dictionary_solver import DictionarySolver


class Solver(DictionarySolver):
    """Sparse coding with the true dictionary: the aim of those that learn one.

    min_z 1/2 ||y - A D z||^2 + lam ||z||_1, and x = D z.
    """

    name = "Dictionary oracle"
    parameters = {"lam": [0.1]}

    def learn(self, data):
        yield self.true_dictionary
