"""A measurement without truth is restored by any solver of the benchmark."""

import re

import deepinv as dinv
import numpy as np
import pytest
import skimage.data
import torch
from operators import make_physics
from PIL import Image

from benchmark_utils.common.errors import NotApplicable
from benchmark_utils.data.batches import Batch
from benchmark_utils.physics import CT_PROBLEMS, MRI_PROBLEMS
from benchmark_utils.physics.noise import draw_measurements
from benchmark_utils.scoring.metrics import psnr
from benchmark_utils.solving.measurements import batch_of
from benchmark_utils.solving.nearest import defaults_of, nearest_problem
from benchmark_utils.solving.restore import restore, training_batches

SHAPE = (3, 64, 64)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def photograph():
    pixels = torch.from_numpy(skimage.data.astronaut()[60:124, 180:244].copy())
    return pixels.permute(2, 0, 1)[None] / 255


@pytest.fixture
def measured(photograph):
    """measured(problem, **strengths): y and the physics that measured it."""

    def measure(problem="motion_deblurring", **strengths):
        physics = make_physics(problem, SHAPE, generator(), **strengths)
        return draw_measurements(physics, photograph, generator(1)), physics

    return measure


@pytest.mark.parametrize("solver", ["TV[n_iter=40]", "PnP-HQS"])
@pytest.mark.parametrize("boundary", ["circular", "valid"])
def test_a_photograph_is_restored_by_a_kernel_that_is_not_exact(
    solver, boundary, measured, photograph
):
    y, physics = measured(boundary=boundary)
    blurred = psnr(restore(y, physics, "Initial guess"), photograph)
    told = physics.filter + 1e-5
    told = told / told.sum((-2, -1), keepdim=True)
    if boundary == "valid":
        inexact = dinv.physics.Blur(told, padding="valid")
    else:
        inexact = dinv.physics.BlurFFT(SHAPE, told)
    x_hat = restore(y, inexact, solver, noise_level=0.01)
    assert x_hat.shape == photograph.shape
    assert psnr(x_hat, photograph) > blurred


def test_the_result_is_that_of_the_solver_in_a_run(get_data, get_iterates):
    batch = get_data("simulated", problem="inpainting")["test"][0]
    expected = get_iterates("TV", batch, n_iter=9, reg=0.2)[-1]
    found = restore(batch.y, batch.physics, "TV[n_iter=9]", reg=0.2)
    torch.testing.assert_close(found, expected)


def test_the_noise_and_the_origin_of_the_values_are_said(measured, capsys):
    y, physics = measured(noise_level=0.05)
    restore(y, physics, "TV", n_iter=2)
    assert "noise level 0.05, of physics; reg=" in capsys.readouterr().out
    restore(y, physics, "TV", noise_level=0.02, n_iter=2, reg=0.1)
    said = capsys.readouterr().out
    assert "noise level 0.02, given; reg=0.1: given." in said
    restore(y, physics, "TV", n_iter=2, verbose=False)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("level", [0.03, 0.1])
def test_noise_that_is_not_known_is_estimated(level, measured, capsys):
    y, physics = measured("denoising", noise_level=level)
    physics.noise_model = dinv.physics.ZeroNoise()
    restore(y, physics, "Pseudo-inverse")
    said = capsys.readouterr().out
    assert "estimated" in said
    found = float(said.split("noise level ")[1].split(",")[0])
    assert found == pytest.approx(level, rel=0.2)


@pytest.mark.parametrize("problem", ["mri", "multicoil_mri", "inpainting"])
def test_noise_that_cannot_be_estimated_is_asked_for(problem, get_data):
    dataset = "simulated" if problem == "inpainting" else "brain"
    (batch,) = get_data(dataset, problem=problem, img_size=64, n_images=1)["test"]
    batch.physics.noise_model = dinv.physics.ZeroNoise()
    with pytest.raises(NotApplicable, match="cannot be estimated: give noise_level"):
        restore(batch.y, batch.physics, "Adjoint")


@pytest.mark.parametrize("problem", ["mri", "multicoil_mri"])
def test_complex_k_space_is_taken_as_it_is(problem, get_data):
    (batch,) = get_data("brain", problem=problem, img_size=64, n_images=2)["test"]
    y = torch.view_as_complex(batch.y.movedim(1, -1).contiguous())
    expected = restore(batch.y, batch.physics, "TV[n_iter=3]")
    torch.testing.assert_close(restore(y, batch.physics, "TV[n_iter=3]"), expected)


def k_space(**changes):
    y = torch.zeros(1, 2, 4, 16, 16)
    physics = {"mask": torch.ones(1, 1, 16, 16), "coil_maps": torch.ones(1, 4, 16, 16)}
    physics["coil_maps"] = (physics["coil_maps"] / 2).to(torch.complex64)
    return y, dinv.physics.MultiCoilMRI(**physics | changes)


