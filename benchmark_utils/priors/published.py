"""Published restoration networks, by task: what each is given, and what it returns."""

import torch
from torch.nn import functional as F

from benchmark_utils.common.errors import NotApplicable
from benchmark_utils.priors.published_weights import is_here, load_published

TASK_FILES = {
    "denoiser": "drunet",
    "motion": "restormer_motion",
    "jpeg": "scunet",
    "sr2": "swinir_x2",
    "sr3": "swinir_x3",
    "inpaint": "lama",
}


def published_file(task):
    """The key of ``FILES`` that the restorer of a task loads."""
    if task == "deblur":
        found = is_here("restormer_gaussian")
        return "restormer_gaussian" if found else "restormer_defocus"
    return TASK_FILES[task]


def _denoiser(device):
    network = load_published("drunet", device)
    return lambda degraded, size: network(degraded.y, degraded.sigma)


def _jpeg(device):
    network = load_published("scunet", device)
    return lambda degraded, size: network(degraded.y)


def _deblur(device):
    name = published_file("deblur")
    if name == "restormer_gaussian":
        return _fine_tuned(name)(device)
    network = load_published(name, device)
    return lambda degraded, size: network(degraded.y)


def _fine_tuned(name):
    """Restormer as FiRe's authors trained it: from H^T y, y being blurred by H."""

    def load(device):
        network = load_published(name, device)

        def restore(degraded, size):
            y = degraded.y
            return network(y if degraded.adjoint is None else degraded.adjoint(y))

        return restore

    return load


def _super_resolution(factor):
    def load(device):
        network = load_published(f"swinir_x{factor}", device)

        def restore(degraded, size):
            height, width = degraded.y.shape[-2:]
            if (height, width) != tuple(-(-side // factor) for side in size):
                raise NotApplicable(
                    f"SwinIR x{factor} makes {factor * height}x{factor * width} pixels "
                    f"of {height}x{width}, and {size[0]}x{size[1]} are asked for: it "
                    "needs its own degradation."
                )
            return network(degraded.y)[..., : size[0], : size[1]]

        return restore

    return load


def _inpaint(device):
    """LaMa. Images without a mask have no hole."""
    network = load_published("lama", device)

    def restore(degraded, size):
        y, mask = degraded.y, degraded.mask
        hole = torch.zeros_like(y[:, :1]) if mask is None else 1 - mask
        height, width = y.shape[-2:]
        # LaMa halves the sides three times, and does not pad.
        extra = (0, -width % 8, 0, -height % 8)
        padded = (F.pad(image, extra, mode="replicate") for image in (y, hole))
        return network(*padded)[..., :height, :width]

    return restore


# Tasks whose network takes nothing but the smaller images of its own degradation.
ENLARGING = ("sr2", "sr3")

# task: loader (device) -> restorer (Degraded, size: (H, W)) -> images (B, C, H, W)
PUBLISHED_RESTORERS = {
    "denoiser": _denoiser,
    "deblur": _deblur,
    "motion": _fine_tuned("restormer_motion"),
    "jpeg": _jpeg,
    "sr2": _super_resolution(2),
    "sr3": _super_resolution(3),
    "inpaint": _inpaint,
}
