"""Measured kernels, and blurs that see no border."""

import deepinv as dinv
import numpy as np
import pytest
import scipy.signal
import tifffile
import torch
from conftest import BENCHMARK
from hypothesis import given
from hypothesis import strategies as st
from operators import make_physics
from PIL import Image

from benchmark_utils.common.errors import NotApplicable, Unavailable
from benchmark_utils.physics.cropped_blur import CroppedBlurDataTerm, periodised_power
from benchmark_utils.physics.data_term import data_term
from benchmark_utils.physics.iterative import conjugate_gradient
from benchmark_utils.physics.least_squares import DataTerm
from benchmark_utils.physics.psf import read_kernel

KERNEL = np.random.default_rng(0).integers(0, 255, (5, 8), dtype=np.uint8)
BLURS = ("gaussian_deblurring", "motion_deblurring")


def generator():
    return torch.Generator().manual_seed(0)


# Measured kernels


@pytest.fixture
def files(tmp_path):
    """The same kernel in files of several kinds."""
    np.save(tmp_path / "psf.npy", KERNEL / 255)
    Image.fromarray(KERNEL).save(tmp_path / "psf.png")
    tifffile.imwrite(tmp_path / "psf.tif", KERNEL.astype(np.float32))
    Image.fromarray(np.stack([KERNEL] * 3, -1)).save(tmp_path / "colours.png")
    np.save(tmp_path / "batch.npy", KERNEL[None, None] * 2.0)
    return tmp_path


@pytest.mark.parametrize(
    "name", ["psf.npy", "psf.png", "psf.tif", "colours.png", "batch.npy"]
)
def test_a_kernel_of_a_file_is_normalised(files, name):
    kernel = read_kernel(files / name)
    expected = torch.from_numpy(KERNEL / KERNEL.sum()).float()[None, None]
    torch.testing.assert_close(kernel, expected)


@pytest.mark.parametrize("problem", BLURS)
def test_a_measured_kernel_is_the_one_that_blurs(problem, files):
    path = str(files / "psf.png")
    physics = make_physics(problem, (1, 20, 20), generator(), kernel=path)
    pixel = torch.zeros(1, 1, 20, 20)
    pixel[..., 10, 10] = 1
    spread = physics.A(pixel)[0, 0, 8:13, 6:14]
    torch.testing.assert_close(
        spread, torch.from_numpy(KERNEL / KERNEL.sum()).float(), rtol=0, atol=1e-6
    )


@pytest.mark.parametrize(
    "shape, kept",
    [
        ((1, 5), (1, 5)),
        ((5, 1), (5, 1)),
        ((1, 1, 1, 5), (1, 5)),
        ((1, 1, 5, 1), (5, 1)),
        ((1, 1, 5, 8), (5, 8)),
        ((5, 8, 1), (5, 8)),
        ((1, 1), (1, 1)),
    ],
)
def test_a_kernel_keeps_two_dimensions(shape, kept, tmp_path):
    np.save(tmp_path / "psf.npy", np.ones(shape))
    assert read_kernel(tmp_path / "psf.npy").shape == (1, 1, *kept)


@pytest.mark.parametrize("name", ["row.npy", "row.png", "row.tif"])
def test_a_kernel_of_one_row_blurs_along_it(name, tmp_path):
    path, row = tmp_path / name, np.full((1, 5), 51, np.uint8)
    if path.suffix == ".npy":
        np.save(path, row)
    else:
        Image.fromarray(row).save(path)
    options = {"kernel": str(path)}
    physics = make_physics("motion_deblurring", (1, 20, 20), generator(), **options)
    pixel = torch.zeros(1, 1, 20, 20)
    pixel[..., 10, 10] = 1
    expected = torch.zeros_like(pixel)
    expected[..., 10, 8:13] = 0.2
    torch.testing.assert_close(physics.A(pixel), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "values, sentence",
    [
        (np.zeros((3, 3)), "some above 0"),
        (-np.eye(3), "values from -1"),
        (np.full((3, 3), np.nan), "0 or more"),
        (np.ones(9), "rows and columns"),
        (np.ones((2, 3, 3)), "rows and columns"),
        (np.ones((0, 5)), r"shape \(0, 5\).*rows and columns"),
        (np.ones((3, 3), complex), "real numbers"),
    ],
)
def test_what_is_no_kernel_is_said(values, sentence, tmp_path):
    np.save(tmp_path / "psf.npy", values)
    with pytest.raises(NotApplicable, match=sentence):
        read_kernel(tmp_path / "psf.npy")


