"""PSNR of each shipped network on its own task: the tables of the weights' card.

    python training/evaluate.py --images bsds500-val --outside /their/weights
    python training/evaluate.py --images imagenet100 --csv training/imagenet100.csv

252x252 centres of photographs that no network was trained on (BSDS500 val, or
``imagenet100``), at fixed strengths of each degradation and one seed, beside the
trivial method: the degraded image itself, enlarged (bicubic) or its holes filled
(Gaussian mean) where that is needed. ``--outside`` adds the networks of
training/outside.py, with half of the 95% interval of the paired difference to ours.
``--csv`` keeps the PSNR of each photograph, and goes on with what a file lacks.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmark_utils.data import center_crop, load_images  # noqa: E402
from benchmark_utils.physics import DEGRADATIONS  # noqa: E402
from benchmark_utils.priors import load_by_channels, on_image_grid  # noqa: E402
from benchmark_utils.scoring import psnr  # noqa: E402
from benchmark_utils.scoring.statistics import paired_interval  # noqa: E402
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
def psnrs_of(task, channels, ranges, images, outside):
    """PSNR (dB) of each image: by the trivial method, our network and that of others.

    Parameters
    ----------
    images : dict {name: tensor (1, 3, H, W)}
    outside : (name, function) or None, as ``load_outside`` gives it.

    Returns
    -------
    list of dict: image, trivial, ours, others, name (of the others' network, or None).
    """
    network = load_by_channels(task, "cpu")
    degradation = replace(DEGRADATIONS[task], **ranges)
    generator = torch.Generator().manual_seed(0)
    name, of_others = outside or (None, lambda degraded: None)
    found = []
    for image, x in images.items():
        x = x if channels == 3 else x.mean(1, keepdim=True)
        degraded = degradation(x, generator)
        y, sigma = on_image_grid(degraded, x.shape[-2:])
        answers = {
            "trivial": y,
            "ours": network(y, sigma),
            "others": of_others(degraded),
        }
        scores = {
            kind: None if answer is None else round(float(psnr(answer, x)), 3)
            for kind, answer in answers.items()
        }
        found.append({"image": image, **scores, "name": name})
    return found


def card(table):
    """The lines of a table of means, colour and grey side by side.

    Parameters
    ----------
    table : DataFrame
        What ``psnrs_of`` gives, with the task, channels and what of each case.
    """
    both = " | trivial | ours | others | grey: trivial | ours | others |"
    lines = ["| network | task" + both, "|---" * 8 + "|"]
    for (task, what), rows in table.groupby(["task", "what"], sort=False):
        cells = [task, what]
        for channels in (3, 1):
            of_case = rows[rows["channels"] == channels]
            cells += cells_of(of_case) if len(of_case) else ["", "", ""]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def cells_of(rows):
    """Means of one case; that of others with the interval of its difference to ours."""
    trivial, ours, others = rows[["trivial", "ours", "others"]].astype(float).mean()
    cells = [f"{trivial:.2f}", f"{ours:.2f}"]
    if rows["others"].isna().any():
        return [*cells, ""]
    low, high = paired_interval((rows["others"] - rows["ours"]).to_numpy(float))
    half_width = float(high - low) / 2
    return [*cells, f"{others:.2f} ±{half_width:.2f} ({rows['name'].iloc[0]})"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", default="bsds500-val", help="or imagenet100")
    parser.add_argument("--n-images", type=int, default=100)
    parser.add_argument("--outside", type=Path, help="folder of others' weights")
    parser.add_argument("--task", action="append", help="all by default")
    parser.add_argument("--csv", type=Path, help="the PSNR of each photograph")
    args = parser.parse_args()
    table = pd.DataFrame(columns=["task", "channels", "what"])
    if args.csv and args.csv.exists():
        table = pd.read_csv(args.csv)
    known = set(table[["task", "channels", "what"]].itertuples(index=False, name=None))
    images = {}
    for task, channels, what, ranges in cases():
        is_asked = not args.task or task in args.task
        if not is_asked or (task, channels, what) in known:
            continue
        images = images or centres(args.images, args.n_images)
        outside = load_outside(task, channels, args.outside)
        rows = pd.DataFrame(psnrs_of(task, channels, ranges, images, outside))
        rows.insert(0, "task", task)
        rows.insert(1, "channels", channels)
        rows.insert(2, "what", what)
        table = rows if table.empty else pd.concat([table, rows], ignore_index=True)
        if args.csv:
            table.to_csv(args.csv, index=False)
        print(f"{task}, {channels} channels, {what}: {rows['ours'].mean():.2f} dB")
    print("\n".join(card(table)))


def centres(images, n_images):
    """{name: tensor (1, 3, SIDE, SIDE)} of the first photographs with enough pixels."""
    large = {
        name: image
        for name, image in load_images(images).items()
        if min(image.shape[1:]) >= SIDE
    }
    return {
        name: center_crop(large[name], SIDE)[None] for name in list(large)[:n_images]
    }


if __name__ == "__main__":
    main()
