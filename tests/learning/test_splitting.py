"""Losses where a part of the measurements predicts the rest."""

import deepinv as dinv
import pytest
import torch
from operators import make_physics

from benchmark_utils.data.batches import Batch, measure
from benchmark_utils.learning.samples import draw_turns, turned_back, turned_by
from benchmark_utils.learning.splitting import (
    N_PARTS,
    SHARE_GIVEN,
    back_projections,
    equivariant_splitting_loss,
    noise2inverse_loss,
    split,
)
from benchmark_utils.physics.back_projection import filtered_back_projection
from benchmark_utils.physics.mri import MRI_PROBLEMS
from benchmark_utils.physics.problems import PROBLEMS
from benchmark_utils.physics.rays import Geometry
from benchmark_utils.physics.tomography import Tomography
from benchmark_utils.priors.reconstruction import ArtifactRemoval


@pytest.fixture(scope="module")
def sinogram():
    """A random sinogram of 16 angles, and its operator."""
    physics = Tomography(Geometry(16, 16, 16, 180.0, None))
    physics.noise_model = dinv.physics.GaussianNoise(0.1)
    generator = torch.Generator().manual_seed(0)
    n_bins = physics.geometry.n_bins
    return torch.rand(2, 1, n_bins, 16, generator=generator), physics


def test_the_first_part_is_the_image_of_a_scan_of_a_quarter_of_the_angles(sinogram):
    y, physics = sinogram
    fewer = Tomography(Geometry(16, 16, 16 // N_PARTS, 180.0, None))
    lines = y[..., ::N_PARTS] * physics.norm / fewer.norm
    expected = filtered_back_projection(fewer, lines, "ramp")
    torch.testing.assert_close(back_projections(y, physics, 0)[1], expected)


@pytest.mark.parametrize("part", range(N_PARTS))
def test_what_is_given_holds_nothing_of_the_part_to_predict(part, sinogram):
    y, physics = sinogram
    other = y.clone()
    other[..., part::N_PARTS] = 0
    given, target = back_projections(y, physics, part)
    same, nothing = back_projections(other, physics, part)
    assert torch.equal(given, same) and not nothing.any()
    whole = filtered_back_projection(physics, y, "ramp")
    mean = ((N_PARTS - 1) * given + target) / N_PARTS
    torch.testing.assert_close(mean, whole)


def test_noise2inverse_compares_the_part_with_what_is_made_of_the_others(sinogram):
    y, physics = sinogram
    told = []

    def network(given, level):
        told.append(level)
        return 0.5 * given

    found = set()
    for seed in range(20):
        torch.manual_seed(seed)
        loss = noise2inverse_loss(ArtifactRemoval(network), Batch(y, physics))
        found.add(round(float(loss), 4))
    pairs = (back_projections(y, physics, part) for part in range(N_PARTS))
    expected = (float((0.5 * given - rest).square().mean()) for given, rest in pairs)
    assert found == {round(loss, 4) for loss in expected} and len(found) == N_PARTS
    assert told == pytest.approx([0.1] * 20)


@pytest.mark.parametrize("masks", ["shared", "per_image"])
@pytest.mark.parametrize("problem", list(MRI_PROBLEMS))
def test_the_centre_of_k_space_is_given_and_a_tenth_of_the_rest_predicted(
    problem, masks
):
    """Yaman et al. (2020): without the lowest frequencies, an image is lost."""
    generator = torch.Generator().manual_seed(0)
    options = {"problems": MRI_PROBLEMS, "masks": masks}
    physics = make_physics(problem, (2, 64, 64), generator, 3, **options)
    y = physics.A(torch.randn(3, 2, 64, 64, generator=generator))
    (given, _), (rest, _) = split(y, physics, generator)
    torch.testing.assert_close(given + rest, y)
    assert not (given * rest).any()
    centre = slice(28, 36)
    assert not rest[..., centre, centre].any()
    n_rest, n_measured = ((z != 0).flatten(1).sum(1) for z in (rest, y))
    assert (n_rest / n_measured).tolist() == pytest.approx([0.1] * 3, abs=0.01)
    assert not torch.equal(rest[0] != 0, rest[1] != 0)


@pytest.mark.parametrize("problem", list(MRI_PROBLEMS))
def test_what_is_given_and_the_rest_are_each_measured_by_their_operator(problem):
    generator = torch.Generator().manual_seed(0)
    physics = make_physics(problem, (2, 64, 64), generator, problems=MRI_PROBLEMS)
    x = torch.randn(2, 2, 64, 64, generator=generator)
    for y, part in split(physics.A(x), physics, generator):
        torch.testing.assert_close(part.A(x), y)


@pytest.mark.parametrize("problem", ["inpainting", *MRI_PROBLEMS])
def test_splits_are_drawn_from_the_generator_or_from_that_of_torch(problem):
    generator = torch.Generator().manual_seed(0)
    problems = PROBLEMS | MRI_PROBLEMS
    physics = make_physics(problem, (2, 32, 32), generator, problems=problems)
    y = physics.A(torch.randn(1, 2, 32, 32, generator=generator))

    def draws(generator, manual_seed):
        manual_seed(1)
        return [split(y, physics, generator)[0][0] for _ in range(2)]

    for known in (None, generator):
        seeds = torch.manual_seed if known is None else known.manual_seed
        first, second = draws(known, seeds)
        assert not torch.equal(first, second)
        assert torch.equal(first, draws(known, seeds)[0])


@pytest.mark.parametrize("problem", ["motion_deblurring", "sr4"])
def test_a_network_at_a_turn_is_that_of_the_turned_operator(problem):
    generator = torch.Generator().manual_seed(0)
    physics = make_physics(problem, (3, 32, 32), generator)
    network = ArtifactRemoval(lambda x, sigma: x + x.cumsum(-1).sin())
    turns = draw_turns(3, generator)
    y = physics(torch.rand(3, 3, 32, 32, generator=generator))
    virtual = dinv.physics.LinearPhysics(
        A=lambda x, **_: physics.A(turned_by(x, turns)),
        A_adjoint=lambda y, **_: turned_back(physics.A_adjoint(y), turns),
        noise_model=physics.noise_model,
    )
    expected = turned_by(network(y, virtual), turns)
    found = network(y, physics, turns)
    torch.testing.assert_close(found, expected, rtol=0, atol=5e-3)
    assert not torch.allclose(found, network(y, physics), atol=0.1)


def test_equivariant_splitting_is_the_error_of_the_network_and_the_noise():
    """Of both parts; SURE takes the noise away where the network does not follow it."""
    generator = torch.Generator().manual_seed(0)
    physics = make_physics("denoising", (1, 64, 64), generator, noise_level=0.2)
    x = torch.rand(4, 1, 64, 64, generator=generator)
    batch = measure(x, physics, generator)

    def loss(shift):
        torch.manual_seed(0)
        network = ArtifactRemoval(lambda *_: None)
        network.forward = lambda y, physics, turns: x + shift
        return float(equivariant_splitting_loss(network, batch))

    masked = 0.04 * (1 / SHARE_GIVEN - 1)
    assert loss(0) == pytest.approx(0.04 - masked, rel=0.05)
    assert loss(0.3) - loss(0) == pytest.approx(2 * 0.09, rel=0.1)
