"""The momentum of FISTA."""

import pytest
import torch

from benchmark_utils.common import next_momentum


def test_the_first_step_has_no_momentum_and_it_then_grows_to_one():
    t, momenta = 1.0, []
    for _ in range(1000):
        t, momentum = next_momentum(t)
        momenta.append(momentum)
    assert momenta[0] == 0
    assert momenta == sorted(momenta)
    assert 1 - momenta[-1] == pytest.approx(3 / 1000, rel=0.02)


def test_t_grows_as_slowly_as_the_proof_of_fista_needs():
    t_new, _ = next_momentum(5.0)
    assert t_new**2 - t_new == pytest.approx(5.0**2)


def test_each_signal_of_a_tensor_has_its_own_momentum():
    together = next_momentum(torch.tensor([1.0, 3.0]))
    alone = [next_momentum(t) for t in (1.0, 3.0)]
    for ours, theirs in zip(together, zip(*alone), strict=True):
        torch.testing.assert_close(ours, torch.tensor(theirs))
