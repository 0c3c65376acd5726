"""The same measurements as tools/measure_ct.py, of scico (pip install scico).

    OMP_NUM_THREADS=1 XLA_FLAGS=--xla_cpu_multi_thread_eigen=false \
        python tools/measure_ct_scico.py

Times are those of the CPU, in all threads, without the compilation, which is that of
the first call. TV is scico's primal-dual method and its ADMM (conjugate gradient
inside), on what its own operator, scaled to norm 1, measures of the chest; noise and
weight are those of ct_sparse here.
"""

import sys
import time
from pathlib import Path

import jax
import numpy as np
import scico.numpy as snp
from scico import functional, linop, loss, optimize
from scico.linop.xray import XRayTransform2D
from scico.optimize.admm import LinearSubproblemSolver

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmark_utils.data import from_hounsfield, reduced  # noqa: E402
from datasets.chest import CHEST  # noqa: E402
from tools.measure_ct import asked_for  # noqa: E402

NOISE = 0.002
# As of solvers/tv.py, for reg = 1.
WEIGHT = 0.01 * (NOISE / 0.01) ** 1.4


def cpu_seconds(function, *arguments):
    start = time.process_time()
    jax.block_until_ready(function(*arguments))
    return time.process_time() - start


def best_time(function, *arguments, repeats=5):
    """Milliseconds (CPU) of the fastest call, after one that is not counted."""
    function(*arguments)
    return 1e3 * min(cpu_seconds(function, *arguments) for _ in range(repeats))


def operator(size, n_angles):
    angles = np.linspace(0, np.pi, n_angles, endpoint=False)
    return XRayTransform2D((size, size), angles)


def measure_operator(size, n_angles):
    A, random = operator(size, n_angles), np.random.default_rng(0)
    x = snp.array(random.random(A.input_shape, dtype=np.float32))
    y = snp.array(random.random(A.output_shape, dtype=np.float32))
    Ax, Aty = np.asarray(A(x), np.float64), np.asarray(A.T(y), np.float64)
    left, right = (Ax * np.asarray(y)).sum(), (np.asarray(x) * Aty).sum()
    forward, adjoint = jax.jit(A.__call__), jax.jit(A.T.__call__)
    # measure_ct.py times a batch of two images.
    print(
        f"{'scico':15s} A {2 * best_time(forward, x):7.1f} ms   "
        f"A^T {2 * best_time(adjoint, y):7.1f} ms   "
        f"adjoint error {abs(left - right) / abs(left):.1e}"
    )


def primal_dual(A, y, weight, difference):
    """For 1/2 ||A x - y||^2 + weight TV(x), from 0."""
    fit = loss.SquaredL2Loss(y=y)
    fit.has_prox = True
    both = linop.VerticalStack([A, difference])
    together = functional.SeparableFunctional([fit, weight * functional.L21Norm()])
    norm = float(linop.operator_norm(both))
    return optimize.PDHG(
        f=functional.ZeroFunctional(),
        g=together,
        C=both,
        tau=1 / norm,
        sigma=1 / norm,
        x0=snp.zeros(A.input_shape, dtype=np.float32),
    )


def admm(A, y, weight, difference, rho):
    return optimize.ADMM(
        f=loss.SquaredL2Loss(y=y, A=A),
        g_list=[weight * functional.L21Norm()],
        C_list=[difference],
        rho_list=[rho],
        x0=snp.zeros(A.input_shape, dtype=np.float32),
        subproblem_solver=LinearSubproblemSolver(
            cg_kwargs={"tol": 1e-4, "maxiter": 10}
        ),
    )


def curve(solver, n_iter):
    """[(CPU seconds since the start, x)] after a first step that compiles."""
    found, seconds = [], 0.0
    for k in range(n_iter):
        spent = cpu_seconds(lambda: (solver.step(), solver.x)[1])
        seconds += spent if k else 0.0
        found.append((seconds, np.asarray(solver.x)))
    return found


def psnr(x, truth):
    return float(-10 * np.log10(np.mean((x - truth) ** 2)))


def measure_tv(size, n_angles, reg):
    with np.load(CHEST) as file:
        image = reduced(from_hounsfield(file["hu"], "The chest"), size)
    truth = np.asarray(image, np.float32).squeeze()
    A = operator(size, n_angles)
    A = (1 / float(linop.operator_norm(A))) * A
    noise = NOISE * np.random.default_rng(0).standard_normal(A.output_shape)
    y = A(snp.array(truth)) + snp.array(noise.astype(np.float32))
    difference = linop.FiniteDifference(A.input_shape, append=0)
    weight = reg * WEIGHT
    curves = {"primal-dual": curve(primal_dual(A, y, weight, difference), 400)}
    for ratio in (10, 100):
        solver = admm(A, y, weight, difference, ratio * weight)
        curves[f"ADMM, rho={ratio} weight"] = curve(solver, 100)
    _, minimiser = curves["ADMM, rho=100 weight"][-1]
    aim = psnr(minimiser, truth)
    for name, found in curves.items():
        far = [k for k, (_, x) in enumerate(found) if abs(psnr(x, truth) - aim) > 0.05]
        k = far[-1] + 1 if far else 0
        when = (
            f"within 0.05 dB after {k + 1} iterations, {found[k][0]:.2f} s"
            if k < len(found)
            else f"not within 0.05 dB after {k} iterations, {found[-1][0]:.2f} s"
        )
        print(f"TV, reg={reg}, scico's {name}: at the end {aim:.2f} dB; {when}")


def main():
    arguments = asked_for(__doc__.split("\n")[0])
    measure_operator(arguments.size, arguments.angles)
    for reg in arguments.reg:
        measure_tv(arguments.size, arguments.angles, reg)


if __name__ == "__main__":
    main()
