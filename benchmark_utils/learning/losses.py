"""Losses that need measurements alone: deepinv's, behind one name each.

``mc`` and ``sure`` hold the reconstruction to the measurements; ``ei``, ``moi`` and
``moei`` add what is known of all images (they may be turned) or of all operators. Names
are joined by "+"; the last three have ``mc`` beside them where no other data loss is
named. Those of splitting.py are alone.
"""

from deepinv.loss import EILoss, MCLoss, MOEILoss, MOILoss
from deepinv.loss import SureGaussianLoss as Sure

from benchmark_utils.common.errors import NotApplicable
from benchmark_utils.learning.samples import turned
from benchmark_utils.learning.splitting import (
    SPLITTING,
    check_angles,
    has_gaussian_noise,
)
from benchmark_utils.physics.noise import noise_level

DATA_LOSSES = "mc", "sure", *SPLITTING
LOSSES = *DATA_LOSSES, "ei", "moi", "moei"


def names_of(loss):
    names = str(loss).split("+")
    return names if set(names) & set(DATA_LOSSES) else ["mc", *names]


def check_losses(loss, batches, losses=LOSSES):
    """Raise ``NotApplicable`` for an unknown loss, or what it is not made for.

    ``losses`` are those that a solver takes.
    """
    names = names_of(loss)
    is_known = set(names) <= set(losses)
    if not is_known or (len(names) > 1 and not SPLITTING.keys().isdisjoint(names)):
        raise NotApplicable(
            f"loss must be one of {', '.join(losses)}, or some of them joined by + "
            f"(losses that split are alone), not {loss!r}."
        )
    if "sure" in names and not all(has_gaussian_noise(b.physics) for b in batches):
        raise NotApplicable(
            "The loss sure is for Gaussian noise: take another one, or noise=gaussian."
        )
    if loss == "noise2inverse":
        check_angles(batches)


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
    if loss in SPLITTING:
        return SPLITTING[loss](network, batch)
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
