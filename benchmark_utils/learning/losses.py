"""Losses that need measurements alone: deepinv's, behind one name each.

``mc``, ``sure`` and ``splitting`` hold the reconstruction to the measurements; ``ei``,
``moi`` and ``moei`` add what is known of all images (they may be turned) or of all
operators. Names are joined by "+"; the last three have ``mc`` beside them where no
other data loss is named.
"""

import warnings

import deepinv as dinv
import torch
from deepinv.loss import EILoss, MCLoss, MOEILoss, MOILoss, SplittingLoss
from deepinv.loss import SureGaussianLoss as Sure

from benchmark_utils.common.errors import NotApplicable
from benchmark_utils.learning.samples import turned
from benchmark_utils.physics.data_term import data_term
from benchmark_utils.physics.noise import noise_level

DATA_LOSSES = "mc", "sure", "splitting"
LOSSES = *DATA_LOSSES, "ei", "moi", "moei"

# Share of the measurements that the network is given, by ``splitting``.
SHARE_GIVEN = 0.9


def names_of(loss):
    names = str(loss).split("+")
    return names if set(names) & set(DATA_LOSSES) else ["mc", *names]


def check_losses(loss, batches):
    """Raise ``NotApplicable`` for an unknown loss, or noise that it is not made for."""
    names = names_of(loss)
    unknown = [name for name in names if name not in LOSSES]
    if unknown or ("splitting" in names and len(names) > 1):
        raise NotApplicable(
            f"loss must be one of {', '.join(LOSSES)}, or some of them joined by + "
            f"(splitting is alone), not {loss!r}."
        )
    is_gaussian = all(
        isinstance(b.physics.noise_model, dinv.physics.GaussianNoise) for b in batches
    )
    if "sure" in names and not is_gaussian:
        raise NotApplicable(
            "The loss sure is for Gaussian noise: take another one, or noise=gaussian."
        )


def self_supervised_loss(loss, network, batch, other_physics=None):
    """The loss of a network on a batch, of which ``x`` is not looked at: tensor ().

    Random numbers come from torch's global generator.

    Parameters
    ----------
    loss : str
    network : callable (y, physics) -> x
    other_physics : callable (batch) -> physics
        Draws other operators for as many images, for ``moi`` and ``moei``.
    """
    names = names_of(loss)
    if names == ["splitting"]:
        return splitting_loss(network, batch)
    y, physics = batch.y, batch.physics
    x_net = network(y, physics)

    def term(name):
        if name == "mc":
            return MCLoss()
        if name == "sure":
            return Sure(noise_level(physics, y))
        if name == "ei":
            return EILoss(turned)
        if name == "moi":
            return MOILoss([other_physics(batch)])
        return MOEILoss(turned, physics=[other_physics(batch)])

    return sum(
        term(name)(x_net=x_net, y=y, physics=physics, model=network).mean()
        for name in names
    )


def splitting_loss(network, batch):
    """What a network makes of a part of y predicts the other part.

    Yaman et al. (2020); Noise2Inverse (Hendriksen et al., 2020) for sinograms. The
    squares are divided by the number of values to predict.
    """
    (given, kept) = split(batch.y, batch.physics)
    x_net = network(*given)
    y, physics = kept
    missing = (y - physics.A(x_net)).square().sum()
    return missing / (y != 0).sum().clamp(min=1)


def split(y, physics, generator=None):
    """Two pairs (y, A) that share the measurements: SHARE_GIVEN of them, and the rest.

    They are drawn from ``generator``, torch's global one by default.
    """
    if isinstance(physics, dinv.physics.Denoising):
        # The same operator, of which parts are masks as well.
        noise = physics.noise_model
        physics = dinv.physics.Inpainting(y.shape[1:], torch.ones_like(y[:1, :1]))
        physics.noise_model = noise
    shape = len(y), 1, *y.shape[-2:]
    device = "cpu" if generator is None else generator.device
    draws = torch.rand(shape, generator=generator, device=device).to(y.device)
    given = (draws < SHARE_GIVEN).to(y)
    with warnings.catch_warnings():
        # deepinv warns that there is no closed form: none is asked for.
        warnings.simplefilter("ignore", UserWarning)
        pairs = [SplittingLoss.split(mask, y, physics) for mask in (given, 1 - given)]
    for _, part in pairs:
        # That of the whole operator is a bound; the power method would take its time.
        part.squared_norm = data_term(physics, y).lipschitz
    return pairs
