"""Gaussian means, against scipy's."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from benchmark_utils.physics.smoothing import gaussian_mean, gaussian_profile


@pytest.mark.parametrize(
    "border, mode", [("zero", "constant"), ("symmetric", "reflect")]
)
@given(
    # A radius beyond the image, and beyond its mirror image.
    size=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    std=st.floats(0.3, 15),
    seed=st.integers(0, 2**31),
)
def test_gaussian_mean_is_that_of_scipy(border, mode, size, std, seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(2, 3, *size, generator=generator)
    radius = int(4 * std + 0.5)
    ours = gaussian_mean(x, std, radius, border)
    theirs = gaussian_filter(x.numpy(), (0, 0, std, std), mode=mode, radius=radius)
    torch.testing.assert_close(ours, torch.from_numpy(theirs), rtol=0, atol=1e-6)


def test_each_width_has_its_profile():
    widths = torch.tensor([0.5, 2.0]).view(2, 1)
    together = gaussian_profile(widths, 4)
    assert together.shape == (2, 9)
    torch.testing.assert_close(together.sum(-1), torch.ones(2))
    for ours, width in zip(together, widths, strict=True):
        torch.testing.assert_close(ours, gaussian_profile(width, 4))
