from benchmark_utils.common import COUNT, POSITIVE
from benchmark_utils.dictionaries import learn_adam
from benchmark_utils.solving import DictionarySolver


class Solver(DictionarySolver):
    """A dictionary learned from clean signals, then used on the measurements.

    min_D min_Z 1/2 ||x - D Z||^2 + lam ||Z||_1, ||d_k|| = 1, over the training signals
    x, by the mini-batch algorithm of ``Dictionary learning``.
    """

    name = "Dictionary supervised"
    parameters = {
        "lam": POSITIVE(0.1),
        "n_steps": COUNT(300),
        "n_atoms": COUNT.or_none()(None),
    }

    def learn(self, train):
        data = [(None, batch.x) for batch in train]
        *_, self.learned = learn_adam(
            data,
            self.first_dictionary(),
            self.lam,
            self.generator,
            n_steps=self.n_steps,
        )

    def dictionaries(self, data):
        yield self.learned
