"""Time the operator of tomography against deepinv's, and TV until it has converged.

    OMP_NUM_THREADS=1 python tools/measure_ct.py

Times are those of the CPU, so that other processes on the machine count for little.

The operator: two images of 256x256 pixels, 60 angles, the best of several products. TV:
the chest at 256x256, problem ct_sparse; the time of the first iterate from which on all
are within 0.05 dB of the PSNR of the minimiser, and its distance to it.
"""

import argparse
import sys
import time
from pathlib import Path

import deepinv as dinv
import torch
from benchopt.benchmark import Benchmark
from benchopt.utils.run_context import RunContext

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
BENCHMARK = Benchmark(ROOT)

from benchmark_utils.physics import Tomography  # noqa: E402
from benchmark_utils.physics.rays import Geometry  # noqa: E402
from benchmark_utils.scoring.metrics import psnr  # noqa: E402


def best_time(function, *arguments, repeats=5):
    """Milliseconds (CPU) of the fastest call, after one that is not counted."""
    function(*arguments)
    times = []
    for _ in range(repeats):
        start = time.process_time()
        function(*arguments)
        times.append(time.process_time() - start)
    return 1e3 * min(times)


def adjoint_error(physics, x, y):
    """|<A x, y> - <x, A^T y>| over their size, summed in double precision."""
    left = (physics.A(x).double() * y.double()).sum()
    right = (x.double() * physics.A_adjoint(y).double()).sum()
    return float((left - right).abs() / left.abs())


@torch.no_grad()
def measure_operators(size, n_angles):
    x = torch.rand(2, 1, size, size, generator=torch.Generator().manual_seed(0))
    operators = {
        "this one": Tomography(Geometry(size, size, n_angles)),
        "deepinv, exact": deepinv_s(size, n_angles, adjoint_via_backprop=True),
        "deepinv, fast": deepinv_s(size, n_angles, adjoint_via_backprop=False),
    }
    for name, physics in operators.items():
        y = torch.rand_like(physics.A(x))
        error = adjoint_error(physics, x, y)
        forward = best_time(physics.A, x)
        adjoint = best_time(physics.A_adjoint, y)
        print(
            f"{name:15s} A {forward:7.1f} ms   A^T {adjoint:7.1f} ms   "
            f"adjoint error {error:.1e}"
        )


def deepinv_s(size, n_angles, **options):
    return dinv.physics.Tomography(n_angles, img_width=size, normalize=True, **options)


def measure_tv(size, reg):
    (dataset_class,) = BENCHMARK.check_dataset_patterns(["chest"], class_only=True)
    dataset = dataset_class.get_instance(problem="ct_sparse", img_size=size)
    RunContext().set_run_context("objective", dataset, "", 0, 0)
    (batch,) = dataset.get_data()["test"]
    (*_, (_, minimiser)) = tv_iterates(batch, reg, 2000)
    aim = float(psnr(minimiser, batch.x))
    curve = [
        (seconds, float(psnr(x, batch.x)), float(psnr(x, minimiser)))
        for seconds, x in tv_iterates(batch, reg, 200)
    ]
    far = [k for k, (_, value, _) in enumerate(curve) if abs(value - aim) > 0.05]
    k = far[-1] + 1 if far else 0
    if k == len(curve):
        raise SystemExit("TV has not converged within 200 iterations.")
    seconds, _, distance = curve[k]
    print(
        f"TV, reg={reg}: minimiser {aim:.2f} dB; within 0.05 dB after {k + 1} "
        f"iterations, {seconds:.2f} s (then {distance:.1f} dB from it)"
    )


def tv_iterates(batch, reg, n_iter):
    """(CPU seconds since the start, iterate), the first guess included in the time."""
    (solver_class,) = BENCHMARK.check_solver_patterns(["TV"], class_only=True)
    solver = solver_class.get_instance(reg=reg, n_iter=n_iter)
    RunContext().set_run_context("objective", "dataset", solver, 0, 0)
    data = {"dataset": "none", "problem": "none", "device": "cpu"}
    solver.skip(train=(), test=[batch.without_truth()], **data)
    with torch.inference_mode():
        start = time.process_time()
        for x in solver.iterate(batch.y, batch.physics):
            yield time.process_time() - start, x


def asked_for(description):
    """The arguments of the command line: size, angles, reg."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--angles", type=int, default=60)
    parser.add_argument("--reg", type=float, nargs="+", default=[0.05, 0.2])
    return parser.parse_args()


def main():
    arguments = asked_for(__doc__.split("\n")[0])
    torch.set_num_threads(1)
    measure_operators(arguments.size, arguments.angles)
    for reg in arguments.reg:
        measure_tv(arguments.size, reg)


if __name__ == "__main__":
    main()