def test_a_kernel_that_cannot_be_read_is_said(tmp_path, get_data):
    (tmp_path / "psf.png").write_bytes(b"no picture")
    with (tmp_path / "several.npy").open("wb") as file:
        np.savez(file, np.ones((3, 3)))
    with pytest.raises(NotApplicable, match=r"several.npy holds several arrays"):
        read_kernel(tmp_path / "several.npy")
    (tmp_path / "empty.npy").write_bytes(b"")
    (tmp_path / "empty.tif").write_bytes(b"")
    for name, sentence in (
        ("psf.png", "cannot be read"),
        ("empty.npy", "cannot be read"),
        ("empty.tif", "cannot be read"),
        ("no.npy", "is not there"),
    ):
        with pytest.raises(Unavailable, match=sentence):
            read_kernel(tmp_path / name)
        data = get_data(
            "simulated", problem="motion_deblurring", kernel=str(tmp_path / name)
        )
        assert sentence in data["unavailable"]


@pytest.mark.parametrize("boundary", ["circular", "valid"])
def test_a_kernel_larger_than_the_image_is_said(boundary, files):
    options = {"kernel": str(files / "psf.npy"), "boundary": boundary}
    with pytest.raises(NotApplicable, match=r"smaller than the kernel \(5x8\)"):
        make_physics("motion_deblurring", (1, 20, 7), generator(), **options)


def test_the_data_term_of_a_kernel_larger_than_the_image_is_refused():
    kernel = torch.ones(1, 1, 9, 9) / 81
    physics = dinv.physics.BlurFFT((1, 8, 8), kernel)
    with pytest.raises(NotApplicable, match=r"smaller than the kernel \(9x9\)"):
        data_term(physics, torch.ones(1, 1, 8, 8))


def test_the_content_of_a_kernel_is_in_the_cache_key_and_its_name_is_short(files):
    (dataset,) = BENCHMARK.check_dataset_patterns(["simulated"], class_only=True)

    def instance():
        return dataset.get_instance(
            problem="motion_deblurring", kernel=str(files / "psf.npy")
        )

    before = instance().fingerprint()
    assert instance().fingerprint() == before
    np.save(files / "psf.npy", KERNEL + 1)
    assert instance().fingerprint() != before
    name = f"kernel={files.name}-psf,problem=motion_deblurring"
    assert str(instance()) == f"simulated[{name}]"


# Without a border


class Case:
    """A blur without a border, its data term, and the dense matrix of A."""

    def __init__(self, n_images, channels, sides, kernel, seed):
        draws = torch.Generator().manual_seed(seed)
        self.shape = (channels, *(s + k - 1 for s, k in zip(sides, kernel)))
        filters = torch.rand(1, 1, *kernel, generator=draws, dtype=torch.float64)
        self.physics = dinv.physics.Blur(filters / filters.sum(), padding="valid")
        self.x = torch.randn(n_images, *self.shape, generator=draws).double()
        self.y = self.physics.A(self.x)
        self.y = self.y + 0.1 * torch.randn(self.y.shape, generator=draws)
        self.f = data_term(self.physics, self.y)

    def dense(self):
        n = self.x[0, 0].numel()
        basis = torch.eye(n, dtype=torch.float64).view(n, 1, *self.shape[1:])
        return self.physics.A(basis).flatten(1).T


CASES = st.builds(
    Case,
    n_images=st.integers(1, 2),
    channels=st.sampled_from([1, 3]),
    sides=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 6)),
    seed=st.integers(0, 2**32),
)


@given(CASES)
def test_the_operator_and_its_adjoint_are_those_of_deepinv(case):
    assert isinstance(case.f, CroppedBlurDataTerm)
    torch.testing.assert_close(case.f.A(case.x), case.physics.A(case.x))
    torch.testing.assert_close(case.f.A_adjoint(case.y), case.physics.A_adjoint(case.y))


