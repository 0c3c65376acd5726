"""What is known to be wrong, with the right values: who mends one takes its mark away.

All are in code that most published results depend on, and concern none of them: their
settings are others. They wait for the day when these results are made again.
"""

import deepinv as dinv
import pytest
import torch
from walk import SOLVERS, answer, prepared

from benchmark_utils.common import NotApplicable
from benchmark_utils.physics import Tomography, filtered_back_projection, noise_level
from benchmark_utils.physics.own_operator import checked
from benchmark_utils.physics.problems import OwnProblem, make_physics
from benchmark_utils.physics.rays import Geometry

SHAPE = (3, 32, 32)


def defect(reason, raises=AssertionError):
    return pytest.mark.xfail(reason=reason, raises=raises, strict=True)


def generator():
    return torch.Generator().manual_seed(0)


@defect("the key of trained weights has x, y and the code, and not the physics")
def test_weights_that_were_trained_for_another_model_are_not_found(
    get_data, get_objective
):
    keys = set()
    for told in (1.0, 1.5):
        options = {"problem": "gaussian_deblurring", "img_size": 32, "told_blur": told}
        data = get_data("simulated", **options)
        solver = prepared(SOLVERS["U-Net"], data, get_objective)
        keys.add(solver.weights_key(list(solver.train)))
    assert len(keys) == 2


@defect("holes count as pixels that were measured without noise")
def test_the_level_of_poisson_noise_does_not_depend_on_the_holes():
    x = 0.2 + 0.6 * torch.rand(1, *SHAPE, generator=generator())
    levels = []
    for missing in (0.1, 0.8):
        options = {"missing": missing, "noise": "poisson", "gain": 0.01}
        physics = make_physics("inpainting", SHAPE, generator(), **options)
        levels.append(noise_level(physics, physics.A(x)))
    assert levels[1] == pytest.approx(levels[0], rel=0.1)


@pytest.mark.parametrize("angular_range", [225.0, 270.0])
@defect("all rays weigh the same, those that are measured twice and once")
def test_filtered_back_projection_weighs_rays_that_are_measured_twice(angular_range):
    rows, columns = torch.meshgrid(*2 * [torch.linspace(-1, 1, 48)], indexing="ij")
    x = ((rows - 0.2) ** 2 / 0.3 + columns**2 / 0.1 < 1).float()[None, None]
    errors = []
    for degrees in (180.0, angular_range):
        physics = Tomography(Geometry(48, 48, round(degrees), degrees))
        found = filtered_back_projection(physics, physics.A(x))
        errors.append(float((found - x).square().mean()))
    assert errors[1] < 1.2 * errors[0]


@defect("a mask of colours is not one of holes", raises=RuntimeError)
def test_fire_may_undo_an_operator_whose_mask_has_colours(get_data, get_objective):
    data = get_data("simulated", problem="inpainting", img_size=32)
    for batch in data["test"]:
        batch.physics.mask = batch.physics.mask.expand(-1, 3, -1, -1).clone()
    options = {"priors": "inpaint", "degradation": "measurement"}
    (x_hat,) = answer(SOLVERS["FiRe-HQS"], data, get_objective, **options)
    assert x_hat.isfinite().all()


@defect("each batch of eight takes the first ones again")
def test_as_many_masks_are_drawn_as_are_asked_for(get_data):
    options = {"problem": "inpainting", "img_size": 16, "masks": 20, "n_images": 24}
    batches = get_data("simulated", **options)["test"]
    masks = torch.cat([batch.physics.mask for batch in batches])
    assert len(masks.flatten(1).unique(dim=0)) == 20


@defect("another kind of noise takes its place, of the level of denoising")
def test_a_gain_that_is_given_to_an_operator_of_ones_own_is_of_its_noise():
    def make(shape, generator):
        return dinv.physics.Denoising(dinv.physics.PoissonNoise(gain=0.1))

    physics = OwnProblem(make=make, gain=0.05).physics(SHAPE, generator())
    assert isinstance(physics.noise_model, dinv.physics.PoissonNoise)
    assert float(physics.noise_model.gain) == pytest.approx(0.05)


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(
            dinv.physics.PoissonNoise(gain=0.1, normalize=False),
            marks=defect("it is taken for normalised", raises=pytest.fail.Exception),
        ),
        pytest.param(
            dinv.physics.GaussianNoise(torch.tensor([0.1, 0.2])),
            marks=defect("its shapes do not agree", raises=RuntimeError),
        ),
    ],
    ids=["counts", "several levels"],
)
def test_noise_that_no_data_term_is_for_is_refused(model):
    with pytest.raises(NotApplicable):
        checked(dinv.physics.Denoising(model), SHAPE, "mine")
