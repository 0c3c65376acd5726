"""PSNR of each shipped network on its own task: the table of the weights' card.

    python training/evaluate.py --images bsds500-val --outside /their/weights

252x252 centres of photographs that no network was trained on (BSDS500 val, or
``imagenet100``), at fixed strengths of each degradation and one seed, beside the
trivial method: the degraded image itself, enlarged (bicubic) or its holes filled
(Gaussian mean) where that is needed. ``--outside`` adds the networks of
training/outside.py.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmark_utils.data import center_crop, load_images  # noqa: E402
from benchmark_utils.physics import DEGRADATIONS  # noqa: E402
from benchmark_utils.priors import load_by_channels, on_image_grid  # noqa: E402
from benchmark_utils.scoring import psnr  # noqa: E402
from training.outside import load_outside  # noqa: E402

# A multiple of both factors of super-resolution.
SIDE = 252


def cases():
    """(task, channels, what is measured, ranges that end where they start)."""
    for channels in (3, 1):
        for level in (15, 25, 50):
            noise = {"noise": 2 * (level / 255,)}
            yield "denoiser", channels, f"noise {level}/255", noise
        for quality in (10, 20, 40):
            ranges = {"quality": 2 * (quality,), "noise": (0, 0)}
            yield "jpeg", channels, f"JPEG of quality {quality}", ranges
        for task, factor in (("sr2", 2), ("sr3", 3)):
            for noise in (0, 0.02, 0.05):
                what = f"bicubic x{factor}, noise {noise}"
                yield task, channels, what, {"noise": (noise, noise)}
        width = {"width": (2, 2), "noise": (0.01, 0.01)}
        yield "deblur", channels, "Gaussian blur of 2 pixels", width
        yield "motion", channels, "random 31x31 kernels", {"noise": (0.01, 0.01)}
        missing = {"missing": (0.5, 0.5), "noise": (0, 0)}
        yield "inpaint", channels, "half of the pixels", missing


@torch.inference_mode()
def mean_psnrs(task, channels, ranges, images, outside):
    """Mean PSNR (dB) of the trivial method, our network and that of others, if any."""
    network = load_by_channels(task, "cpu")
    degradation = replace(DEGRADATIONS[task], **ranges)
    generator = torch.Generator().manual_seed(0)
    psnrs = []
    for x in images:
        x = x if channels == 3 else x.mean(1, keepdim=True)
        degraded = degradation(x, generator)
        y, sigma = on_image_grid(degraded, x.shape[-2:])
        answers = [y, network(y, sigma)]
        if outside is not None:
            answers.append(outside[1](degraded))
        psnrs.append(torch.stack([psnr(answer, x)[0] for answer in answers]))
    return torch.stack(psnrs).mean(0).tolist()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", default="bsds500-val", help="or imagenet100")
    parser.add_argument("--n-images", type=int, default=100)
    parser.add_argument("--outside", type=Path, help="folder of others' weights")
    parser.add_argument("--task", action="append", help="all by default")
    args = parser.parse_args()
    images = load_images(args.images).values()
    large = [image for image in images if min(image.shape[1:]) >= SIDE]
    images = [center_crop(image, SIDE)[None] for image in large[: args.n_images]]
    print(f"| network | channels | task, {args.images} | trivial | ours | others |")
    print("|---|---|---|---|---|---|")
    for task, channels, what, ranges in cases():
        if args.task and task not in args.task:
            continue
        outside = load_outside(task, channels, args.outside)
        trivial, ours, *theirs = mean_psnrs(task, channels, ranges, images, outside)
        others = f"{theirs[0]:.2f} ({outside[0]})" if theirs else ""
        row = [task, channels, what, f"{trivial:.2f}", f"{ours:.2f}", others]
        print("| " + " | ".join(map(str, row)) + " |", flush=True)


if __name__ == "__main__":
    main()
