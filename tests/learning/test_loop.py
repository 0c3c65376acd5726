"""The training loop: resumed, seeded, the best weights, and what it does of NaN."""

import pytest
import torch

from benchmark_utils.learning.training import Adam, cosine, fit, in_bfloat16


class Line(torch.nn.Module):
    """y = a x, with the a = 3 to find."""

    def __init__(self):
        super().__init__()
        self.a = torch.nn.Parameter(torch.zeros(1))

    def error(self, x):
        return (self.a * x - 3 * x).square().mean()


def trained(steps=30, loss=None, evaluate=None, lr=0.1, **options):
    """A Line after a training, and its progress."""
    line, generator = Line(), torch.Generator().manual_seed(0)

    def usual_loss(step):
        # One draw of each generator: both must be the same after a stop.
        x = torch.rand(5, generator=generator) + torch.rand(5)
        return line.error(x)

    progress = fit(
        line,
        Adam([{"params": line.parameters(), "lr": lr}]),
        cosine(steps),
        (lambda step: loss(line, step)) if loss else usual_loss,
        steps,
        generator,
        lambda: evaluate(line) if evaluate else None,
        lambda progress: None,
        **{"every": 10} | options,
    )
    return line, progress


def test_a_training_that_was_stopped_ends_as_the_one_that_was_not(tmp_path):
    whole, _ = trained()
    checkpoint = tmp_path / "checkpoint.pt"

    def stops(line):
        if checkpoint.exists():
            raise KeyboardInterrupt
        return 0.0

    options = {"checkpoint": checkpoint, "seconds_between": -1}
    with pytest.raises(KeyboardInterrupt):
        trained(evaluate=stops, **options)
    resumed, progress = trained(**options)
    assert torch.equal(resumed.a, whole.a)
    assert progress.step == 30 and len(progress.losses) == 3


def test_a_seed_gives_the_same_weights_and_leaves_torch_s_generator_alone():
    state = torch.random.get_rng_state()
    first, second, other = (trained(seed=seed)[0] for seed in (0, 0, 1))
    assert torch.equal(first.a, second.a) and not torch.equal(first.a, other.a)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_the_best_weights_on_what_is_held_out_are_kept():
    def best_at_one(line):
        return float((line.a.detach() - 1).abs())

    line, progress = trained(100, evaluate=best_at_one, lr=0.2, keep_best=True, every=1)
    values = dict(map(tuple, progress.held_out))
    assert 0 < progress.best["step"] < 100
    assert best_at_one(line) == min(values.values()) < 0.2
    last, _ = trained(100, evaluate=best_at_one, lr=0.2, every=1)
    assert float(last.a.detach()) > 2


def test_weights_that_never_improve_are_those_of_the_start():
    line, progress = trained(evaluate=lambda line: float(line.a.abs()), keep_best=True)
    assert progress.best["step"] == 0 and float(line.a.detach()) == 0


@pytest.mark.parametrize("step", [0, 3, 17])
def test_a_nan_in_the_loss_stops_says_where_and_keeps_the_last_good_weights(step):
    seen = {}

    def breaks(line, k):
        seen[k] = float(line.a.detach())
        factor = torch.nan if k == step else 1.0
        return factor * line.error(torch.ones(3))

    line, progress = trained(loss=breaks)
    assert f"at step {step + 1} of 30" in progress.stopped
    assert "smaller learning rate" in progress.stopped
    assert progress.step == step // 10 * 10
    assert float(line.a.detach()) == seen[progress.step]


def test_gradients_that_are_infinite_are_found_though_the_loss_is_finite():
    def breaks(line, step):
        return (line.a.abs().sqrt() * (step >= 5)).sum()  # Not differentiable at 0.

    line, progress = trained(loss=breaks)
    assert progress.stopped and line.a.isfinite().all()


def test_gradients_are_clipped_and_rates_follow_the_schedule():
    steps = []

    class Sgd:
        def __init__(self, line):
            self.line = line

        def step(self, scale):
            steps.append((scale, float(self.line.a.grad)))

    line = Line()
    fit(
        line,
        Sgd(line),
        cosine(4),
        lambda step: line.error(torch.ones(1)),
        4,
        torch.Generator(),
        lambda: None,
        lambda progress: None,
        clip=0.5,
    )
    assert [scale for scale, _ in steps] == pytest.approx([1, 0.854, 0.5, 0.146], 1e-2)
    assert all(abs(gradient) <= 0.5 for _, gradient in steps)


def test_mixed_precision_gives_floats_of_32_bits_near_those_of_full_precision():
    layer = torch.nn.Conv2d(3, 3, 3)
    x = torch.rand(1, 3, 8, 8)
    mixed = in_bfloat16(layer, x)
    assert mixed.dtype == torch.float32 and not torch.equal(mixed, layer(x))
    torch.testing.assert_close(mixed, layer(x), rtol=0.02, atol=0.02)