@pytest.mark.parametrize(
    "changes, sentence",
    [
        (
            {"coil_maps": torch.ones(1, 8, 16, 16, dtype=torch.complex64)},
            "y has 4 coils, and physics has maps of 8.",
        ),
        (
            {"coil_maps": torch.ones(1, 4, 12, 16, dtype=torch.complex64)},
            "y has 16x16 values of k-space, and the coil maps of physics 12x16.",
        ),
        (
            {"mask": torch.ones(1, 1, 8, 16)},
            "y has 16x16 values of k-space, and the mask of physics 8x16.",
        ),
        ({"mask": torch.zeros(1, 1, 16, 16)}, "measures nothing: A of any image is 0"),
    ],
)
def test_k_space_that_does_not_fit_its_physics_is_said(changes, sentence):
    with pytest.raises(NotApplicable, match=re.escape(sentence)):
        restore(*k_space(**changes), "TV", noise_level=0.01)


def test_a_result_that_diverged_is_said(measured, solver_file):
    body = "def iterate(self, y, physics):\n    yield {} * y"
    for i, factor in enumerate(("float('nan')", "1e3")):
        path = solver_file(f"Diverging{i}", body.format(factor))
        with pytest.warns(RuntimeWarning, match=f"Diverging{i} diverged"):
            restore(*measured(), str(path))


def test_one_image_of_several_that_diverged_is_said(measured, solver_file):
    y, physics = measured()
    body = "def iterate(self, y, physics):\n    y[1] += 25\n    yield y"
    with pytest.warns(RuntimeWarning, match="Shifted diverged"):
        restore(y.repeat(8, 1, 1, 1), physics, str(solver_file("Shifted", body)))


def test_vectors_have_no_range(recwarn):
    D = torch.randn(8, 8, generator=generator())
    y = 1e3 * torch.randn(20, 8, generator=generator()) @ D
    restore(y, dinv.physics.Denoising(), "Dictionary learning[n_steps=2]", 0.01)
    assert not [w for w in recwarn if "diverged" in str(w.message)]


def test_an_operator_in_64_bits_is_taken_in_32(measured):
    y, physics = measured()
    expected = restore(y, physics, "TV[n_iter=5]")
    x_hat = restore(y.double(), physics.double(), "TV[n_iter=5]")
    torch.testing.assert_close(x_hat, expected)
    assert physics.filter.dtype == torch.float64


def test_the_image_has_the_size_of_the_operator():
    """65 pixels are no multiple of the factor of this downsampling."""
    shape = 3, 65, 65
    physics = dinv.physics.Downsampling(
        img_size=shape, factor=2, filter="gaussian", padding="circular"
    )
    y = physics(torch.rand(1, *shape, generator=generator()))
    x_hat = restore(y, physics, "TV[n_iter=5]", noise_level=0.01)
    assert x_hat.shape == (1, *shape)


def test_the_physics_is_left_as_it_is(measured):
    y, physics = measured()
    physics.noise_model = model = dinv.physics.ZeroNoise()
    before = physics.filter.clone()
    restore(y, physics, "TV", n_iter=2)
    assert physics.noise_model is model and torch.equal(physics.filter, before)


def test_numpy_and_64_bits_are_taken(measured):
    y, physics = measured()
    expected = restore(y, physics, "TV", n_iter=3)
    assert expected.dtype == torch.float32 and not expected.is_inference()
    for other in (y.numpy(), y.double(), y.numpy().astype(float)):
        assert torch.equal(restore(other, physics, "TV", n_iter=3), expected)


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_mask_may_be_without_channels_or_batch(ndim, photograph):
    mask = torch.rand(SHAPE[1:], generator=generator()).gt(0.5).float()
    y = mask * photograph
    restored = [
        restore(
            y,
            dinv.physics.Inpainting(SHAPE, mask[(None,) * (n - 2)]),
            "FiRe-HQS[priors=inpaint,degradation=measurement,n_iter=2]",
            noise_level=0.01,
        )
        for n in (ndim, 4)
    ]
    torch.testing.assert_close(*restored)


def test_vectors_of_measurements_are_restored():
    physics = dinv.physics.CompressedSensing(
        m=100, img_size=(1, 12, 12), rng=generator(), device="cpu"
    )
    x = torch.rand(2, 1, 12, 12, generator=generator())
    with pytest.raises(NotApplicable, match="give noise_level"):
        restore(physics.A(x), physics, "TV", n_iter=3)
    found = restore(physics.A(x), physics, "TV", noise_level=0.01, n_iter=3)
    assert found.shape == x.shape


