"""A function in a file of the user's is a problem, for every dataset of images."""

import pytest
import torch
from conftest import BENCHMARK

FILE = """
import deepinv as dinv
import torch
from sibling import SCALE

def make_physics(shape, generator):
    return dinv.physics.CompressedSensing(
        m=300, img_size=shape, rng=generator,
        noise_model=dinv.physics.GaussianNoise(0.02),
    )

def scaled(shape, generator):
    return dinv.physics.LinearPhysics(
        A=lambda x, **kwargs: SCALE * x, A_adjoint=lambda y, **kwargs: SCALE * y
    )

def fourier(shape, generator):
    mask = (torch.rand(shape[-2:], generator=generator) > 0.5).float()[..., None]
    return dinv.physics.LinearPhysics(
        A=lambda x, **kwargs: mask
        * torch.view_as_real(torch.fft.fft2(x, norm="ortho")),
        A_adjoint=lambda y, **kwargs: torch.fft.ifft2(
            torch.view_as_complex(mask * y), norm="ortho"
        ).real,
    )

def by_autograd(shape, generator):
    return dinv.physics.LinearPhysics(
        A=lambda x, **kwargs: x[..., ::2, :] - x[..., 1::2, :], img_size=shape
    )

def nothing(shape, generator):
    pass

def of_another_size(shape, generator):
    return dinv.physics.BlurFFT((3, 64, 64), torch.ones(1, 1, 3, 3) / 9)

def too_wide(shape, generator):
    return dinv.physics.BlurFFT(shape, torch.ones(1, 1, 99, 99) / 99**2)

def not_adjoint(shape, generator):
    return dinv.physics.LinearPhysics(
        A=lambda x, **kwargs: 2 * x, A_adjoint=lambda y, **kwargs: y
    )

def not_linear(shape, generator):
    return dinv.physics.LinearPhysics(
        A=lambda x, **kwargs: x**2, A_adjoint=lambda y, **kwargs: y
    )

def with_offset(shape, generator):
    return dinv.physics.LinearPhysics(
        A=lambda x, **kwargs: x + 0.005, A_adjoint=lambda y, **kwargs: y
    )

def rounded(shape, generator):
    return dinv.physics.LinearPhysics(
        A=lambda x, **kwargs: (x + 0.3) * 0.7 - 0.21, A_adjoint=lambda y, **k: 0.7 * y
    )

def not_a_number_at_zero(shape, generator):
    return dinv.physics.LinearPhysics(
        A=lambda x, **kwargs: x * x / x, A_adjoint=lambda y, **kwargs: y
    )

def negative_gain(shape, generator):
    return dinv.physics.Denoising(dinv.physics.PoissonNoise(gain=-1.0))

def complex_valued(shape, generator):
    return dinv.physics.LinearPhysics(
        A=lambda x, **kwargs: torch.fft.fft2(x),
        A_adjoint=lambda y, **kwargs: torch.fft.ifft2(y).real,
    )

def uniform(shape, generator):
    return dinv.physics.Denoising(dinv.physics.UniformNoise(0.1))

def poisson(shape, generator):
    return dinv.physics.Denoising(dinv.physics.PoissonNoise(gain=0.1))

def counts(shape, generator):
    return dinv.physics.Denoising(
        dinv.physics.PoissonNoise(gain=0.1, normalize=False)
    )

def poisson_inpainting(shape, generator):
    mask = (torch.rand(1, *shape[1:], generator=generator) > 0.5).float()
    noise = dinv.physics.PoissonNoise(gain=0.1)
    return dinv.physics.Inpainting(shape, mask, noise_model=noise)

def of_no_known_kind(shape, generator):
    class Mine(dinv.physics.NoiseModel):
        sigma = 0.1
    return dinv.physics.Denoising(Mine())

def of_several_levels(shape, generator):
    return dinv.physics.Denoising(
        dinv.physics.GaussianNoise(torch.tensor([0.1, 0.2]))
    )

def stacked(shape, generator):
    return dinv.physics.stack(dinv.physics.Denoising(), dinv.physics.Denoising())

def one_number(shape, generator):
    return dinv.physics.LinearPhysics(
        A=lambda x, **kwargs: x.flatten(1).sum(1) / 100,
        A_adjoint=lambda y, **kwargs: y[:, None, None, None].expand(-1, *shape) / 100,
    )

def of_nothing(shape, generator):
    return dinv.physics.Inpainting(shape, torch.zeros(1, *shape[1:]))

def large(shape, generator):
    return dinv.physics.LinearPhysics(
        A=lambda x, **kwargs: 10 * x, A_adjoint=lambda y, **kwargs: 10 * y
    )

Kind = dinv.physics.Denoising

class OfAClass(dinv.physics.Denoising):
    def __init__(self, shape, generator):
        super().__init__(dinv.physics.GaussianNoise(0.1))

def breaks(shape, generator):
    return 1 / 0
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine" / "operators.py"
    path.parent.mkdir()
    path.write_text(FILE)
    path.with_name("sibling.py").write_text("SCALE = 0.5\n")
    return path


@pytest.fixture
def batch(get_data, file):
    """batch(function, **parameters): the test batch of the problem that it makes."""

    def make(function, **parameters):
        data = get_data("simulated", problem=f"{file}:{function}", **parameters)
        assert "unavailable" not in data, data["unavailable"]
        return data["test"][0]

    return make


def test_make_physics_is_what_is_called_without_a_name(get_data, file):
    data = get_data("simulated", problem=str(file))
    assert data["test"][0].y.shape == (2, 300)
    assert data["problem"] == "mine-operators"


def test_the_function_draws_from_the_generator_of_the_dataset(batch, get_data):
    assert torch.equal(batch("fourier").y, batch("fourier").y)
    others = get_data("simulated", seed=1, problem="inpainting")
    assert others["test"][0].y.shape == (2, 3, 32, 32)


def test_the_noise_is_that_of_the_physics_unless_another_is_asked_for(batch):
    assert float(batch("make_physics").physics.noise_model.sigma) == pytest.approx(0.02)
    noisy = batch("make_physics", noise_level=0.3).physics.noise_model
    assert float(noisy.sigma) == pytest.approx(0.3)
    exact = batch("scaled")
    assert torch.equal(exact.y, 0.5 * exact.x)
    poisson = batch("scaled", noise="poisson", gain=0.02).physics.noise_model
    assert float(poisson.gain) == pytest.approx(0.02)


@pytest.mark.parametrize(
    "function, strengths, kind, levels",
    [
        ("poisson", {"gain": 0.05}, "PoissonNoise", {"gain": 0.05}),
        ("poisson", {"noise": "poisson"}, "PoissonNoise", {"gain": 0.1}),
        (
            "make_physics",
            {"noise": "poisson_gaussian", "gain": 0.05},
            "PoissonGaussianNoise",
            {"sigma": 0.02, "gain": 0.05},
        ),
        ("poisson_inpainting", {}, "PoissonNoise", {"gain": 0.1}),
        ("counts", {"noise": "gaussian"}, "GaussianNoise", {"sigma": 0.01}),
        ("scaled", {"gain": 0.05}, "PoissonNoise", {"gain": 0.05}),
        ("scaled", {"noise": "gaussian"}, "GaussianNoise", {"sigma": 0.01}),
        (
            "scaled",
            {"noise_level": 0.03, "gain": 0.05},
            "PoissonGaussianNoise",
            {"sigma": 0.03, "gain": 0.05},
        ),
    ],
)
def test_a_level_is_that_of_the_noise_of_the_physics(
    function, strengths, kind, levels, batch
):
    model = batch(function, **strengths).physics.noise_model
    assert type(model).__name__ == kind
    assert {name: float(getattr(model, name)) for name in levels} == pytest.approx(
        levels
    )


def test_a_level_that_the_noise_of_the_physics_has_not_is_refused(file, get_data):
    data = get_data("simulated", problem=f"{file}:make_physics", gain=0.05)
    assert "GaussianNoise, which has no gain: say which noise" in data["unavailable"]


@pytest.mark.parametrize("function", ["make_physics", "fourier", "by_autograd"])
def test_solvers_restore_from_measurements_of_any_shape(function, file, run):
    problem = f"simulated[n_images=1,problem='{file}:{function}']"
    solvers = ["Pseudo-inverse", "PnP-HQS[n_iter=2]", "TV[n_iter=5]"]
    rows = run(solvers, [problem])
    assert set(rows.solver_name) == set(solvers)
    assert (rows.objective_diverged == 0).all()
    name = f"simulated[n_images=1,problem=mine-operators:{function}]"
    assert set(rows.dataset_name) == {name}


@pytest.mark.parametrize(
    "function, sentence",
    [
        ("absent", "has no function absent(shape, generator)"),
        ("nothing", "gives a NoneType: it must give a deepinv.physics.LinearPhysics"),
        ("of_another_size", "img_size=(3, 64, 64) for images of shape (3, 32, 32)"),
        ("too_wide", "smaller than the kernel (99x99)"),
        ("not_adjoint", "A_adjoint is not the adjoint of A"),
        ("not_linear", "A must be linear"),
        ("with_offset", "not linear: A of 0 has values up to 0.005"),
        ("not_a_number_at_zero", "not linear: A of 0 has values up to nan"),
        ("negative_gain", "gain=-1: it must be a number, above 0"),
        ("complex_valued", "torch.view_as_real"),
        ("uniform", "not UniformNoise"),
        ("counts", "a PoissonNoise of counts: set normalize=True"),
        ("of_no_known_kind", "not Mine"),
        ("of_several_levels", "several values of sigma"),
        ("stacked", "measurements are a TensorList: they must be one tensor"),
        ("one_number", "measurements are tensors of shape (2,): they must be"),
        ("of_nothing", "measures nothing: A of any image is 0"),
        ("Kind", "has no function Kind(shape, generator)"),
    ],
)
def test_what_is_no_operator_is_said(function, sentence, file, get_data):
    data = get_data("simulated", problem=f"{file}:{function}")
    assert sentence in data["unavailable"]


def test_an_operator_of_another_norm_is_said(file, get_data):
    with pytest.warns(UserWarning, match=r"\|\|A\|\| of about 10: the values of"):
        get_data("simulated", problem=f"{file}:large")


def test_a_class_of_the_users_is_made_from_the_shape_and_the_generator(file, get_data):
    assert "unavailable" not in get_data("simulated", problem=f"{file}:OfAClass")


def test_a_linear_operator_may_round(file, get_data):
    assert "unavailable" not in get_data("simulated", problem=f"{file}:rounded")


def test_a_file_that_is_not_there_is_said(get_data, tmp_path):
    data = get_data("simulated", problem=str(tmp_path / "no.py"))
    assert "there is no file" in data["unavailable"]


def test_strengths_of_other_problems_are_refused(file, get_data):
    data = get_data("simulated", problem=str(file), blur_std=1.0)
    assert "has no blur_std" in data["unavailable"]


def test_a_bug_of_the_function_keeps_its_traceback(file, get_data):
    with pytest.raises(ZeroDivisionError):
        get_data("simulated", problem=f"{file}:breaks")


@pytest.mark.parametrize("changed", ["operators.py", "sibling.py"])
def test_a_change_of_the_code_makes_another_cache_key(changed, file):
    (dataset,) = BENCHMARK.check_dataset_patterns(["simulated"], class_only=True)

    def digest():
        return dataset.get_instance(problem=f"{file}:scaled").code_digest()

    before = digest()
    assert digest() == before
    path = file.with_name(changed)
    path.write_text(path.read_text() + "\nANOTHER = 1\n")
    assert digest() != before


def test_a_changed_function_is_the_one_that_is_called(file, get_data):
    problem = f"{file}:scaled"
    before = get_data("simulated", problem=problem)["test"][0]
    file.write_text(FILE.replace("SCALE *", "2 * SCALE *"))
    after = get_data("simulated", problem=problem)["test"][0]
    torch.testing.assert_close(after.y, 2 * before.y)
