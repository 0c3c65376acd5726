"""Random phantoms of tomography: ellipses in an ellipse."""

import math

import torch

# Each seed has this many phantoms of its own.
MAX_PHANTOMS = 1000

# Pixels are means over this many times as many points in each direction.
OVERSAMPLING = 3


def random_phantom(size, generator, n_ellipses=20):
    """An image (1, size, size) in [0, 1], its pixels the means of smaller ones.

    A body of soft tissue (0.3 to 0.5), with up to ``n_ellipses`` smaller ellipses in
    it, whose values are added to it: air, soft tissues and bones.
    """
    n = OVERSAMPLING * size
    side = torch.linspace(-1 + 1 / n, 1 - 1 / n, n, dtype=torch.float32)

    def draw(low, high):
        u = torch.rand((), generator=generator, dtype=torch.float32)
        return low + (high - low) * float(u)

    def ellipse(x, y, a, b, angle):
        columns, rows = side - x, side[:, None] - y
        along = columns * math.cos(angle) + rows * math.sin(angle)
        across = rows * math.cos(angle) - columns * math.sin(angle)
        return (along / a) ** 2 + (across / b) ** 2 <= 1

    a, b = draw(0.6, 0.95), draw(0.5, 0.9)
    body = ellipse(draw(-0.04, 0.04), draw(-0.04, 0.04), a, b, draw(-0.3, 0.3))
    image = draw(0.3, 0.5) * body
    for _ in range(1 + int(draw(0, n_ellipses))):
        x, y = draw(-0.7, 0.7) * a, draw(-0.7, 0.7) * b
        inside = ellipse(x, y, draw(0.02, 0.4), draw(0.02, 0.4), draw(0, math.pi))
        image = image + draw(-0.3, 0.3) * (inside & body)
    image = image.clamp(0, 1).reshape(size, OVERSAMPLING, size, OVERSAMPLING)
    return image.mean((1, 3))[None]


def random_phantoms(n, size, seed):
    """{name: image (1, size, size)}; each phantom has a seed of its own.

    At most MAX_PHANTOMS: those of two seeds have none in common.
    """
    return {
        f"phantom{i}": random_phantom(
            size, torch.Generator().manual_seed(MAX_PHANTOMS * seed + i)
        )
        for i in range(n)
    }
