"""A forward problem: the operator, its noise, and what solvers are told of them."""

import copy
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, fields

from benchmark_utils.common.errors import NotApplicable
from benchmark_utils.common.parameters import LEVEL, POSITIVE, one_of
from benchmark_utils.common.precision import float32_by_default
from benchmark_utils.physics.noise import NOISES, scaled

ONE_IMAGE = range(1)

# The kinds of noise that have a level, and those that have a gain.
LEVEL_COUNTS = ("gaussian", "poisson_gaussian")
GAIN_COUNTS = ("poisson", "poisson_gaussian")


def strength(default, constraint, **needs):
    """A field of a problem: its default, and what any value of it must be.

    ``needs`` is {another strength: its values with which this one counts}.
    """
    return field(default=default, metadata={"constraint": constraint, "needs": needs})


def told_strength(default, constraint, **needs):
    """A strength that changes what solvers are told, and not what is measured.

    With its default, they are told what measures. ``needs`` as for ``strength``.
    """
    about = {"constraint": constraint, "needs": needs, "told": True}
    return field(default=default, metadata=about)


@dataclass(frozen=True)
class Problem(ABC):
    """A forward problem: y = noise(A x). Its fields are its strengths.

    Subclasses define ``operator``, and strengths of their own.

    noise_level : standard deviation of the Gaussian noise, for images in [0, 1].
    noise : "gaussian", "poisson" or "poisson_gaussian".
    gain : variance of Poisson's noise over the signal (1 / number of photons).
    told_noise : the noise that solvers are told has so many times the deviation.
    """

    noise_level: float = strength(0.01, LEVEL, noise=LEVEL_COUNTS)
    noise: str = strength("gaussian", one_of(*NOISES))
    gain: float = strength(0.01, POSITIVE, noise=GAIN_COUNTS)
    told_noise: float = told_strength(1.0, POSITIVE)

    def __post_init__(self):
        for entry in fields(self):
            entry.metadata["constraint"].check(entry.name, getattr(self, entry.name))
        for entry in fields(self):
            if getattr(self, entry.name) != entry.default:
                self._check_that_it_counts(entry)

    def _check_that_it_counts(self, entry):
        constraints = {f.name: f.metadata["constraint"] for f in fields(self)}
        for name, values in entry.metadata.get("needs", {}).items():
            if (value := getattr(self, name)) in values:
                continue
            others = [v for v in values if v and constraints[name].is_valid(v)]
            rather = f", or set {name}={' or '.join(others)}." if others else "."
            raise NotApplicable(
                f"{entry.name} means nothing with {name}={value}: leave it out{rather}"
            )

    @abstractmethod
    def operator(self, shape, generator, images):
        """The deepinv physics A for some images of ``shape`` (C, H, W).

        What is random in A is drawn from ``generator``. ``images`` is the range of
        their numbers, among those of their shape in the dataset.
        """

    @property
    def size_multiple(self):
        """The sides of the images are multiples of this."""
        return 1

    @float32_by_default()
    def physics(self, shape, generator, images=ONE_IMAGE):
        """The operator with its noise model."""
        physics = self.operator(shape, generator, images)
        physics.noise_model = self.noise_model(physics)
        return physics

    def noise_model(self, physics):
        """The deepinv noise model of the strengths."""
        return NOISES[self.noise](self.noise_level, self.gain)

    @float32_by_default()
    def told(self, physics, generator, y):
        """What solvers are told of the ``physics`` that measured y: itself, or a copy.

        What is random in the copy is drawn from ``generator``.
        """
        told = self.told_operator(physics, generator, y)
        if told is physics and self.told_noise == 1:
            return physics
        told = copy.deepcopy(told)
        told.noise_model = scaled(physics.noise_model, self.told_noise)
        return told

    def told_operator(self, physics, generator, y):
        """The operator that solvers are told; ``physics`` itself where it is right."""
        return physics

    def truth_by(self, told, physics, x):
        """What solvers are asked for where x cannot be seen by what they are told.

        None where x is asked for.
        """
        return None
