"""The products of a scanner by its symmetries, against the matrix of all its rays."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark_utils.physics.ray_products import CPU_COLUMNS, RayProducts
from benchmark_utils.physics.rays import Geometry
from benchmark_utils.physics.symmetries import Symmetries


def all_rays(geometry):
    return np.arange(geometry.n_angles * geometry.n_bins)


def made(geometry):
    symmetries = Symmetries(geometry)
    matrix = geometry.transposed_matrix(symmetries.rays)
    return symmetries, RayProducts.by(symmetries, matrix).to("cpu", torch.float64)


@settings(max_examples=100)
@given(
    st.sampled_from([(9, 9), (12, 12), (7, 11)]),
    st.integers(1, 16),
    st.sampled_from([60.0, 120.0, 137.3, 180.0, 270.0, 360.0, 361.2, 540.0]),
    st.sampled_from([None, 0.8, 2.0]),
    st.sampled_from([0.0, 0.5, -2.3]),
    st.integers(1, 4),
)
def test_the_products_are_those_of_the_matrix_of_all_rays(
    shape, n_angles, angular_range, source, centre, n_images
):
    geometry = Geometry(*shape, n_angles, angular_range, source, centre)
    A = torch.from_numpy(
        geometry.transposed_matrix(all_rays(geometry)).toarray().astype(float)
    ).T
    _, products = made(geometry)
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(n_images, A.shape[1], generator=generator, dtype=A.dtype)
    y = torch.rand(n_images, A.shape[0], generator=generator, dtype=A.dtype)
    torch.testing.assert_close(products.A(x), x @ A.T, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(products.A_adjoint(y), y @ A, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "options, at_most",
    [
        # Rays at multiples of 45 degrees are in orbits of four, or fewer.
        ({"n_angles": 60}, 0.15),
        ({"n_angles": 180}, 0.135),
        ({"n_angles": 180, "angular_range": 360.0, "source": 2.0}, 0.135),
        ({"n_angles": 120, "angular_range": 120.0}, 0.2),
        # A quarter turn is no multiple of the angle.
        ({"n_angles": 61}, 0.27),
        # Nothing but the rays at 0 and 90 degrees is symmetric to a detector moved.
        ({"n_angles": 60, "centre": 0.3}, 0.28),
        ({"n_angles": 60, "angular_range": 137.3, "centre": 0.3}, 1.0),
    ],
)
def test_few_of_the_rays_are_kept(options, at_most):
    geometry = Geometry(64, 64, **options)
    kept = len(Symmetries(geometry).rays)
    assert at_most - 0.03 <= kept / len(all_rays(geometry)) <= at_most


def test_images_come_out_in_their_order_however_many_are_multiplied_at_once():
    _, products = made(Geometry(16, 16, 8))
    n = 2 * CPU_COLUMNS // products.n_moves + 1
    x = torch.rand(
        n, 256, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    torch.testing.assert_close(
        products.A(x), torch.cat([products.A(image[None]) for image in x])
    )
