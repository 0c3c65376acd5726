"""What ``iterate`` must do is said to who writes it, and its iterates are cast once."""

import traceback
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from benchmark_utils.solving.iterates import as_estimate, checked_iterates

Y = torch.rand((2, 3, 4, 5), generator=torch.Generator().manual_seed(0))


def iterates_of(iterate, requires_grad=False):
    """What a solver with this ``iterate`` gives, in the mode where it runs."""
    solver = SimpleNamespace(name="Mine", iterate=iterate, requires_grad=requires_grad)
    with torch.inference_mode(not requires_grad):
        return list(checked_iterates(solver, Y, "physics"))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_estimates_of_any_precision_become_float32(dtype):
    estimate = as_estimate(Y.to(dtype), Y)
    assert torch.equal(estimate, Y.to(dtype).float())
    assert estimate.dtype == torch.float32


def test_numpy_estimates_become_tensors():
    for array in (Y.numpy(), Y.double().numpy(), Y.numpy().astype(">f8")):
        assert torch.equal(as_estimate(array, Y), Y)
    mirrored = as_estimate(Y.numpy()[..., ::-1], Y)
    assert torch.equal(mirrored, Y.flip(-1))


def test_complex_estimates_stay_complex():
    estimate = as_estimate(Y.to(torch.complex128), Y)
    assert estimate.dtype == torch.complex64
    assert as_estimate(1j * Y.numpy(), Y).dtype == torch.complex64


def test_estimates_go_to_the_device_of_the_measurements():
    assert as_estimate(Y, Y.to("meta")).device.type == "meta"


def test_a_gradient_ends_at_the_estimate():
    assert not as_estimate(Y.clone().requires_grad_(), Y).requires_grad


def test_an_estimate_that_is_right_is_not_copied():
    assert as_estimate(Y, Y).data_ptr() == Y.data_ptr()


def test_iterates_are_given_in_turn():
    def iterate(y, physics):
        assert physics == "physics"
        for k in range(3):
            yield (k * y).double()

    iterates = iterates_of(iterate)
    assert [x.dtype for x in iterates] == 3 * [torch.float32]
    assert torch.equal(torch.stack(iterates), torch.stack([0 * Y, Y, 2 * Y]))


def test_a_generator_of_another_method_will_do():
    assert len(iterates_of(lambda y, physics: iter([y, y]))) == 2


def returns_late(y, physics):
    yield y
    return 2 * y


@pytest.mark.parametrize(
    "iterate, sentence",
    [
        (lambda y, physics: None, r"iterate of Mine gives None, and must be a genera"),
        (lambda y, physics: y, r"gives a tensor of float32, and must .*\(yield x\)"),
        (lambda y, physics: [y], r"gives a list, and must be a generator"),
        (returns_late, r"returns a tensor of float32 at its end.*yield its last"),
        (lambda y, physics: iter([None]), r"iterate of Mine yields None, and must yie"),
        (lambda y, physics: iter([(y, y)]), r"yields a tuple, and must yield its iter"),
        (lambda y, physics: iter([(255 * y).byte()]), r"yields a tensor of uint8, and"),
        (lambda y, physics: iter([np.ones(3, int)]), r"yields a numpy array of int64,"),
    ],
)
def test_what_iterate_must_do_is_said(iterate, sentence):
    with pytest.raises(TypeError, match=sentence):
        iterates_of(iterate)


def backward(y, physics):
    x = torch.zeros_like(y, requires_grad=True)
    (x - y).square().sum().backward()
    yield x - 0.5 * x.grad


def backward_at_once(y, physics):
    return iter(list(backward(y, physics)))


def backward_outside(y, physics):
    computed = 1 * y
    with torch.inference_mode(False):
        x = torch.zeros_like(y, requires_grad=True)
        (computed * x).sum().backward()
        yield x.grad


@pytest.mark.parametrize("iterate", [backward, backward_at_once, backward_outside])
def test_a_method_that_differentiates_is_told_to_say_so(iterate):
    with pytest.raises(TypeError, match="write requires_grad = True") as error:
        iterates_of(iterate)
    frames = traceback.extract_tb(error.value.__cause__.__traceback__)
    assert "backward" in [frame.name for frame in frames]


def test_a_method_that_says_so_differentiates():
    (x,) = iterates_of(backward, requires_grad=True)
    torch.testing.assert_close(x, Y)
    assert not x.requires_grad


def test_other_errors_are_left_as_they_are():
    def iterate(y, physics):
        yield y @ torch.ones(7, 7)

    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        iterates_of(iterate)


NO_YIELD = """
def iterate(self, y, physics):
    return physics.A_adjoint(y)
"""
NUMPY = """
def iterate(self, y, physics):
    yield physics.A_adjoint(y).double().numpy()
"""


def test_a_contributor_sees_the_sentence_and_the_traceback(run, solver_file, capfd):
    rows = run([solver_file("Returns", NO_YIELD), "Pseudo-inverse"])
    assert list(rows.solver_name.unique()) == ["Pseudo-inverse"]
    printed = "\n".join(capfd.readouterr())
    assert "Traceback" in printed and "(skip" not in printed
    assert (
        "TypeError: iterate of Returns gives a tensor of float32, and must" in printed
    )


def test_a_solver_in_numpy_is_scored(run, solver_file):
    dataset = "simulated[problem=sr4,img_size=40]"
    same = NUMPY.replace(".double().numpy()", "")
    rows = run([solver_file("Numpy", NUMPY), solver_file("Torch", same)], [dataset])
    numpy, torch_ = (rows[rows.solver_name == name] for name in ("Numpy", "Torch"))
    assert numpy.objective_psnr.iloc[-1] == torch_.objective_psnr.iloc[-1]
