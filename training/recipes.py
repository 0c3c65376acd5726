"""What each compact network is trained on: the table that training/train.py reads."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from torch.nn import functional as F

from benchmark_utils.physics import DEGRADATIONS, BrushMask, LogNoise, OneOf
from benchmark_utils.priors import CompactUNet, EDMUNet


def absolute_error(restored, x, sigma):
    """The mean absolute error: restoration networks are sharper for it."""
    return F.l1_loss(restored, x)


def edm_error(restored, x, sigma):
    """The squared error, each noise level of equal weight at the start: EDM's."""
    data = EDMUNet.sigma_data
    weight = 1 / sigma.square() + 1 / data**2
    return (weight.view(-1, 1, 1, 1) * (restored - x).square()).mean()


LOSSES = {"absolute": absolute_error, "edm": edm_error}


@dataclass(frozen=True)
class Recipe:
    """One training run.

    ``degradation`` is what the network learns to undo, in the sense of a loss of
    ``LOSSES``. The run starts from the shipped weights of ``start``, else from random
    ones. ``crops`` are the crop sizes before and during the decay of the learning rate,
    which fills the last ``decay_share`` of the steps. ``restart`` is a step and a
    factor: from there on the schedule begins again, with that part of the rates (warm
    restart: Loshchilov and Hutter, 2017).
    """

    degradation: Callable
    steps: int
    loss: str = "absolute"
    architecture: type = CompactUNet
    start: str | None = None
    widths: tuple = (48, 96, 128)
    blocks: int = 2
    channels: int = 3
    crops: tuple = (64, 96)
    pixels_per_batch: int = 16 * 64**2
    muon_lr: float = 2e-3
    adam_lr: float = 1e-3
    decay_share: float = 0.5
    restart: tuple = (0, 1.0)
    seed: int = 0


def deep(degradation, steps, **others):
    """A network of twice the depth of the small denoiser, which starts as the denoiser.

    It is a restoration network, or the denoiser of grey images.
    """
    return Recipe(
        degradation=degradation,
        steps=steps,
        start="denoiser",
        blocks=4,
        crops=(96, 96),
        muon_lr=5e-4,
        adam_lr=2.5e-4,
        decay_share=0.85,
        **others,
    )


def on_gpu(degradation, steps, **others):
    """A deep network on large batches: a step of eight of a CPU's, at higher rates."""
    return replace(
        deep(degradation, steps, **others),
        crops=(96, 128),
        pixels_per_batch=8 * Recipe.pixels_per_batch,
        muon_lr=1e-3,
        adam_lr=5e-4,
    )


RECIPES = {
    "small_denoiser": Recipe(degradation=DEGRADATIONS["denoiser"], steps=16_000),
    "denoiser": Recipe(
        degradation=DEGRADATIONS["denoiser"],
        steps=38_000,
        restart=(22_000, 0.5),
        start="small_denoiser",
        blocks=4,
        crops=(96, 96),
        muon_lr=1e-3,
        adam_lr=5e-4,
        decay_share=0.85,
    ),
    "grey": on_gpu(DEGRADATIONS["denoiser"], steps=4614, channels=1),
    "deblur": on_gpu(DEGRADATIONS["deblur"], steps=5330),
    "motion": on_gpu(DEGRADATIONS["motion"], steps=5136),
    "jpeg": on_gpu(DEGRADATIONS["jpeg"], steps=3991),
    "sr2": deep(DEGRADATIONS["sr2"], steps=12_000),
    "sr3": on_gpu(DEGRADATIONS["sr3"], steps=5139),
    "inpaint": on_gpu(OneOf((DEGRADATIONS["inpaint"], BrushMask())), steps=4392),
    # Any noise level, for samplers.
    "wide": Recipe(
        degradation=LogNoise(),
        steps=5194,
        loss="edm",
        architecture=EDMUNet,
        widths=(40, 88, 128, 128),
        blocks=3,
        crops=(64, 64),
        pixels_per_batch=8 * Recipe.pixels_per_batch,
        decay_share=0.85,
    ),
}