@pytest.mark.parametrize(
    "problem, strengths, nearest",
    [
        ("denoising", {}, "denoising[noise_level=0.1]"),
        ("motion_deblurring", {}, "motion_deblurring[noise_level=0.01]"),
        ("sr4", {"factor": 2}, "sr4[noise_level=0.01,factor=2]"),
    ],
)
def test_values_are_those_of_the_problem_with_this_operator(
    problem, strengths, nearest, measured
):
    y, physics = measured(problem, **strengths)
    assert nearest_problem(Batch(y, physics)) == nearest


@pytest.mark.parametrize("width", [1.0, 3.0])
def test_a_kernel_like_a_gaussian_is_a_gaussian_blur_of_its_width(width, measured):
    y, physics = measured("gaussian_deblurring", blur_std=width)
    name, _, found = nearest_problem(Batch(y, physics)).rstrip("]").rpartition("=")
    assert name == "gaussian_deblurring[noise_level=0.01,blur_std"
    assert float(found) == pytest.approx(width, rel=0.03)


def test_the_share_of_missing_pixels_is_seen(measured):
    y, physics = measured("inpainting", missing=0.7)
    nearest = nearest_problem(Batch(y, physics))
    assert float(nearest.rstrip("]").rpartition("=")[2]) == pytest.approx(0.7, abs=0.05)


@pytest.mark.parametrize(
    "strengths, nearest",
    [
        ({"n_angles": 70}, "ct_sparse[noise_level=0.01,n_angles=70,angular_range=180]"),
        ({"n_angles": 170}, "ct[noise_level=0.01,n_angles=170,angular_range=180]"),
        (
            {"n_angles": 90, "angular_range": 100.0},
            "ct_limited[noise_level=0.01,n_angles=90,angular_range=100]",
        ),
    ],
)
def test_a_sinogram_borrows_from_the_scan_of_the_nearest_angles(strengths, nearest):
    physics = make_physics(
        "ct",
        (1, 32, 32),
        generator(),
        noise_level=0.01,
        problems=CT_PROBLEMS,
        **strengths,
    )
    y = physics.A(torch.zeros(1, 1, 32, 32))
    assert nearest_problem(Batch(y, physics)) == nearest


def test_a_solver_that_learns_needs_images(measured, tmp_path, photograph):
    y, physics = measured("denoising")
    options = {"solver": "Dictionary supervised"}
    with pytest.raises(NotApplicable, match="learns from images: give some as train"):
        restore(y, physics, "CDL supervised")
    np.save(tmp_path / "a.npy", np.pad(photograph[0, 0].numpy(), 4, mode="edge"))
    with pytest.raises(NotApplicable, match="takes vectors"):
        restore(y, physics, train=tmp_path, **options)
    with pytest.raises(NotApplicable, match="has 40x40 pixels, fewer than x, 64x64"):
        restore(y, physics, "CDL supervised", train=torch.rand(1, 3, 40, 40))
    grey = dinv.physics.Denoising(dinv.physics.GaussianNoise(0.1))
    with pytest.raises(NotApplicable, match="'image 0' has 3 channels, and x has 1"):
        restore(y[:, :1], grey, "CDL supervised", train=[photograph[0]])


def test_vectors_are_not_learned_from_images():
    M = torch.randn(4, 8, generator=generator())
    physics = dinv.physics.LinearPhysics(
        A=lambda x, **kwargs: x @ M.T, A_adjoint=lambda y, **kwargs: y @ M
    )
    y = torch.rand(2, 4, generator=generator())
    with pytest.raises(NotApplicable, match="train is of images"):
        solver = "Dictionary supervised"
        restore(y, physics, solver, 0.01, train=[torch.rand(1, 8, 8)])


def test_grey_images_are_the_real_part_of_complex_ones(photograph):
    mask = torch.ones(1, 1, 64, 64)
    physics = dinv.physics.MRI(mask=mask, noise_model=dinv.physics.GaussianNoise(0.01))
    x = torch.cat([photograph[:, :1], torch.zeros(1, 1, 64, 64)], dim=1)
    batch, _ = batch_of(physics.A(x), physics)
    [trained] = training_batches([photograph[0, :1]], batch, seed=0)
    assert torch.equal(trained.x, x)


def test_the_level_that_is_given_takes_the_place_of_a_noise_without_data_term(
    measured, capsys
):
    y, physics = measured()
    expected = restore(y, physics, "TV", 0.02, n_iter=2)
    physics.noise_model = dinv.physics.UniformNoise(0.1)
    assert torch.equal(restore(y, physics, "TV", 0.02, n_iter=2), expected)
    with pytest.raises(NotApplicable, match="not UniformNoise"):
        restore(y, physics, "TV")
    physics.noise_model = dinv.physics.GaussianNoise(torch.tensor([0.1, 0.2]))
    with pytest.raises(NotApplicable, match="has several levels"):
        restore(y, physics, "TV")


