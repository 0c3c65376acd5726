"""The X-ray transform, its data term and filtered back-projection."""

import copy
import math
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from operators import make_physics as make_any_physics
from skimage.transform import radon

from benchmark_utils.common import NotApplicable
from benchmark_utils.physics import (
    REFERENCE_NOISE,
    data_term,
    filtered_back_projection,
    norm_scale,
    tomography,
)
from benchmark_utils.physics.back_projection import shares
from benchmark_utils.physics.ct import CT_PROBLEMS
from benchmark_utils.physics.least_squares import DataTerm
from benchmark_utils.physics.noise import draw_measurements, noise_level, variance
from benchmark_utils.physics.rays import Geometry
from benchmark_utils.physics.tomography import Matrices, Tomography
from benchmark_utils.physics.tomography_data_term import TomographyDataTerm
from benchmark_utils.priors.tv import total_variation

GEOMETRIES = {
    "parallel": {"angular_range": 180.0},
    "limited": {"angular_range": 120.0},
    "fan": {"angular_range": 360.0, "source": 2.0},
}


def geometry(kind, size=48, n_angles=30):
    return Geometry(size, size, n_angles, **GEOMETRIES[kind])


def random(*shape, seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(shape, generator=generator, dtype=dtype)


make_physics = partial(make_any_physics, problems=CT_PROBLEMS)


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory):
    """The folder where matrices are kept while this module is tested."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCHMARK_CACHE", str(folder))
        yield folder


# The matrix


class Ellipse:
    """One ellipse, in pixels from the centre of the image, y upwards."""

    def __init__(self, x, y, a, b, tilt):
        self.x, self.y, self.a, self.b, self.tilt = x, y, a, b, tilt

    def image(self, size, finer=8):
        """Its share of each pixel: (size, size)."""
        n = size * finer
        side = (np.arange(n) + 0.5) / finer - size / 2
        x, y = side - self.x, -side[:, None] - self.y
        along = x * np.cos(self.tilt) + y * np.sin(self.tilt)
        across = y * np.cos(self.tilt) - x * np.sin(self.tilt)
        inside = (along / self.a) ** 2 + (across / self.b) ** 2 <= 1
        return inside.reshape(size, finer, size, finer).mean((1, 3))

    def line_integrals(self, t, theta):
        """Along x cos(theta) + y sin(theta) = t (Kak and Slaney, 1988, 3.1)."""
        square = (self.a * np.cos(theta - self.tilt)) ** 2 + (
            self.b * np.sin(theta - self.tilt)
        ) ** 2
        t = t - self.x * np.cos(theta) - self.y * np.sin(theta)
        chord = np.sqrt(np.maximum(square - t**2, 0))
        return 2 * self.a * self.b * chord / square


OFF_CENTRE = Ellipse(16, -12, 26, 18, 0.6)
# Its rays are far from parallel.
NEAR = Geometry(96, 96, 240, 360.0, 0.7)
# The centre of rotation is not seen in the middle of the detector.
OFF_MIDDLE = {
    "parallel, moved": Geometry(96, 96, 240, 180.0, centre=-3.3),
    "fan, moved": Geometry(96, 96, 240, 360.0, 0.7, centre=5.2),
}
FULL_SCANS = {"near": NEAR, **OFF_MIDDLE}


@pytest.mark.parametrize("kind", [*GEOMETRIES, *FULL_SCANS])
def test_the_sinogram_of_an_ellipse_is_the_analytic_one(kind):
    rays, ellipse = FULL_SCANS.get(kind) or geometry(kind, 96), OFF_CENTRE
    physics = Tomography(rays)
    middle = (rays.n_bins - 1) / 2 + rays.centre
    offsets = (np.arange(rays.n_bins) - middle)[:, None]
    t, theta = offsets, rays.angles
    if rays.source is not None:
        distance = rays.source * rays.diagonal
        fan = np.arctan(offsets / distance)
        t, theta = distance * np.sin(fan), theta - fan
    expected = ellipse.line_integrals(t, theta)
    x = torch.from_numpy(ellipse.image(96)).float()[None, None]
    found = (physics.A(x) * physics.norm)[0, 0].numpy()
    assert np.linalg.norm(found - expected) < 0.02 * np.linalg.norm(expected)
    assert found.sum() == pytest.approx(expected.sum(), rel=2e-3)


def test_the_sinogram_is_that_of_scikit_image():
    # Its centre of rotation is that of a pixel and of a bin: 61 and 87 are odd.
    rays, x = geometry("parallel", 61), Ellipse(4, -5, 20, 12, 0.6).image(61)
    physics = Tomography(rays)
    found = physics.A(torch.from_numpy(x).float()[None, None])[0, 0] * physics.norm
    expected = radon(x, np.degrees(rays.angles), circle=False)
    assert found.shape == expected.shape == (87, 30)
    error = np.linalg.norm(found.numpy() - expected)
    assert error < 0.02 * np.linalg.norm(expected)


@given(
    st.sampled_from(list(GEOMETRIES)),
    st.integers(8, 20),
    st.integers(8, 20),
    st.integers(1, 9),
    st.sampled_from([1, 3]),
    st.sampled_from([0.0, 2.5, -9.0]),
)
def test_the_adjoint_is_exact_for_images_of_any_shape(
    kind, height, width, n, channels, centre
):
    rays = Geometry(height, width, n, **GEOMETRIES[kind], centre=centre)
    physics = Tomography(rays)
    x = random(2, channels, height, width, dtype=torch.float64)
    y = physics.A(x)
    v = random(*y.shape, seed=1, dtype=torch.float64)
    assert y.shape == (2, channels, physics.geometry.n_bins, n)
    inner = float((x * physics.A_adjoint(v)).sum())
    assert float((y * v).sum()) == pytest.approx(inner, rel=1e-12)
    single = physics.A_adjoint(v.float())
    torch.testing.assert_close(single.double(), physics.A_adjoint(v), rtol=1e-4, atol=0)


@pytest.mark.parametrize("kind", GEOMETRIES)
def test_the_norm_is_one_and_the_filter_is_a_bound(kind):
    physics = Tomography(geometry(kind, 24, 12))
    basis = torch.eye(24 * 24).view(-1, 1, 24, 24)
    A = physics.A(basis).flatten(1).double()
    gram = A @ A.T
    assert torch.linalg.matrix_norm(gram, 2) == pytest.approx(1, rel=1e-3)
    assert data_term(physics, physics.A(basis[:1])).lipschitz == 1
    transfer = physics.matrices.bound * physics.matrices.transfer
    bound = torch.fft.irfft2(transfer * torch.fft.rfft2(basis), s=(24, 24))
    assert torch.linalg.eigvalsh(bound.flatten(1).double() - gram).min() > -1e-5


def test_gradients_go_through_the_operator():
    physics = Tomography(geometry("parallel", 16, 5))
    x = random(2, 1, 16, 16, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(physics.A, x)
    y = physics.A(x.detach()).requires_grad_()
    assert torch.autograd.gradcheck(physics.A_adjoint, y)


def test_copies_share_the_matrix_which_is_made_once_for_a_geometry():
    one, two = (Tomography(geometry("fan", 16, 5)) for _ in range(2))
    assert one.matrices is two.matrices is copy.deepcopy(one).matrices


def test_the_matrix_is_kept_in_the_cache_folder_and_a_damaged_file_is_replaced(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("BENCHMARK_CACHE", str(tmp_path))
    rays, x = geometry("parallel", 20, 7), random(1, 1, 20, 20)
    expected = Tomography(rays).A(x)
    (path,) = (tmp_path / "tomography").glob("*.npz")
    with monkeypatch.context() as patch:
        patch.setattr(Geometry, "transposed_matrix", None)
        assert torch.equal(Tomography(rays).A(x), expected)
    path.write_bytes(path.read_bytes()[:1000])
    assert torch.equal(Tomography(rays).A(x), expected)
    assert Matrices.of(geometry("parallel", 20, 8)) is not None
    assert len(list((tmp_path / "tomography").glob("*.npz"))) == 2


def test_a_matrix_that_is_there_is_read_without_a_lock(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("BENCHMARK_CACHE", str(tmp_path))
    rays, x = geometry("parallel", 20, 11), random(1, 1, 20, 20)
    expected = Tomography(rays).A(x)
    monkeypatch.setattr(Matrices, "_alive", {})
    monkeypatch.setattr(tomography, "locked", None)
    assert torch.equal(Tomography(rays).A(x), expected)
    assert not capsys.readouterr().out


def test_where_the_matrix_cannot_be_kept_it_is_made_and_said(
    tmp_path, monkeypatch, capsys
):
    rays, x = geometry("parallel", 20, 9), random(1, 1, 20, 20)
    expected = Tomography(rays).A(x)
    (tmp_path / "file").touch()
    monkeypatch.setenv("BENCHMARK_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr(Matrices, "_alive", {})
    assert torch.equal(Tomography(rays).A(x), expected)
    assert "cannot be kept in" in capsys.readouterr().out


# Problems


def test_the_problems_are_those_of_their_names():
    found = {
        name: make_physics(name, (1, 16, 16), torch.Generator()).geometry
        for name in CT_PROBLEMS
    }
    assert found == {
        "ct": Geometry(16, 16, 180),
        "ct_sparse": Geometry(16, 16, 60),
        "ct_limited": Geometry(16, 16, 120, 120.0),
        "ct_fan": Geometry(16, 16, 180, 360.0, 2.0),
    }


def test_noise_is_relative_to_the_range_of_the_sinogram():
    physics = make_physics("ct_sparse", (1, 64, 64), torch.Generator(), noise_level=0.1)
    disc = torch.from_numpy(Ellipse(0, 0, 32, 32, 0).image(64)).float()[None, None]
    largest = float(physics.A(disc).max())
    assert physics.sinogram_range == pytest.approx(largest, rel=0.02)
    y = draw_measurements(physics, 0 * disc, torch.Generator().manual_seed(0))
    assert float(y.std()) == pytest.approx(0.1 * largest, rel=0.03)


@pytest.fixture(scope="module")
def low_dose():
    """A disc, its physics and 300 noisy sinograms of it."""
    physics = make_physics(
        "ct", (1, 32, 32), None, noise="low_dose", photons=1e4, n_angles=8
    )
    disc = torch.from_numpy(0.3 * Ellipse(0, 0, 12, 12, 0).image(32)).float()
    x = disc.expand(300, 1, 32, 32)
    return x, physics, draw_measurements(physics, x, torch.Generator().manual_seed(0))


def test_low_doses_count_photons(low_dose):
    x, physics, y = low_dose
    # 24 of 32 pixels of 40 cm, 0.3 of 0.5 per cm: few photons of 10,000 go through.
    integral = physics.A(x[:1]) * physics.attenuation_scale
    assert float(integral.max()) == pytest.approx(0.3 * 0.5 * 40 * 24 / 32, rel=0.03)
    counts = 1e4 * torch.exp(-physics.attenuation_scale * y)
    torch.testing.assert_close(counts, counts.round(), rtol=1e-3, atol=0)
    expected = 1e4 * torch.exp(-integral)
    torch.testing.assert_close(
        counts.mean(0, keepdim=True), expected, rtol=0.05, atol=0
    )


def test_the_weights_of_low_doses_are_the_counts(low_dose):
    _, physics, y = low_dose
    f = data_term(physics, y)
    assert isinstance(f, TomographyDataTerm)
    counts = torch.exp(-physics.attenuation_scale * y)
    ratio = f.root_weights.square() / counts
    torch.testing.assert_close(ratio, ratio[:1, :1, :1, :1].expand_as(ratio))
    many = y.std(0)
    torch.testing.assert_close(
        variance(physics, y).mean(0).sqrt(), many, rtol=0.35, atol=0
    )
    assert noise_level(physics, y) < float(many.median())


def test_measurements_that_do_not_reach_the_detector_count_as_one_photon():
    physics = make_physics(
        "ct", (1, 16, 16), None, noise="low_dose", photons=2, n_angles=4
    )
    y = draw_measurements(physics, torch.ones(1, 1, 16, 16), torch.Generator())
    assert y.isfinite().all()
    assert float(y.max()) == pytest.approx(
        math.log(2) / physics.attenuation_scale, rel=1e-5
    )


@pytest.mark.parametrize(
    "strength, value, sentence",
    [
        ("photons", 0, "photons must be a number above 0, not 0."),
        ("n_angles", 0, "n_angles must be a whole number, 1 or more, not 0."),
        ("angular_range", 400, "degrees above 0, 360 at most, not 400."),
        ("noise", "poisson", "noise must be one of gaussian, low_dose, not 'poisson'."),
    ],
)
def test_a_strength_without_meaning_is_refused(strength, value, sentence):
    with pytest.raises(NotApplicable) as error:
        make_physics("ct", (1, 16, 16), torch.Generator(), **{strength: value})
    assert str(error.value).endswith(sentence)


def test_a_sinogram_of_other_angles_is_refused_and_so_is_an_image_of_another_size():
    physics = Tomography(Geometry(16, 16, 5))
    with pytest.raises(NotApplicable, match="23 bins and 6 angles, and this geometry"):
        physics.A_adjoint(torch.zeros(1, 1, 23, 6))
    with pytest.raises(NotApplicable, match="16x18 pixels, and this geometry is for"):
        physics.A(torch.zeros(1, 1, 16, 18))


# The data term


@pytest.fixture(params=["gaussian", "low_dose"])
def case(request):
    """f, the dense W^{1/2} A and W^{1/2} y in double precision, and z."""
    physics = make_physics(
        "ct_sparse", (1, 20, 20), None, noise=request.param, n_angles=12
    )
    x = 0.5 * random(1, 1, 20, 20)
    y = draw_measurements(physics, x, torch.Generator().manual_seed(1))
    f = data_term(physics, y)
    basis = torch.eye(400).view(-1, 1, 1, 20, 20)
    A = torch.cat([f.A(e).view(1, -1) for e in basis])
    return f, A.T.double(), f.y.flatten().double(), random(1, 1, 20, 20, seed=2)


def test_the_norm_of_weighted_measurements_is_computed_once(case, monkeypatch):
    f, A, _, _ = case
    norm = float(torch.linalg.matrix_norm(A, 2)) ** 2
    assert f.lipschitz == pytest.approx(norm, rel=0.01)
    monkeypatch.setattr(TomographyDataTerm, "_norm_by_power_method", None)
    assert data_term(f.physics, f.measured).lipschitz == f.lipschitz


@pytest.mark.parametrize("gamma", [0.3, 30.0, 3000.0])
def test_the_residual_of_a_prox_is_a_share_of_the_first_one(case, gamma):
    f, A, y, z = case
    first = gamma * f.grad(z)
    p = f.prox(z, gamma)
    assert (p - z + gamma * f.grad(p)).norm() <= 0.031 * first.norm()
    assert torch.equal(f.prox(z, 0), z)
    if gamma == 0.3:
        normal = gamma * A.T @ A + torch.eye(400)
        expected = torch.linalg.solve(normal, gamma * A.T @ y + z.flatten().double())
        way = (expected - z.flatten()).norm()
        assert (p.flatten() - expected).norm() < 0.1 * way


def test_the_pseudo_inverse_solves_the_equations_of_tikhonov(case):
    f, A, y, _ = case
    expected = torch.linalg.solve(A.T @ A + 0.02 * torch.eye(400), A.T @ y)
    error = (f.pseudo_inverse(0.02).flatten() - expected).norm()
    assert error < 2e-3 * expected.norm()


def test_the_parts_of_an_error_are_those_of_the_singular_vectors(case):
    f, A, _, z = case
    _, values, vectors = torch.linalg.svd(A, full_matrices=False)
    kept = vectors[values > 0.05 * values[0]]
    seen = (kept @ z.flatten().double()).square().sum()
    lost = z.double().square().sum() - seen
    for found, expected in zip(f.range_and_kernel_energy(z), (seen, lost)):
        assert 10 * abs(math.log10(float(found / expected))) < 0.2


def test_the_first_guess_does_not_depend_on_the_weights():
    x = 0.4 * torch.from_numpy(Ellipse(2, 1, 20, 14, 0.3).image(48)).float()[None, None]
    for noise in ("gaussian", "low_dose"):
        physics = make_physics("ct", (1, 48, 48), None, noise=noise)
        y = draw_measurements(physics, x, torch.Generator().manual_seed(0))
        guess = data_term(physics, y).initial_guess()
        assert float((guess - x).square().mean()) < 10**-2.5


# Filtered back-projection


@pytest.mark.parametrize("kind", ["parallel", "fan", "near"])
@pytest.mark.parametrize("window", ["ramp", "hann"])
def test_filtered_back_projection_inverts_a_full_scan(kind, window):
    physics = Tomography(FULL_SCANS.get(kind) or geometry(kind, 96, 240))
    inside, x, outline = (
        torch.from_numpy(Ellipse(24, -18, 15 + r, 11 + r, 0.6).image(96)).float()
        for r in (-4, 0, 4)
    )
    found = filtered_back_projection(physics, physics.A(x[None, None]), window)[0, 0]
    # Away from the edge, which is as sharp as the filter.
    assert float(found[inside == 1].mean()) == pytest.approx(1, abs=0.005)
    assert float((found[inside == 1] - 1).abs().max()) < 0.06
    assert float(found[outline == 0].abs().mean()) < 0.01


@pytest.mark.parametrize("source", [None, 2.0, 0.8])
@pytest.mark.parametrize("degrees", [225.0, 270.0, 340.0])
def test_filtered_back_projection_shares_what_is_measured_both_ways(degrees, source):
    """A fan sees all lines from 180 degrees and the angle of the fan on."""
    rows, columns = torch.meshgrid(*2 * [torch.linspace(-1, 1, 48)], indexing="ij")
    x = ((rows - 0.2) ** 2 / 0.3 + columns**2 / 0.1 < 1).float()[None, None]
    errors = []
    for angles in (360.0, degrees):
        physics = Tomography(Geometry(48, 48, round(angles), angles, source))
        found = filtered_back_projection(physics, physics.A(x))
        errors.append(float((found - x).square().mean()))
    assert errors[1] < 1.2 * errors[0]


@pytest.mark.parametrize("source", [None, 2.0])
@pytest.mark.parametrize("degrees", [60.0, 180.0, 200.0, 300.0, 360.0])
def test_the_shares_of_a_line_sum_to_one(degrees, source):
    weights = shares(Geometry(32, 32, round(2 * degrees), degrees, source))
    assert weights.min() >= 0 and weights.max() <= 1
    if source is None and degrees > 180:
        n = 2 * round(degrees - 180)
        np.testing.assert_allclose(weights[:, :n] + weights[::-1, -n:], 1)
        np.testing.assert_allclose(weights[:, n:-n], 1)
    elif degrees == 360:
        np.testing.assert_allclose(weights, 0.5)
    elif degrees == 60:
        np.testing.assert_allclose(weights, 1)


@pytest.mark.parametrize("n_angles", [1, 5, 20, 100])
@pytest.mark.parametrize("degrees", [190.0, 270.0, 359.0])
def test_few_angles_share_half_a_turn_too(n_angles, degrees):
    weights = shares(Geometry(32, 32, n_angles, degrees))
    np.testing.assert_allclose(weights.sum(1) * degrees / n_angles, 180, rtol=0.01)


# TV


@pytest.mark.parametrize("problem", ["ct_sparse", "ct_fan"])
@pytest.mark.parametrize("noise", ["gaussian", "low_dose"])
def test_tv_comes_to_the_minimiser_that_it_finds_by_the_prox(
    problem, noise, get_data, get_iterates, monkeypatch
):
    data = get_data("chest", problem=problem, img_size=32, noise=noise, n_angles=20)
    batch = data["test"][0].without_truth()
    f = data_term(batch.physics, batch.y)
    # Where TV's weight is 0.1 times the noise level.
    reg = 0.1 * f.noise_level / (REFERENCE_NOISE * norm_scale(f.noise_level))
    found = get_iterates("TV", batch, reg=reg)[-1]
    monkeypatch.setattr(TomographyDataTerm, "has_filters", False)
    monkeypatch.setattr(TomographyDataTerm, "prox", DataTerm.prox)
    (*_, minimiser) = get_iterates("TV", batch, reg=reg, n_iter=300, step=0.1)
    assert float((found - minimiser).square().mean()) < 1e-5
    costs = [
        float(f.value(x) + 0.1 * f.noise_level * total_variation(x))
        for x in (found, minimiser)
    ]
    assert costs[0] == pytest.approx(costs[1], rel=1e-3)
