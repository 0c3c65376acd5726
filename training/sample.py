"""Images that the denoiser ``wide`` makes of noise, and its PSNR from little to much.

    python training/sample.py training/samples.jpg

Writes a sheet of 64x64 images, sampled by deepinv's variance-exploding diffusion
(the SDE of Song et al., 2021, from noise of level 80 on the scale of [-1, 1]), and
prints the PSNR of ``wide`` and of the denoiser on the photographs of BSD68.
"""

import argparse
import sys
from pathlib import Path

import torch
from deepinv.sampling import EulerSolver, VarianceExplodingDiffusion
from torchvision.utils import save_image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmark_utils.data import center_crop, load_images  # noqa: E402
from benchmark_utils.priors import load_compact  # noqa: E402
from benchmark_utils.scoring import psnr  # noqa: E402

LEVELS = (0.05, 0.1, 0.2, 0.5, 1.0)
SIDE, ROWS, COLUMNS, N_STEPS = 64, 4, 8, 200


def samples(network, seed):
    """(ROWS * COLUMNS, 3, SIDE, SIDE), with values around [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    solver = EulerSolver(t_start=1.0, t_end=0.0, num_steps=N_STEPS, rng=generator)
    sde = VarianceExplodingDiffusion(
        network, sigma_min=0.004, sigma_max=80.0, alpha=1.0, solver=solver
    )
    return sde.sample((ROWS * COLUMNS, 3, SIDE, SIDE), seed=seed)


def mean_psnrs(networks, images, level):
    """Mean PSNR (dB) of each network on images with noise of this level."""
    generator = torch.Generator().manual_seed(0)
    rows = []
    for x in images:
        y = x + level * torch.randn(x.shape, generator=generator)
        rows.append(torch.stack([psnr(net(y, level), x)[0] for net in networks]))
    return torch.stack(rows).mean(0).tolist()


@torch.inference_mode()
def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("sheet", type=Path, help="image to write")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    wide, denoiser = (load_compact(name, "cpu") for name in ("wide", "denoiser"))
    save_image(samples(wide, args.seed).clamp(0, 1), args.sheet, nrow=COLUMNS)
    images = [center_crop(x, 256)[None] for x in load_images("bsd68").values()]
    print("| noise | wide | denoiser |\n|---|---|---|")
    for level in LEVELS:
        ours = mean_psnrs((wide, denoiser), images, level)
        print(f"| {level} | {ours[0]:.2f} | {ours[1]:.2f} |", flush=True)


if __name__ == "__main__":
    main()
