"""What is measured on a reconstruction x_hat of x. Each returns one value per image."""

from functools import cache
from pathlib import Path

import deepinv as dinv
import torch
from safetensors.torch import load_file
from skimage.metrics import structural_similarity
from torchmetrics.functional.image.lpips import _LPIPS

from benchmark_utils.common.checksums import check, read_checksums

# The side of the Gaussian window of SSIM, of standard deviation 1.5.
SSIM_WINDOW = 11

ALEXNET = Path(__file__).parent / "weights" / "alexnet_features.safetensors"
LPIPS_SMALLEST_SIDE = 31


def psnr(x_hat, x):
    """-10 log10(mean (x_hat - x)^2) for data in [0, 1], in dB, not clipped: (B,)."""
    return -10 * (x_hat - x).flatten(1).square().mean(1).log10()


def ssim(x_hat, x):
    """Structural similarity (Wang et al., 2004), from -1 to 1, 1 at best: (B,).

    By scikit-image, with the window of the paper: the mean over the pixels whose window
    is inside of the image, and over the channels. In float64, for its variances are
    differences of large numbers: those of a bright and smooth image would be 1e-4 off.
    """
    pairs = zip(*(v.double().cpu().numpy() for v in (x_hat, x)))
    values = [
        structural_similarity(
            *pair,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=1.0,
            channel_axis=0,
        )
        for pair in pairs
    ]
    return x.new_tensor(values).clamp(-1, 1)


def ssim_applies(x):
    """Whether the window of SSIM fits in x (B, C, H, W)."""
    return min(x.shape[-2:]) >= SSIM_WINDOW


def nmse(x_hat, x):
    """||x_hat - x||^2 / ||x||^2, as in fastMRI: 0 at best, 1 for x_hat = 0: (B,)."""
    return dinv.metric.NMSE()(x_hat, x)


def haarpsi(x_hat, x):
    """Haar wavelet similarity (Reisenhofer et al., 2018), 1 at best, of [0, 1]: (B,).

    With C = 5 and alpha = 4.9, which suit medical images (Karner et al., 2024). x_hat
    is clipped.
    """
    return dinv.metric.HaarPSI(C=5.0, alpha=4.9)(x_hat.clamp(0, 1), x.clamp(0, 1))


def data_fit_error(f, x_hat):
    """1/2 ||A x_hat - y||^2 / dim(y): (B,). Half of the noise variance at the truth.

    The missing pixels of an inpainting problem are not measurements.
    """
    return f.value(x_hat) / f.n_measurements


def range_and_kernel_psnr(f, x_hat, x, n_values=None):
    """PSNR of what the measurements determine, and of what they say nothing about.

    With P = A^+ A without the small singular values, the error splits as
    ||P e||^2 + ||e - P e||^2 = ||e||^2 (up to what P is of a projector where there is
    no closed form). Both parts are divided by ``n_values``, the number of values that
    ``psnr`` compares: those of x, or its pixels where x is complex. Singular values of
    a blur or of downsampling below ``KERNEL_THRESHOLD`` times the largest count as
    zero. The second is infinite where nothing is lost: what is left of the error there
    is rounding. f has no weights (``unweighted_data_term``): they would move both.

    Returns
    -------
    psnr_range, psnr_kernel : tensors (B,), in dB.
    """
    n_values = n_values or x[0].numel()
    energies = f.range_and_kernel_energy(x_hat - x)
    return tuple(-10 * (energy / n_values).log10() for energy in energies)


def lpips_applies(x):
    """Whether x (B, C, H, W) has colours, and sides that AlexNet can take."""
    channels, *sides = x.shape[1:]
    return channels == 3 and min(sides) >= LPIPS_SMALLEST_SIDE


@cache
def _lpips(device):
    """torchmetrics's LPIPS, with the features of AlexNet that are shipped here.

    Raises ``Unavailable`` where their file is not the recorded one.
    """
    check(ALEXNET, read_checksums(ALEXNET.with_name("SHA256SUMS"))[ALEXNET.name])
    # It draws weights, to be replaced.
    with torch.random.fork_rng(devices=[]):
        network = _LPIPS(pnet_rand=True)
    features = {
        key.removeprefix("features."): value
        for key, value in load_file(ALEXNET).items()
    }
    for part in network.net.children():
        keys = part.state_dict()
        part.load_state_dict({key: features[key] for key in keys})
    return network.to(device, torch.float32)


def lpips(x_hat, x):
    """Learned perceptual distance (Zhang et al., 2018), 0 at best, colour: (B,)."""
    return _lpips(x.device)(x_hat.clamp(0, 1), x, normalize=True).flatten()


def anomaly(prior, x):
    """10 log10 of the distance to the fixed points of a prior, in dB: (B,).

    d_C(x)^2 = ||x - T(x)||^2 per value (Terris et al., 2025), the lower the more the
    image is to the prior's taste. T's randomness is drawn from a fixed seed.
    """
    generator = torch.Generator(x.device).manual_seed(0)
    return 10 * prior.distance(x, generator).log10()
