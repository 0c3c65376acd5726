"""Every solver, on a GPU that is not there, computes what it does on the CPU."""

import importlib.util

import fake_cuda
import pytest
import torch
from walk import DATA, SOLVERS, solved

from benchmark_utils.priors.compact import TASKS


def check_same_on_both(solver_class, data, get_objective, **parameters):
    options = data, get_objective
    expected, expected_scores = solved(solver_class, *options, "cpu", **parameters)
    if isinstance(expected, str):
        pytest.skip(expected)
    with fake_cuda.fake_cuda():
        ours, scores = solved(solver_class, *options, "cuda", **parameters)
    for x_hat, x in zip(ours["x_hat"], expected["x_hat"], strict=True):
        assert isinstance(x_hat, fake_cuda.OnGpu)
        torch.testing.assert_close(fake_cuda.here(x_hat), x, rtol=1e-4, atol=1e-5)
    expected_scores.pop("fit_time"), scores.pop("fit_time")
    assert scores == pytest.approx(expected_scores, rel=1e-3, abs=1e-3, nan_ok=True)


@pytest.mark.parametrize("problem", DATA)
@pytest.mark.parametrize("name", SOLVERS)
def test_every_solver_computes_on_a_gpu_what_it_does_on_the_cpu(
    name, problem, get_data, get_objective
):
    dataset, parameters = DATA[problem]
    data = get_data(dataset, **parameters)
    check_same_on_both(SOLVERS[name], data, get_objective)


PRIORS = {
    "PnP-PGD": [{"denoiser": "tv"}, {"denoiser": "equivariant"}],
    "FiRe-HQS": [{"priors": task} for task in TASKS],
    "SHARP": [{"prior": task} for task in ("motion", "sr2", "inpaint")],
    "CDL": [{"init": "random"}],
    "Self-supervised": [{"loss": "equivariant_splitting"}],
    "Dictionary learning": [{"algorithm": "line_search"}, {"algorithm": "unrolled"}],
}


@pytest.mark.parametrize(
    ("name", "options"), [(name, o) for name, each in PRIORS.items() for o in each]
)
def test_every_prior_computes_on_a_gpu_what_it_does_on_the_cpu(
    name, options, get_data, get_objective
):
    of_vectors = name.startswith("Dictionary")
    dataset, parameters = DATA["vectors" if of_vectors else "inpainting"]
    data = get_data(dataset, **parameters)
    check_same_on_both(SOLVERS[name], data, get_objective, **options)


# The fake finds what a GPU would refuse.

WRONG = {
    "a tensor of the CPU": "x = y + torch.randn(y.shape)",
    "a generator of the CPU": (
        "x = y + torch.randn(y.shape, generator=torch.Generator(), device=y.device)"
    ),
    "numpy": "x = y + float(y.numpy().mean())",
    "a network of the CPU": "x = torch.nn.Conv2d(3, 3, 1)(y)",
}
RIGHT = "x = y + 0 * torch.randn(y.shape, generator=self.generator, device=self.device)"


@pytest.mark.parametrize("line", [*WRONG.values(), RIGHT])
def test_what_a_gpu_would_refuse_is_found(line, solver_file, get_data, get_objective):
    path = solver_file(
        "Mine", f"def iterate(self, y, physics):\n    {line}\n    yield x"
    )
    spec = importlib.util.spec_from_file_location("mine", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.Solver._module_filename = path
    dataset, parameters = DATA["denoising"]
    data = get_data(dataset, **parameters)
    if line == RIGHT:
        return check_same_on_both(module.Solver, data, get_objective)
    with fake_cuda.fake_cuda(), pytest.raises((RuntimeError, TypeError)):
        solved(module.Solver, data, get_objective, "cuda")


def test_a_batch_that_moves_takes_the_generator_of_its_noise_along(get_data):
    batch = get_data("simulated")["test"][0]
    batch.seed_noise(0)
    with fake_cuda.fake_cuda():
        moved = batch.to("cuda")
        noise = moved.physics.noise_model
        first = noise(moved.y)
        noise.reset_rng()
        assert torch.equal(noise(moved.y), first)
        again = moved.to("cuda").physics.noise_model
        again.reset_rng()
        assert torch.equal(again(moved.y), first)
