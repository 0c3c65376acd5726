"""What the signals of a batch are, so that nobody has to guess it from their shape."""

from dataclasses import dataclass

import torch

from benchmark_utils.physics.tomography import Tomography

# How sentences call the kinds of signals.
KINDS = {
    "image": "images",
    "complex": "complex images",
    "vector": "vectors",
}


@dataclass(frozen=True)
class Domain:
    """The kind of the signals, and how they are scored and shown.

    Attributes
    ----------
    kind : str
        "image": (B, C, H, W), real. "complex": (B, 2, H, W), the real and the imaginary
        part of an image. "vector": (B, n).
    low, high : float
        Range of the values (of the magnitudes, where they are complex).
    is_medical : bool
        Whether they are scored as medical images too.
    window : (float, float) or None
        The values that pictures show as black and as white; low and high if None.
    """

    kind: str = "image"
    low: float = 0.0
    high: float = 1.0
    is_medical: bool = False
    window: tuple | None = None

    @property
    def is_image(self):
        """Whether signals have rows and columns, real or complex."""
        return self.kind != "vector"

    def scored(self, x):
        """What the metrics compare: x, or the magnitude (B, 1, H, W) of a complex x.

        It is brought to [0, 1], the range that PSNR and SSIM are computed for.
        """
        if self.kind == "complex":
            x = torch.linalg.vector_norm(x, dim=1, keepdim=True)
        if (self.low, self.high) == (0.0, 1.0):
            return x
        return (x - self.low) / (self.high - self.low)

    def shown(self, x):
        """A picture of signals: (B, C, H, W), black at 0 and white at 1."""
        x = self.scored(x)
        if self.window is None:
            return x
        low, high = self.window
        return (x - low) / (high - low)

    def measurement_picture(self, y, physics):
        """A picture of measurements: (B, C, H, W) in [0, 1].

        A sinogram, 0 black and its largest value white. y itself where it is an image
        with channels to look at; else A^T y, the darkest value black and the brightest
        one white.
        """
        if isinstance(physics, Tomography):
            return y / y.amax((1, 2, 3), keepdim=True).clamp(min=tiny(y))
        x = physics.A_adjoint(y)
        if self.kind == "image" and y.ndim == 4 and y.shape[1] == x.shape[1]:
            return self.scored(y)
        seen = self.scored(x)
        low, high = (f(seen, (1, 2, 3), keepdim=True) for f in (torch.amin, torch.amax))
        return (seen - low) / (high - low).clamp(min=tiny(seen))


def tiny(x):
    return torch.finfo(x.dtype).tiny


IMAGES = Domain("image")
COMPLEX_IMAGES = Domain("complex", is_medical=True)
VECTORS = Domain("vector")
