"""One network per task, or one that is told the task? Same total training for both.

    python training/compare_conditioning.py --steps 300

trains ``len(TASKS)`` networks for ``steps`` each, then one network on all tasks for
``len(TASKS) * steps``, whose features get a learned offset per task; all start as the
small denoiser. Prints PSNR (dB) on held-out training photographs, the same for both.
"""

import argparse
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmark_utils.data import load_images  # noqa: E402
from benchmark_utils.physics import DEGRADATIONS  # noqa: E402
from benchmark_utils.priors import CompactUNet  # noqa: E402
from training.recipes import Recipe  # noqa: E402
from training.train import N_HELD_OUT, mean_psnr, train  # noqa: E402

TASKS = ("deblur", "jpeg", "sr2", "inpaint")


class ConditionedUNet(CompactUNet):
    """The compact network with an offset per task after its first convolution."""

    def __init__(self, **options):
        super().__init__(**options)
        self.task = None
        self.offsets = nn.Parameter(torch.zeros(len(TASKS), self.head.out_channels))
        self.head.register_forward_hook(self._shift)

    def _shift(self, head, inputs, features):
        return features + self.offsets[self.task].view(1, -1, 1, 1).to(features)


@dataclass(frozen=True)
class AnyTask:
    """The degradation of a task drawn at each call; the network is told which."""

    network: ConditionedUNet

    def __call__(self, x, generator):
        task = int(torch.randint(len(TASKS), (1,), generator=generator))
        self.network.task = task
        return DEGRADATIONS[TASKS[task]](x, generator)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=300)
    steps = parser.parse_args().steps
    held_out = list(load_images("bsds500-train").values())[:N_HELD_OUT]

    def recipe(task):
        return Recipe(
            degradation=DEGRADATIONS[task],
            steps=steps,
            start="small_denoiser",
            crops=(96, 96),
            muon_lr=1e-3,
            adam_lr=5e-4,
            decay_share=0.7,
        )

    def psnr(network, task):
        return mean_psnr(network.eval(), recipe(task), held_out)

    with tempfile.TemporaryDirectory() as folder:
        separate = [
            psnr(train(recipe(task), Path(folder) / task), task) for task in TASKS
        ]
        conditioned = ConditionedUNet()
        joint = replace(
            recipe("sr2"), degradation=AnyTask(conditioned), steps=len(TASKS) * steps
        )
        train(joint, Path(folder) / "joint", conditioned)
        together = []
        for index, task in enumerate(TASKS):
            conditioned.task = index
            together.append(psnr(conditioned, task))
    print("| task | one network per task | one network, told the task |")
    print("|---|---|---|")
    for task, one, several in zip(TASKS, separate, together):
        print(f"| {task} | {one:.2f} | {several:.2f} |")


if __name__ == "__main__":
    main()
