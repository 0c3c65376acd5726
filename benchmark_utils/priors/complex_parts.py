"""Complex images as networks see them: their parts are two grey images.

A magnitude is in [0, 1], and so each part in [-1, 1]; networks know [0, 1], where noise
is half as strong.
"""


def as_grey_images(x):
    """Complex images (B, 2, H, W) as grey ones (2 B, 1, H, W): (part + 1) / 2."""
    return (x.flatten(0, 1)[:, None] + 1) / 2


def as_complex_images(grey):
    """The inverse of ``as_grey_images``."""
    return (2 * grey[:, 0] - 1).unflatten(0, (-1, 2))
