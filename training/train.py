"""Train a compact network from one line: ``python training/train.py denoiser``.

The photographs are BSDS500 train and test; this script never reads val, which BSD20
and BSD68 are part of. Everything random comes from one seed, a checkpoint is written
every few minutes, and the same command resumes where it was stopped. At the end the
weights go to benchmark_utils/priors/weights, their checksum to the list beside them,
and the list of the photographs to TRAINED_ON.
"""

import argparse
import csv
import sys
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmark_utils.common import NotApplicable  # noqa: E402
from benchmark_utils.common.device import check_device, resolved  # noqa: E402
from benchmark_utils.common.shared_files import write_whole  # noqa: E402
from benchmark_utils.data import image_files, load_images  # noqa: E402
from benchmark_utils.learning import Photographs, fit, in_bfloat16  # noqa: E402
from benchmark_utils.priors import (  # noqa: E402
    ResidualBlock,
    load_compact,
    on_image_grid,
    save_compact_weights,
)
from benchmark_utils.priors.compact import WEIGHTS  # noqa: E402
from training.recipes import LOSSES, RECIPES  # noqa: E402

RUNS = ROOT / "training" / "runs"
# Nothing of val, which BSD20 and BSD68 are part of; the first ones are held out.
IMAGE_SETS = ("bsds500-train", "bsds500-test")
N_HELD_OUT = 10
TRAINED_ON = WEIGHTS / "TRAINED_ON"
SECONDS_BETWEEN_CHECKPOINTS = 240
# Steps whose time is measured before a training of so many minutes, after as many more.
N_PROBES = 50
SAFETY = 0.93


class MuonWithAdam:
    """Muon for the hidden convolutions, seen as matrices; Adam for both ends.

    Muon (Jordan et al., 2024) reached in 250 steps what AdamW needed 570 for on
    this network (see training/README.md). torch's version takes matrices only: they
    share their memory with the convolutions' weights.
    """

    def __init__(self, network, muon_lr, adam_lr):
        ends = [*network.head.parameters(), *network.tail.parameters()]
        at_ends = {id(weight) for weight in ends}
        self.hidden = [w for w in network.parameters() if id(w) not in at_ends]
        self.matrices = [torch.nn.Parameter(as_matrix(w.data)) for w in self.hidden]
        self.optimizers = [
            torch.optim.Muon(
                self.matrices,
                lr=muon_lr,
                weight_decay=0.0,
                adjust_lr_fn="match_rms_adamw",
            ),
            torch.optim.Adam(ends, lr=adam_lr, fused=True),
        ]
        self.base_lrs = [muon_lr, adam_lr]

    def step(self, lr_scale):
        for matrix, weight in zip(self.matrices, self.hidden):
            matrix.grad = as_matrix(weight.grad)
        for optimizer, lr in zip(self.optimizers, self.base_lrs):
            optimizer.param_groups[0]["lr"] = lr * lr_scale
            optimizer.step()

    def state_dict(self):
        return [optimizer.state_dict() for optimizer in self.optimizers]

    def load_state_dict(self, states):
        for optimizer, state in zip(self.optimizers, states, strict=True):
            optimizer.load_state_dict(state)


def as_matrix(weight):
    """A convolution's weight as a matrix, in the memory of channels_last weights."""
    return weight.movedim(1, -1).flatten(1)


def schedule(step, recipe):
    """Scale of the learning rate, and whether it decays, at a step of a recipe.

    Warm-up (200 steps, a tenth of short schedules), plateau, linear decay to zero.
    """
    restart, restarted_scale = recipe.restart
    if step < restart:
        done, steps, scale = step, restart, 1.0
    else:
        done, steps, scale = step - restart, recipe.steps - restart, restarted_scale
    warm_up = (done + 1) / min(200, 0.1 * steps)
    decay = (steps - done) / (steps * recipe.decay_share)
    return scale * min(warm_up, decay, 1.0), decay <= 1


def grey_weights(weights, channels):
    """The weights of a grey network that computes what a colour one does of grey.

    ``CompactUNet`` gives grey images to a colour network as equal channels, with
    sqrt(channels) times the noise level, and averages its answers: all of it is linear
    in the first and in the last convolution.
    """
    head, tail = weights["head.weight"], weights["tail.weight"]
    image, level = head[:, : 4 * channels], head[:, 4 * channels :]
    # pixel_unshuffle and pixel_shuffle keep the four pixels of a channel together.
    image = image.unflatten(1, (channels, 4)).sum(1)
    head = torch.cat([image, channels**0.5 * level], dim=1)
    tail = tail.unflatten(0, (channels, 4)).mean(0)
    return weights | {"head.weight": head, "tail.weight": tail}


def grow(network, start):
    """Make ``network`` compute what ``start``, of fewer blocks, computes.

    A grey network computes what a colour one does of grey images.

    The blocks that ``start`` does not have begin as the identity: their last
    convolution is zero.
    """
    weights = start.state_dict()
    if network.channels == 1 < start.channels:
        weights = grey_weights(weights, start.channels)
    for name, module in network.named_modules():
        if isinstance(module, ResidualBlock) and f"{name}.conv2.weight" not in weights:
            torch.nn.init.zeros_(module.conv2.weight)
    network.load_state_dict({**network.state_dict(), **weights})