@pytest.mark.parametrize("problem", ["mri", "multicoil_mri"])
def test_k_space_borrows_from_the_nearest_acceleration(problem):
    options = {"noise_level": 0.02, "acceleration": 8}
    physics = make_physics(
        problem, (2, 64, 64), generator(), problems=MRI_PROBLEMS, **options
    )
    found = nearest_problem(Batch(physics.A(torch.zeros(1, 2, 64, 64)), physics))
    name, _, strengths = found.rstrip("]").partition("[")
    strengths = dict(s.split("=") for s in strengths.split(","))
    assert name == problem and float(strengths["noise_level"]) == pytest.approx(0.02)
    assert float(strengths["acceleration"]) == pytest.approx(8, rel=0.1)
    assert strengths.get("n_coils") == ("8" if problem == "multicoil_mri" else None)
    assert defaults_of(found)["acceleration"] == 4


def test_a_network_is_trained_on_the_images_that_are_given(
    measured, tmp_path, monkeypatch
):
    monkeypatch.setenv("BENCHMARK_CACHE", str(tmp_path))
    y, physics = measured("denoising")
    train = torch.rand(2, 3, 70, 64, generator=generator())
    x_hat = restore(y, physics, "U-Net", train=train, n_steps=2)
    assert x_hat.shape == y.shape


def test_the_error_of_a_solver_keeps_its_traceback(measured, solver_file):
    path = solver_file("Broken", "def iterate(self, y, physics):\n    yield 1 / 0")
    with pytest.raises(ZeroDivisionError):
        restore(*measured(), str(path))


@pytest.mark.parametrize(
    "change",
    [lambda y: y[:, :, ::-1][:, :, ::-1], lambda y: y.astype(">f4"), np.float64],
)
def test_arrays_of_any_layout_are_taken(change, measured):
    y, physics = measured()
    expected = restore(y, physics, "TV", np.float32(0.1), n_iter=3)
    found = restore(change(y.numpy()), physics, "TV", np.float32(0.1), n_iter=3)
    torch.testing.assert_close(found, expected)


def with_noise(sigma):
    return dinv.physics.Denoising(dinv.physics.GaussianNoise(sigma))


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        ({"physics": None}, "physics is a NoneType"),
        ({"y": torch.rand(3, 64, 64)}, r"must be a batch \(B, C, H, W\), as y\[None\]"),
        ({"y": torch.rand(1, 3, 64, 64, dtype=torch.cfloat)}, "and imaginary parts"),
        ({"y": torch.full((1, 3, 64, 64), torch.nan)}, "NaN or infinite"),
        ({"y": np.zeros((1, 3, 64, 64), np.uint8)}, "y has whole numbers"),
        ({"y": None}, "y is a NoneType: it must be a tensor or a numpy array"),
        ({"y": Image.new("RGB", (64, 64))}, "y is a Image: it must be a tensor"),
        ({"y": torch.rand(1, 3, 32, 32)}, r"A_adjoint does not take y, of .* 32, 32\)"),
        ({"y": 255 * torch.rand(1, 3, 64, 64)}, "of images in .0, 1.: .* Divide y"),
        ({"solver": "TVV"}, "TVV"),
        ({"solver": "TV[regg=3]"}, "regg"),
        ({"solver": "all"}, "solver must name one solver, and not 'all'"),
        ({"solver": None}, "solver must name one solver, and not None"),
        ({"step_size": 3}, "TV has no step_size: its parameters are reg"),
        ({"solver": "Denoiser"}, "the denoising problem only"),
        ({"n_iter": 0}, "n_iter must be"),
        ({"device": "gpu"}, "device must be"),
        ({"noise_level": -1.0}, "noise_level must be a number, 0 or more"),
        ({"y": torch.rand(0, 3, 64, 64)}, "y is empty"),
        ({"solver": "TV[reg=[0.1,0.2]]"}, "several values of reg: restore takes one"),
        ({"physics": with_noise(sigma=-1.0)}, "sigma=-1: it must be a number, 0 or"),
        ({"physics": with_noise(sigma=torch.nan)}, "sigma=nan: it must be a number"),
    ],
)
def test_an_argument_without_meaning_has_its_sentence(arguments, sentence, measured):
    y, physics = measured()
    given = {"y": y, "physics": physics, "solver": "TV"} | arguments
    with pytest.raises(NotApplicable, match=sentence):
        restore(**given)
