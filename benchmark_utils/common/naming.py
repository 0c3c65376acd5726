"""Short names for tables and plots: only what differs from the default is shown."""

from pathlib import PurePath


def short_value(value):
    """A value as names show it: of a path, the last two parts without the suffix.

    Names have no slash. Two parts, for /data/set1/test and /data/set2/test differ. A
    suffix begins with a letter: noise_0.01 and noise_0.05 differ too.
    """
    if not isinstance(value, str) or not {"/", "\\"}.intersection(value):
        return value
    path = PurePath(value.replace("\\", "/"))
    suffix = path.suffix if path.suffix[1:2].isalpha() else ""
    function = suffix.partition(":")[2]
    stem = PurePath(path.as_posix().removesuffix(suffix))
    parts = [p for p in stem.parts[-2:] if p not in ("/", "..", "~")]
    # Of ./ or ../ there is no other name.
    shown = "-".join(parts) or path.as_posix().replace("/", "-")
    return shown + (f":{function}" if function else "")


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
            f"{name}={short_value(value)}"
            for name, value in sorted(self._parameters.items())
            if name in self.always_shown or not self.is_default(name, value)
        ]
        return f"{self.name}[{','.join(shown)}]" if shown else self.name
