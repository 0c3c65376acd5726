"""Which values the hyper-parameters of a solver have, and where they are from."""

from benchmark_utils.common.parameters import check_parameters
from benchmark_utils.solving.tuned import solver_key, tuned_parameters


class HyperParameters:
    """Mixin: what a solver does with its ``search_space``."""

    search_space = {}

    def is_tuned(self):
        """Whether some of its hyper-parameters are not given."""
        return any(self._parameters[name] == "tuned" for name in self.search_space)

    def set_hyper_parameters(self):
        """Check the numbers, and put the tuned ones in place of "tuned".

        ``self.values`` has them all. ``self.values_from`` says where those that are not
        given are from: "tuned", "default", or "borrowed from" what is nearest; "given"
        where all are.
        """
        check_parameters(self)
        tuned, self.values_from = {}, "given"
        if self.is_tuned():
            tuned, self.values_from = tuned_parameters(
                self.dataset,
                self.problem,
                solver_key(self),
                self.weights({batch.signal_shape[0] for batch in self.test}),
                self.defaults,
            )
        self.values, missing = {}, []
        for parameter, space in self.search_space.items():
            value = self._parameters[parameter]
            if value == "tuned":
                value = space.value(tuned.get(parameter), self._parameters)
                if value != tuned.get(parameter):
                    missing.append(parameter)
            elif space.shared_by is None:
                space.check(parameter, value)
            self.values[parameter] = value
            setattr(self, parameter, value)
        if missing and tuned:
            if self.values_from == "tuned":
                self.values_from = f"borrowed from {self.dataset} {self.problem}"
            self.values_from += f", default {' and '.join(missing)}"
