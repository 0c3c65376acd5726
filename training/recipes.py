"""What each compact network is trained on: the table that training/train.py reads."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from benchmark_utils.physics import DEGRADATIONS, BrushMask, OneOf


@dataclass(frozen=True)
class Recipe:
    """One training run.

    ``degradation`` is what the network learns to undo. The run starts from the shipped
    weights of ``start``, else from random ones. ``crops`` are the crop sizes before
    and during the decay of the learning rate, which fills the last ``decay_share`` of
    the steps. ``restart`` is a step and a factor: from there on the schedule begins
    again, with that part of the rates (warm restart: Loshchilov and Hutter, 2017).
    """

    degradation: Callable
    steps: int
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


def fine_tuned(degradation, steps):
    """A restoration network, which starts as the small denoiser."""
    return Recipe(
        degradation=degradation,
        steps=steps,
        start="small_denoiser",
        crops=(96, 96),
        muon_lr=1e-3,
        adam_lr=5e-4,
        decay_share=0.7,
    )


def deep(degradation, steps):
    """A restoration network of twice the depth, which starts as the denoiser."""
    return replace(
        fine_tuned(degradation, steps),
        start="denoiser",
        blocks=4,
        muon_lr=5e-4,
        adam_lr=2.5e-4,
        decay_share=0.85,
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
    # One channel: for grey and complex images. Not shipped yet.
    "grey": Recipe(
        degradation=DEGRADATIONS["denoiser"],
        steps=34_000,
        restart=(14_000, 1.2),
        start="denoiser",
        blocks=4,
        channels=1,
        crops=(96, 96),
        muon_lr=5e-4,
        adam_lr=2.5e-4,
        decay_share=0.85,
    ),
    "deblur": fine_tuned(DEGRADATIONS["deblur"], steps=2800),
    "motion": fine_tuned(DEGRADATIONS["motion"], steps=14_000),
    "jpeg": fine_tuned(DEGRADATIONS["jpeg"], steps=2800),
    "sr2": deep(DEGRADATIONS["sr2"], steps=12_000),
    "sr3": deep(DEGRADATIONS["sr3"], steps=9000),
    "inpaint": fine_tuned(OneOf((DEGRADATIONS["inpaint"], BrushMask())), steps=2800),
}