@given(CASES, st.floats(-2, 4))
def test_the_prox_is_that_of_a_dense_solve(case, log_gamma):
    gamma, z = 10**log_gamma, case.x + 1
    M = case.dense()
    normal = torch.eye(M.shape[1], dtype=M.dtype) + gamma * M.T @ M
    b = z.flatten(2) + gamma * case.y.flatten(2) @ M
    expected = torch.linalg.solve(normal, b.mT).mT.view_as(z)
    torch.testing.assert_close(case.f.prox(z, gamma), expected, rtol=0, atol=1e-3)


@given(CASES)
def test_the_pseudo_inverse_is_that_of_a_dense_solve(case):
    M, reg = case.dense(), 0.01
    normal = M @ M.T + reg * torch.eye(len(M), dtype=M.dtype)
    expected = torch.linalg.solve(normal, case.y.flatten(2).mT).mT @ M
    found = case.f.pseudo_inverse(reg).flatten(2)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("problem", BLURS)
def test_valid_is_the_convolution_of_scipy(problem):
    physics = make_physics(problem, (1, 48, 40), generator(), boundary="valid")
    x = torch.rand(1, 1, 48, 40, generator=generator())
    expected = scipy.signal.convolve2d(x[0, 0], physics.filter[0, 0], "valid")
    torch.testing.assert_close(
        physics.A(x)[0, 0], torch.from_numpy(expected), rtol=0, atol=1e-5
    )


def test_the_preconditioner_saves_most_of_the_iterations():
    physics = make_physics(
        "motion_deblurring", (1, 64, 64), generator(), boundary="valid"
    )
    x = torch.rand(1, 1, 64, 64, generator=generator())
    f = data_term(physics, physics.A(x))
    counted = []

    def A(x):
        counted.append(1)
        return CroppedBlurDataTerm.A(f, x)

    f.A = A
    f.prox(0 * x, 1000.0)
    with_it = len(counted)
    conjugate_gradient(lambda u: f.A(f.A_adjoint(u)) + 1e-3 * u, f.y)
    assert with_it < 0.4 * (len(counted) - with_it)


def test_the_prox_is_as_accurate_as_in_64_bits_and_many_iterations():
    physics = make_physics(
        "gaussian_deblurring", (1, 48, 48), generator(), boundary="valid"
    )
    x = torch.rand(1, 1, 48, 48, generator=generator())
    y = physics.A(x)
    exact = data_term(physics.to(torch.float64), y.double()).prox(0 * x.double(), 100.0)
    found = data_term(physics.to(torch.float32), y).prox(0 * x, 100.0)
    assert (found - exact).norm() < 1e-4 * exact.norm()


@pytest.mark.parametrize("size", [(7, 9), (3, 4), (16, 5)])
def test_the_power_of_a_kernel_is_that_of_its_frequencies(size):
    kernel = torch.rand(1, 1, 5, 6, generator=generator(), dtype=torch.float64)
    rows, columns = (torch.fft.fftfreq(n, dtype=kernel.dtype) for n in size)
    columns = columns[: size[1] // 2 + 1]
    waves = [
        torch.exp(-2j * torch.pi * frequency[:, None] * torch.arange(k))
        for frequency, k in ((rows, 5), (columns, 6))
    ]
    expected = (waves[0] @ kernel[0, 0].cfloat().to(waves[0]) @ waves[1].T).abs() ** 2
    torch.testing.assert_close(periodised_power(kernel, size)[0, 0], expected)


def test_other_borders_are_left_to_conjugate_gradient():
    physics = dinv.physics.Blur(torch.ones(1, 1, 3, 3) / 9, padding="reflect")
    assert type(data_term(physics, torch.ones(1, 1, 8, 8))) is DataTerm


@pytest.mark.parametrize("problem", BLURS)
def test_solvers_restore_the_whole_image(problem, run):
    rows = run(
        ["Pseudo-inverse", "PnP-HQS[n_iter=3]", "TV[n_iter=10]"],
        [f"simulated[problem={problem},boundary=valid,img_size=64,n_images=1]"],
    )
    scores = rows.groupby("solver_name").objective_psnr.last()
    assert (scores.drop("Pseudo-inverse") > scores["Pseudo-inverse"] + 3).all()
    assert rows.objective_psnr_kernel.notna().any()
