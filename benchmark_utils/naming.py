"""Short names for tables and plots: only what differs from the default is shown."""


class ShortName:
    """Mixin: "name[parameter=value,...]" with the parameters that are not the default.

    ``always_shown`` lists parameters that are shown whatever their value, and
    ``never_shown`` those that are not for people to see.
    """

    always_shown = ()
    never_shown = ()

    def __repr__(self):
        shown = [
            f"{parameter}={value}"
            for parameter, value in sorted(self._parameters.items())
            if parameter not in self.never_shown
            and (
                parameter in self.always_shown or value != self.parameters[parameter][0]
            )
        ]
        return f"{self.name}[{','.join(shown)}]" if shown else self.name
