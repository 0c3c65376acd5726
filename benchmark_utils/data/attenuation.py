"""Images of tomography: attenuations in [0, 1], from Hounsfield units.

The attenuation of x-rays is that of water times 1 + HU / 1000. Images hold it over
MAX_ATTENUATION, 2.5 times that of water: air (-1000 HU and below) is 0, water 0.4, and
1500 HU, dense bone, and all above it, 1.
"""

import numpy as np

from benchmark_utils.common.errors import NotApplicable
from benchmark_utils.data.domain import Domain

AIR, WHITE = -1000, 1500

# Scanners write -3024 or so beyond their field of view, and 4095 at most.
LOWEST, HIGHEST = -3024, 4095


def from_hounsfield(hu, name="The image"):
    """Attenuations in [0, 1], float32, of Hounsfield units: an array of any shape.

    Raises
    ------
    NotApplicable
        NaN, or values that are no Hounsfield units.
    """
    hu = np.asarray(hu, np.float32)
    if not np.isfinite(hu).all():
        raise NotApplicable(f"{name} has NaN or infinite values in place of some HU.")
    low, high = hu.min(), hu.max()
    if low < LOWEST or high > HIGHEST:
        raise NotApplicable(
            f"{name} has values from {low:.4g} to {high:.4g}, and Hounsfield units are "
            f"from {LOWEST} to {HIGHEST}: apply the slope and intercept of the file."
        )
    if low > AIR / 2:
        raise NotApplicable(
            f"{name} has values from {low:.4g} to {high:.4g}, and no air: Hounsfield "
            "units are about -1000 there; apply the slope and intercept of the file."
        )
    return ((hu - AIR) / (WHITE - AIR)).clip(0, 1)


def reduced(image, size):
    """Means of squares of pixels: an image (n, n) to (size, size), no resampling.

    Raises
    ------
    NotApplicable
        n is no multiple of ``size``.
    """
    n, width = image.shape
    if n != width or n % size:
        raise NotApplicable(
            f"An image of {n}x{width} pixels has no means of {size}x{size}: choose an "
            f"img_size that divides its sides."
        )
    factor = n // size
    return image.reshape(size, factor, size, factor).mean((1, 3))


# Shown from air to 400 HU: lungs and soft tissues.
ATTENUATIONS = Domain(
    "image", is_medical=True, window=tuple(from_hounsfield([-1000, 400]).tolist())
)
