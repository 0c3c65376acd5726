"""PSNR of each shipped network on its own task: the table of the weights' card.

    python training/evaluate.py

256x256 centres of BSDS500 val, which no network was trained on, at fixed strengths of
each degradation and one seed, beside the trivial method: the degraded image itself,
enlarged (bicubic) or its holes filled (Gaussian mean) where that is needed.
"""

import sys
from dataclasses import replace
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmark_utils.data import center_crop, load_images  # noqa: E402
from benchmark_utils.physics import DEGRADATIONS  # noqa: E402
from benchmark_utils.priors import load_compact, on_image_grid  # noqa: E402
from benchmark_utils.scoring import psnr  # noqa: E402

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
def main():
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


if __name__ == "__main__":
    main()
