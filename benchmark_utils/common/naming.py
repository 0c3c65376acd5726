"""Short names for tables and plots: only what differs from the default is shown."""


class ShortName:
    """Mixin: "name[parameter=value,...]" with the parameters that are not the default.

    ``always_shown`` lists parameters that are shown whatever their value.
    """

    always_shown = ()

    def is_default(self, parameter, value):
        """Whether a value goes without saying."""
        return value == self.parameters[parameter][0]

    def __repr__(self):
        shown = [
            f"{name}={value}"
            for name, value in sorted(self._parameters.items())
            if name in self.always_shown or not self.is_default(name, value)
        ]
        return f"{self.name}[{','.join(shown)}]" if shown else self.name
