"""The problems of tomography: images of attenuations seen through rays."""

from dataclasses import dataclass, replace

from benchmark_utils.common.errors import NotApplicable
from benchmark_utils.common.parameters import (
    COUNT,
    LEVEL,
    NUMBER,
    POSITIVE,
    Constraint,
    one_of,
)
from benchmark_utils.physics.noise import NOISES, LowDoseNoise
from benchmark_utils.physics.problem import Problem, strength, told_strength
from benchmark_utils.physics.rays import Geometry
from benchmark_utils.physics.tomography import Tomography

ANGULAR_RANGE = Constraint(
    lambda v: POSITIVE.is_valid(v) and v <= 360, "degrees above 0, 360 at most"
)


@dataclass(frozen=True)
class CT(Problem):
    """Parallel-beam tomography; benchmark_utils/physics/tomography.py has conventions.

    noise : "gaussian", of deviation ``noise_level`` times the range of the sinogram (of
        a disc of ones as wide as the image); or "low_dose", the counts of ``photons``
        per ray.
    photons : per ray, of noise=low_dose.
    n_angles : number of angles, evenly over ``angular_range``.
    angular_range : in degrees.
    centre_error : the centre of rotation that solvers are told is so many bins of the
        detector away from the true one.
    """

    noise_level: float = strength(0.002, LEVEL, noise=("gaussian",))
    noise: str = strength("gaussian", one_of("gaussian", "low_dose"))
    photons: float = strength(1e5, POSITIVE, noise=("low_dose",))
    n_angles: int = strength(180, COUNT)
    angular_range: float = strength(180.0, ANGULAR_RANGE)
    centre_error: float = told_strength(0.0, NUMBER)

    source = None

    def operator(self, shape, generator, images):
        return Tomography(
            Geometry(*shape[-2:], self.n_angles, float(self.angular_range), self.source)
        )

    def told_operator(self, physics, generator, y):
        if self.centre_error == 0:
            return physics
        n_bins = physics.geometry.n_bins
        if abs(self.centre_error) >= n_bins / 2:
            raise NotApplicable(
                f"centre_error={self.centre_error} puts the centre of rotation outside "
                f"of the detector: it must be less than half of its {n_bins} bins."
            )
        return Tomography(replace(physics.geometry, centre=float(self.centre_error)))

    def noise_model(self, physics):
        if self.noise == "low_dose":
            return LowDoseNoise(self.photons, physics.attenuation_scale)
        return NOISES[self.noise](self.noise_level * physics.sinogram_range, self.gain)


@dataclass(frozen=True)
class SparseCT(CT):
    """Few angles."""

    n_angles: int = strength(60, COUNT)


@dataclass(frozen=True)
class LimitedCT(CT):
    """Rays of a third of the angles are missing."""

    n_angles: int = strength(120, COUNT)
    angular_range: float = strength(120.0, ANGULAR_RANGE)


@dataclass(frozen=True)
class FanCT(CT):
    """Fan-beam tomography: the source turns around, two diagonals from the centre."""

    angular_range: float = strength(360.0, ANGULAR_RANGE)

    source = 2.0


# Of images that hold attenuations.
CT_PROBLEMS = {
    "ct": CT,
    "ct_sparse": SparseCT,
    "ct_limited": LimitedCT,
    "ct_fan": FanCT,
}
