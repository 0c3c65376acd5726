"""Losses where one part of the measurements predicts the other one.

At test time, what a network was trained for is the mean over several splits.
"""

import warnings
from itertools import product

import deepinv as dinv
import torch
from deepinv.loss import SplittingLoss, SureGaussianLoss
from deepinv.physics.generator import GaussianSplittingMaskGenerator

from benchmark_utils.common.errors import NotApplicable
from benchmark_utils.learning.samples import draw_turns
from benchmark_utils.physics.back_projection import filtered_back_projection
from benchmark_utils.physics.data_term import data_term
from benchmark_utils.physics.noise import noise_level
from benchmark_utils.physics.tomography import Tomography

# Share of the measurements that the network is given, and splits of a test image.
SHARE_GIVEN, N_SPLITS = 0.9, 5
# Of the angles, of which noise2inverse gives all but one.
N_PARTS = 4


def has_gaussian_noise(physics):
    return isinstance(physics.noise_model, dinv.physics.GaussianNoise)


def splitting_loss(network, batch):
    """What a network makes of a part of y predicts the other part.

    Yaman et al. (2020). The squares are divided by the number of values to predict.
    """
    given, rest = split(batch.y, batch.physics)
    return _squares(network(*given), *rest)


def equivariant_splitting_loss(network, batch):
    """The same for R(y, A) = T R0(y, A T), T a random turn; what is given counts too.

    Sechaud et al. (2026): a network that turns with the image sees, of one operator A,
    the operators A T. What is given is held to by SURE where the noise is Gaussian.
    """
    turns = draw_turns(len(batch.y))

    def turned_network(y, physics):
        return network(y, physics, turns)

    given, rest = split(batch.y, batch.physics)
    x_net = turned_network(*given)
    y, physics = given
    if has_gaussian_noise(physics):
        loss = SureGaussianLoss(noise_level(physics, y))
        seen = loss(x_net=x_net, y=y, physics=physics, model=turned_network).mean()
        seen = seen * y.numel() / _number(y)
    else:
        seen = _squares(x_net, y, physics)
    return seen + _squares(x_net, *rest)


def _squares(x, y, physics):
    """The mean of (A x - y)^2 over the values of y that are not masked."""
    return (y - physics.A(x)).square().sum() / _number(y)


def _number(y):
    return (y != 0).sum().clamp(min=1)


def noise2inverse_loss(network, batch):
    """The image of some angles predicts that of the others, whose noise is independent.

    Hendriksen, Pelt and Batenburg (2020), "Noise2Inverse: self-supervised deep
    convolutional denoising for tomography", with their strategy X:1: one part in four
    is predicted from the three others.
    """
    part = int(torch.randint(N_PARTS, (1,)))
    given, target = back_projections(batch.y, batch.physics, part)
    level = noise_level(batch.physics, batch.y)
    return (network.denoiser(given, level) - target).square().mean()


def back_projections(y, physics, part):
    """Filtered back-projections of all angles but those of a part, and of these.

    The angles of a part are N_PARTS apart: both are images of the whole range.
    """
    is_target = torch.arange(y.shape[-1], device=y.device) % N_PARTS == part
    weights = [chosen / chosen.float().mean() for chosen in (~is_target, is_target)]
    both = torch.cat([y * weight for weight in weights])
    return filtered_back_projection(physics, both, "ramp").chunk(2)


def check_angles(batches):
    """Raise ``NotApplicable`` for what noise2inverse cannot split."""
    for batch in batches:
        if not isinstance(batch.physics, Tomography):
            raise NotApplicable(
                "The loss noise2inverse splits the angles of sinograms: choose a "
                "problem of tomography (ct, ct_sparse, ct_limited or ct_fan), or the "
                "loss splitting."
            )
        n_angles = batch.physics.geometry.n_angles
        if n_angles < N_PARTS:
            raise NotApplicable(
                f"The loss noise2inverse splits the angles in {N_PARTS} parts, and "
                f"there are {n_angles}: choose n_angles={N_PARTS} or more."
            )


# name: loss (network, batch) -> tensor (). The last two are for an ArtifactRemoval
# (benchmark_utils/priors/reconstruction.py).
SPLITTING = {
    "splitting": splitting_loss,
    "noise2inverse": noise2inverse_loss,
    "equivariant_splitting": equivariant_splitting_loss,
}


def predictions(loss, network, y, physics, generator):
    """Yield what a network that was trained with ``loss`` makes of y, to be averaged.

    Splits are drawn from ``generator``.
    """
    if loss == "noise2inverse":
        level = noise_level(physics, y)
        for part in range(N_PARTS):
            yield network.denoiser(back_projections(y, physics, part)[0], level)
    elif loss == "splitting":
        for _ in range(N_SPLITS):
            yield network(*split(y, physics, generator)[0])
    elif loss == "equivariant_splitting":
        for turn in product((0, 1), repeat=3):
            turns = torch.tensor([turn] * len(y))
            yield network(*split(y, physics, generator)[0], turns)
    else:
        yield network(y, physics)


def split(y, physics, generator=None):
    """Two pairs (y, A) that share the measurements: SHARE_GIVEN of them, and the rest.

    They are drawn from ``generator``, torch's global one by default. Of k-space, the
    centre is always given.
    """
    if isinstance(physics, dinv.physics.Denoising):
        # The same operator, of which parts are masks as well.
        noise = physics.noise_model
        physics = dinv.physics.Inpainting(y.shape[1:], torch.ones_like(y[:1, :1]))
        physics.noise_model = noise
    is_mri = isinstance(physics, dinv.physics.MRI | dinv.physics.MultiCoilMRI)
    draw = _draw_k_space if is_mri else _draw_values
    given = draw(y, physics, generator or torch.default_generator).to(y)
    with warnings.catch_warnings():
        # deepinv warns that there is no closed form: none is asked for.
        warnings.simplefilter("ignore", UserWarning)
        pairs = [SplittingLoss.split(mask, y, physics) for mask in (given, 1 - given)]
    for _, part in pairs:
        # That of the whole operator is a bound; the power method would take its time.
        part.squared_norm = data_term(physics, y).lipschitz
    return pairs


def _draw_values(y, physics, generator):
    """Which values are given, each with the same probability: (B, 1, H, W)."""
    shape = len(y), 1, *y.shape[-2:]
    draws = torch.rand(shape, generator=generator, device=generator.device)
    return draws < SHARE_GIVEN


def _draw_k_space(y, physics, generator):
    """The same in k-space: those to predict are near its centre, but never in it.

    Yaman et al. (2020). An image that loses its lowest frequencies is lost, and no
    network of images can be asked for its mean.
    """
    shape = 1, *y.shape[-2:]
    masks = GaussianSplittingMaskGenerator(
        shape, SHARE_GIVEN, device=generator.device, rng=generator
    )
    measured = physics.mask[:, :1].reshape(-1, *shape)
    return masks.step(len(y), measured)["mask"]