@torch.inference_mode()
def mean_psnr(network, recipe, images):
    """PSNR (dB) on a corner of held-out training images, one fixed degradation."""
    generator = torch.Generator(images[0].device).manual_seed(1)
    psnrs = []
    for image in images:
        x = image[None, :, :256, :256]
        y, sigma = on_image_grid(recipe.degradation(x, generator), x.shape[-2:])
        psnrs.append(-10 * (network(y, sigma) - x).square().mean().log10())
    return float(torch.stack(psnrs).mean())


def train(recipe, run_dir, network=None, device="cpu"):
    """Run ``recipe`` from its last checkpoint to its end; return the network.

    ``network`` is a CompactUNet, or one of its subclasses with more weights. Random
    numbers, and so the weights, depend on the kind of ``device``; a run may be resumed
    on another device of the same kind.
    """
    device = resolved(device)
    torch.manual_seed(recipe.seed)
    if network is None:
        network = recipe.architecture(recipe.widths, recipe.blocks, recipe.channels)
    if recipe.start is not None:
        grow(network, load_compact(recipe.start, "cpu"))
    network.to(device, memory_format=torch.channels_last)
    optimizer = MuonWithAdam(network, recipe.muon_lr, recipe.adam_lr)
    generator = torch.Generator(device).manual_seed(recipe.seed)
    images = [x for name in IMAGE_SETS for x in load_images(name).values()]
    if recipe.channels == 1:
        images = [image.mean(0, keepdim=True) for image in images]
    held_out = [image.to(device) for image in images[:N_HELD_OUT]]
    photographs = Photographs(images[N_HELD_OUT:], device)
    run_dir.mkdir(parents=True, exist_ok=True)

    def loss(step):
        size = recipe.crops[schedule(step, recipe)[1]]
        n_crops = max(1, round(recipe.pixels_per_batch / size**2))
        x = photographs.random_crops(n_crops, size, generator)
        degraded = recipe.degradation(x, generator)
        inputs = on_image_grid(degraded, x.shape[-2:])
        return LOSSES[recipe.loss](in_bfloat16(network, *inputs), x, degraded.sigma)

    def report(progress):
        (step, value), (_, psnr) = progress.losses[-1], progress.held_out[-1]
        row = [step, f"{value:.5f}", f"{psnr:.3f}", f"{progress.seconds:.1f}"]
        with (run_dir / "log.csv").open("a", newline="") as file:
            csv.writer(file).writerow(row)
        left = progress.seconds * (recipe.steps - step) / step
        print(
            "step {} loss {} held-out PSNR {} after {} s".format(*row)
            + f", {left:.0f} s to go",
            flush=True,
        )

    progress = fit(
        network,
        optimizer,
        lambda step: schedule(step, recipe)[0],
        loss,
        recipe.steps,
        generator,
        lambda: mean_psnr(network, recipe, held_out),
        report,
        seconds_between=SECONDS_BETWEEN_CHECKPOINTS,
        checkpoint=run_dir / "checkpoint.pt",
        recipe=repr(recipe),
        seed=recipe.seed,
    )
    if progress.stopped:
        raise SystemExit(progress.stopped)
    return network


def of_minutes(recipe, minutes, device):
    """``recipe`` with as many steps as fit in ``minutes`` from now: it is measured.

    ``NotApplicable`` if the time is over before the first one.
    """
    start = time.time()

    def seconds(n_steps):
        with TemporaryDirectory() as folder:
            train(replace(recipe, steps=n_steps), Path(folder), device=device)
            *_, last = (Path(folder) / "log.csv").read_text().splitlines()
            return float(last.split(",")[-1])

    # On a GPU, the first steps choose its kernels.
    seconds(N_PROBES)
    step = (seconds(3 * N_PROBES) - seconds(N_PROBES)) / (2 * N_PROBES)
    left = 60 * minutes - (time.time() - start)
    steps = int(SAFETY * left / step)
    if steps < 1:
        raise NotApplicable(
            f"{minutes} minutes are over once a step is measured ({step:.2f} s): give "
            "more of them."
        )
    return replace(recipe, steps=steps)


def trained_on():
    """{file: sha256} of the photographs that a network learns from."""
    files = [item for name in IMAGE_SETS for item in image_files(name).items()]
    return dict(files[N_HELD_OUT:])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", choices=RECIPES)
    parser.add_argument(
        "--device", default="auto", help="auto (a GPU if there is one), cpu or cuda"
    )
    parser.add_argument(
        "--minutes",
        type=float,
        help="train for so long, in place of the recipe's steps (and say how many); "
        "what is stopped then is not resumed",
    )
    args = parser.parse_args()
    torch.backends.cudnn.benchmark = True
    recipe = RECIPES[args.recipe]
    try:
        check_device(args.device)
        if args.minutes is not None:
            recipe = of_minutes(recipe, args.minutes, args.device)
            print(f"{args.recipe}: {recipe.steps} steps", flush=True)
    except NotApplicable as error:
        raise SystemExit(str(error)) from error
    network = train(recipe, RUNS / args.recipe, device=args.device)
    save_compact_weights(network.cpu(), args.recipe)
    lines = (f"{digest}  {name}\n" for name, digest in trained_on().items())
    write_whole(TRAINED_ON, "".join(lines))


if __name__ == "__main__":
    main()
