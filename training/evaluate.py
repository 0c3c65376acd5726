"""The tables of the weights' card: PSNR of each shipped network on its own task.

    python training/evaluate.py

First the denoisers on the colour BSD68, at noise of 15, 25 and 50 / 255, by the
protocol of the published figures: noise that is not clipped, results in 8 bits. Then
all networks on 256x256 centres of BSDS500 val, which no network was trained on, at
fixed strengths of each degradation and one seed, beside the trivial method: the
degraded image itself, enlarged (bicubic) or its holes filled (Gaussian mean) where that
is needed.
"""

import sys
from dataclasses import replace
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmark_utils.degradations import DEGRADATIONS  # noqa: E402
from benchmark_utils.images import center_crop, load_images  # noqa: E402
from benchmark_utils.metrics import psnr  # noqa: E402
from benchmark_utils.restoration import load_compact, on_image_grid  # noqa: E402

LEVELS = (15, 25, 50)

# (task, what is measured, ranges that end where they start)
STRENGTHS = [
    ("denoiser", "noise 25/255", {"noise": (25 / 255, 25 / 255)}),
    ("denoiser", "noise 25/255, grey", {"noise": (25 / 255, 25 / 255)}),
    ("deblur", "Gaussian blur of 2 pixels", {"width": (2, 2), "noise": (0.01, 0.01)}),
    ("motion", "random 31x31 kernels", {"noise": (0.01, 0.01)}),
    ("jpeg", "JPEG of quality 20", {"quality": (20, 20), "noise": (0, 0)}),
    ("sr2", "bicubic x2", {"noise": (0, 0)}),
    ("sr3", "bicubic x3", {"noise": (0, 0)}),
    ("inpaint", "half of the pixels", {"missing": (0.5, 0.5), "noise": (0, 0)}),
]


@torch.inference_mode()
def denoisers():
    """Print the PSNR of the denoisers on BSD68, in 8 bits."""
    print(f"| network | {' | '.join(f'noise {level}/255' for level in LEVELS)} |")
    print("|---" * (len(LEVELS) + 1) + "|")
    for name in ("denoiser", "small_denoiser"):
        network, means = load_compact(name, "cpu"), []
        for level in LEVELS:
            psnrs = []
            for seed, image in enumerate(load_images("bsd68").values()):
                generator = torch.Generator().manual_seed(seed)
                noise = torch.randn(image.shape, generator=generator)
                y = (image + level / 255 * noise)[None]
                in_8_bits = network(y, level / 255).clamp(0, 1).mul(255).round() / 255
                psnrs.append(psnr(in_8_bits, image[None]))
            means.append(f"{float(torch.cat(psnrs).mean()):.2f}")
        print(f"| {name} | {' | '.join(means)} |", flush=True)


@torch.inference_mode()
def tasks():
    """Print the PSNR of each network on its task."""
    images = [
        center_crop(image, 256)[None] for image in load_images("bsds500-val").values()
    ]
    print("| network | task | trivial | network's PSNR |")
    print("|---|---|---|---|")
    for task, description, ranges in STRENGTHS:
        network = load_compact(task, "cpu")
        degradation = replace(DEGRADATIONS[task], **ranges)
        generator = torch.Generator().manual_seed(0)
        before, after = [], []
        for x in images:
            if description.endswith("grey"):
                x = x.mean(1, keepdim=True)
            y, sigma = on_image_grid(degradation(x, generator), x.shape[-2:])
            before.append(psnr(y, x))
            after.append(psnr(network(y, sigma), x))
        trivial, restored = (float(torch.cat(p).mean()) for p in (before, after))
        scores = f"{trivial:.2f} | {restored:.2f}"
        print(f"| {task} | {description} | {scores} |", flush=True)


def main():
    denoisers()
    tasks()


if __name__ == "__main__":
    main()
