"""Hyper-parameters are in units that follow the noise level.

Each solver was tuned on training photographs at two noise levels (config/tuned.yml),
and is tried on test photographs with the values of the other one.
"""

import pytest
import torch

from benchmark_utils.data.batches import Batch
from benchmark_utils.data.images import center_crop, load_images
from benchmark_utils.physics.noise import draw_measurements
from benchmark_utils.physics.problems import make_physics
from benchmark_utils.scoring.metrics import psnr
from benchmark_utils.solving.tuned import parse_key, read_tuned

# The same problem with noise 0.01 and 0.05.
LEVELS = {0.01: "motion_deblurring", 0.05: "motion_deblurring[noise_level=0.05]"}
LITERALS = {"True": True, "False": False}
SOLVERS = {
    "DRP",
    "FiRe-ADMM",
    "FiRe-HQS",
    "PnP-ADMM",
    "PnP-HQS",
    "PnP-PGD",
    "Pseudo-inverse",
    "Restoration-PnP",
    "SHARP",
    "SNORE",
    "TV",
    "Wavelets",
}


def tuned_at_both():
    """The keys of the solvers that were tuned at both noise levels."""
    low, high = (read_tuned()["natural"].get(p, {}) for p in LEVELS.values())
    both = low.keys() & high.keys()
    return sorted(
        key for key in both if low[key]["protocol"] == high[key]["protocol"] == 2
    )


def degraded(problem, noise_level, size=96):
    """The four test photographs of natural, their centres of ``size`` pixels."""
    photographs = load_images("natural").values()
    x = torch.stack([center_crop(image, size) for image in photographs])
    generator = torch.Generator().manual_seed(0)
    options = {"noise_level": noise_level}
    physics = make_physics(problem, tuple(x.shape[1:]), generator, len(x), **options)
    return Batch(x=x, y=draw_measurements(physics, x, generator), physics=physics)


@pytest.fixture
def curve(get_iterates):
    """curve(solver, batch, **parameters): mean PSNR of each iterate."""

    def curve(name, batch, **parameters):
        iterates = get_iterates(name, batch, **parameters)
        return [float(psnr(x, batch.x).mean()) for x in iterates]

    return curve


def test_all_the_families_of_solvers_were_tuned_at_both_noise_levels():
    assert {parse_key(key)[0] for key in tuned_at_both()} >= SOLVERS


@pytest.mark.parametrize("key", tuned_at_both())
@pytest.mark.parametrize("level", LEVELS)
def test_values_tuned_at_one_noise_level_are_good_at_another(key, level, curve):
    name, options = parse_key(key)
    options = dict(option.split("=", 1) for option in options)
    options = {n: LITERALS.get(value, value) for n, value in options.items()}
    tuned = {
        of: read_tuned()["natural"][problem][key]["parameters"]
        for of, problem in LEVELS.items()
    }
    [other] = LEVELS.keys() - {level}
    batch = degraded("motion_deblurring", level)
    own, borrowed = (
        curve(name, batch, **options, **tuned[of])[-1] for of in (level, other)
    )
    assert borrowed > own - 0.5


@pytest.mark.parametrize("problem", ["gaussian_deblurring", "motion_deblurring"])
def test_pgd_goes_on_as_well_as_it_begins(problem, curve):
    """With a relaxed denoiser. Not relaxed, it loses 6 dB or more by then."""
    values = {"sigma": 0.0264, "reg": 0.5, "step": 1.85, "n_iter": 200}
    psnrs = curve("PnP-PGD", degraded(problem, 0.01, size=48), **values)
    assert psnrs[-1] > psnrs[19] - 0.3
    assert psnrs[-1] > max(psnrs) - 0.3
