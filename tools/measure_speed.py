"""Two figures of speed, on images of 256x256 and the CPU.

    python tools/measure_speed.py

- PnP-HQS and FiRe-HQS: the time of their iterations over that of their networks alone,
  on photographs; that of PnP-HQS on MRI and tomography too.
- TV: the time to come, and stay, within 0.01 dB of the PSNR of the minimiser, against
  deepinv's own route (TVDenoiser for denoising; FISTA with TVPrior for the others,
  with its default of at most 1000 inner iterations, and with 20).
"""

import argparse
import sys
import time
from pathlib import Path

import deepinv as dinv
import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchopt.benchmark import Benchmark  # noqa: E402
from benchopt.utils.run_context import RunContext  # noqa: E402

from benchmark_utils.physics import (  # noqa: E402
    CT_PROBLEMS,
    DEGRADATIONS,
    MRI_PROBLEMS,
    PROBLEMS,
    REFERENCE_NOISE,
    noise_level,
)
from benchmark_utils.physics.noise import norm_scale  # noqa: E402
from benchmark_utils.scoring import psnr  # noqa: E402

TOLERANCE = 0.01
REPEATS = 5
# A route that has not arrived after this many seconds is given up.
PATIENCE = 20


def prepare(solver_name, problem, dataset_name="natural", **parameters):
    """A solver ready to iterate on the first test images, and their batch."""
    benchmark = Benchmark(ROOT)
    (dataset_class,) = benchmark.check_dataset_patterns([dataset_name], class_only=True)
    (solver_class,) = benchmark.check_solver_patterns([solver_name], class_only=True)
    few = {"n_images": 2} if dataset_name == "brain" else {}
    dataset = dataset_class.get_instance(problem=problem, **few)
    solver = solver_class.get_instance(**parameters)
    RunContext().set_run_context("speed", dataset, solver, repetition=0, base_seed=0)
    data = {**dataset.get_data(), "device": "cpu"}
    solver.skip(**data)
    solver.set_objective(**data)
    solver.pre_run_hook(None)
    return solver, data["test"][0]


class Timed:
    """A function that counts the seconds spent in it."""

    def __init__(self, function):
        self.function, self.seconds = function, 0.0

    def __call__(self, *arguments):
        start = time.perf_counter()
        result = self.function(*arguments)
        self.seconds += time.perf_counter() - start
        return result


@torch.inference_mode()
def overhead(solver, batch, network):
    """Time of a solver over that of its ``network``: the lowest of a few runs."""
    ratios = []
    for _ in range(REPEATS + 1):
        network.seconds, start = 0.0, time.perf_counter()
        for _ in solver.iterate(batch.y, batch.physics):
            pass
        ratios.append((time.perf_counter() - start) / network.seconds)
    return min(ratios[1:])  # The first run warms up.


def pnp_overhead(problem, dataset_name="natural"):
    solver, batch = prepare("PnP-HQS", problem, dataset_name)
    solver.denoise.function = network = Timed(solver.denoise.function)
    return overhead(solver, batch, network)


def fire_overhead(prior, problem="gaussian_deblurring"):
    """R, which is timed, enlarges small images and fills holes before its network."""
    solver, batch = prepare("FiRe-HQS", problem, priors=prior)
    (model,) = solver.models
    model.restorer = network = Timed(model.restorer)
    return overhead(solver, batch, network)


def time_to_target(iterates, truth, target):
    """When the PSNR is within TOLERANCE of ``target`` for good.

    The PSNRs are computed afterwards: they cost nothing here.

    Returns
    -------
    seconds, arrived : until then, True; or those of the whole run, False.
    """
    points, start = [], time.perf_counter()
    for x in iterates:
        points.append((time.perf_counter() - start, x))
        if points[-1][0] > PATIENCE:
            break
    errors = [abs(float(psnr(x, truth).mean()) - target) for _, x in points]
    if errors[-1] > TOLERANCE:
        return points[-1][0], False
    first = len(errors)
    while first and errors[first - 1] <= TOLERANCE:
        first -= 1
    return points[first][0], True


def deepinv_denoising(batch, weight):
    """deepinv's TVDenoiser, seen every ten iterations."""
    denoiser = dinv.models.TVDenoiser(n_it_max=10, crit=0.0)
    for _ in range(100):
        # It starts again from where it was: these are the iterates of a single run.
        yield denoiser(batch.y, ths=weight)


def deepinv_fista(batch, weight, n_inner):
    """deepinv's FISTA, whose TVPrior has ``n_inner`` iterations at most."""
    step = 1 / float(batch.physics.compute_sqnorm(batch.x, verbose=False))
    algorithm = dinv.optim.FISTA(
        data_fidelity=dinv.optim.L2(),
        prior=dinv.optim.TVPrior(n_it_max=n_inner),
        lambda_reg=weight,
        stepsize=step,
        max_iter=200,
    )
    state = algorithm.init_iterate_fn(batch.y, batch.physics)
    for k in range(200):
        state = algorithm.fixed_point.single_iteration(state, k, batch.y, batch.physics)
        yield algorithm.get_output(state)


@torch.no_grad()
def tv_times(problem):
    """Seconds of this repository's TV, and of deepinv's routes by name."""
    reference, batch = prepare("TV", problem, n_iter=1500)
    *_, minimiser = reference.iterate(batch.y, batch.physics)
    target = float(psnr(minimiser, batch.x).mean())
    # That of solvers/tv.py.
    weight = reference.reg * REFERENCE_NOISE * norm_scale(noise_level(batch.physics))
    solver, _ = prepare("TV", problem, n_iter=400)
    routes = {"this repository": solver.iterate(batch.y, batch.physics)}
    if problem == "denoising":
        routes["deepinv TVDenoiser"] = deepinv_denoising(batch, weight)
    else:
        for n_inner in (1000, 20):
            name = f"deepinv FISTA, {n_inner} inner"
            routes[name] = deepinv_fista(batch, weight, n_inner)
    return {name: time_to_target(it, batch.x, target) for name, it in routes.items()}


def main():
    for problem in PROBLEMS:
        print(f"{problem}: PnP-HQS {pnp_overhead(problem):.3f} x its network calls")
    for dataset, problems in (("brain", MRI_PROBLEMS), ("chest", CT_PROBLEMS)):
        for problem in problems:
            ratio = pnp_overhead(problem, dataset)
            print(f"{problem}: PnP-HQS {ratio:.3f} x its network calls", flush=True)
    for prior in DEGRADATIONS:
        print(f"FiRe-HQS, {prior}: {fire_overhead(prior):.3f} x its network calls")
    for problem in PROBLEMS:
        for name, (seconds, arrived) in tv_times(problem).items():
            when = "" if arrived else "not there after "
            print(f"{problem}: TV, {name}: {when}{seconds:.2f} s", flush=True)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    main()
