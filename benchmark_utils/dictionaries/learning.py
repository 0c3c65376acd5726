"""Learning a dictionary of vectors from measurements, of one or several operators.

What is learned from is ``data``, a list of pairs (A, y): one operator A and its
measurements y (N_g, m), one row per signal. A is None, a matrix or masks, as in
``sparse_coding``. All the algorithms look for

    min_D sum_g min_Z 1/2 ||y_g - A_g D Z||^2 + lam ||Z||_1,  ||d_k|| = 1         (1)

(Malezieux, Michel, Moreau, Kowalski, 2024) and are generators, which yield D after
each step.
"""

import warnings

import torch

from benchmark_utils.common.momentum import next_momentum
from benchmark_utils.dictionaries.checks import (
    check_atoms,
    check_lam,
    check_measurements,
    warn_if_all_zero,
)
from benchmark_utils.dictionaries.lasso import vector_lasso
from benchmark_utils.dictionaries.sparse_coding import lambda_max, shrink, solve
from benchmark_utils.dictionaries.sphere_adam import SphereAdam
from benchmark_utils.dictionaries.vectors import normalise


@torch.no_grad()
def learn_adam(
    data, D, lam, generator, n_steps=300, batch_size=1000, n_inner=30, lr=0.02
):
    """Stochastic descent: ``n_inner`` iterations of FISTA from zero, a step of Adam.

    The gradient is that of (1) with the codes fixed, for the codes minimise it.

    Parameters
    ----------
    data : list of (A, y)
    D : tensor (n, K)
        Where to start, ``random_dictionary`` for instance.
    lam : float, above 0.
    generator : torch.Generator
        Draws ``batch_size`` signals per step, as many of each operator.
    """
    check_data(data, D, lam)
    adam = SphereAdam(normalise(D), 0, lr, n_steps)
    for _ in range(n_steps):
        samples = _draw(data, batch_size, generator)
        yield adam.step(_code_and_differentiate(samples, adam.atoms, lam, n_inner)[1])


def learn_unrolled(
    data, D, lam, generator, n_steps=300, batch_size=1000, n_inner=30, lr=0.02
):
    """As ``learn_adam``, with the gradient of what FISTA reaches in ``n_inner`` steps.

    Malezieux, Moreau, Kowalski (2022), "Understanding approximate and unrolled
    dictionary learning for pattern recovery". The codes depend on D, and autograd goes
    through them: to be called outside of ``inference_mode``.
    """
    check_data(data, D, lam)
    adam = SphereAdam(normalise(D), 0, lr, n_steps)
    for _ in range(n_steps):
        with torch.enable_grad():
            atoms = adam.atoms.detach().requires_grad_()
            cost = sum(
                unrolled_cost(y, atoms, lam, A, n_inner).sum()
                for A, y in _draw(data, batch_size, generator)
            )
            (gradient,) = torch.autograd.grad(cost, atoms)
        yield adam.step(gradient)


def unrolled_cost(y, D, lam, A=None, n_inner=30, lipschitz=None):
    """The cost of each signal (B,) after ``n_inner`` steps of FISTA, differentiable.

    ``lipschitz`` is a constant of the method: it is not differentiated.
    """
    lasso = vector_lasso(y, D, A, n_inner)
    step = lasso.step if lipschitz is None else 1 / lipschitz
    z = v = lasso.zeros()
    t = 1.0
    for _ in range(n_inner):
        z_new = shrink(v + step * lasso.correlation(v), step * lam)
        t, momentum = next_momentum(t)
        v = z_new + momentum * (z_new - z)
        z = z_new
    return lasso.value(z, lam)


@torch.no_grad()
def learn_line_search(data, D, lam, n_steps=100, n_inner=100, tol=1e-6):
    """Full-batch projected descent with backtracking, that of the authors (2024).

    A step that does not decrease (1) is halved; the next one starts ten times longer.
    Each try takes ``n_inner`` iterations of FISTA from zero, on all the signals. Unlike
    theirs, FISTA has the Lipschitz constant of each operator, where they take the
    largest Frobenius norm: two to three times smaller steps. It ends when the cost
    changes by less than ``tol`` of it.
    """
    check_data(data, D, lam)
    D, step = normalise(D), 1.0
    cost, gradient = _code_and_differentiate(data, D, lam, n_inner)
    for _ in range(n_steps):
        previous = cost
        while True:
            tried = normalise(D - step * gradient)
            cost, new_gradient = _code_and_differentiate(data, tried, lam, n_inner)
            if cost < previous:
                break
            step /= 2
            if step < 1e-20:
                yield D
                return
        D, gradient, step = tried, new_gradient, 10 * step
        yield D
        if previous - cost < tol * previous:
            return


def check_data(data, D, lam):
    """Shapes fit, lam is not too large and there are more signals than atoms.

    Raises
    ------
    ValueError
        Nothing to learn from, shapes that do not fit, a zero atom, lam <= 0.
    """
    check_lam(lam)
    check_atoms(D, 0)
    if not data:
        raise ValueError("There is no signal to learn a dictionary from.")
    for _, y in data:
        check_measurements(y)
    n_signals = sum(len(y) for _, y in data)
    warn_if_all_zero(lam, max(float(lambda_max(y, D, A).max()) for A, y in data))
    if n_signals < D.shape[1]:
        warnings.warn(
            f"{n_signals} signals are too few for {D.shape[1]} atoms: they do not "
            "determine the dictionary.",
            stacklevel=3,
        )


def _draw(data, batch_size, generator):
    """As many signals of each operator, without replacement: a list of (A, y)."""
    n_each = max(1, batch_size // len(data))
    samples = []
    for A, y in data:
        drawn = torch.randperm(len(y), generator=generator, device=generator.device)
        drawn = drawn[:n_each].to(y.device)
        masks = A is not None and A.dtype == torch.bool
        samples.append((A[drawn] if masks else A, y[drawn]))
    return samples


def _code_and_differentiate(data, D, lam, n_inner):
    """Mean cost of the signals, and its gradient in D (n, K) for the codes found."""
    cost, gradient = 0.0, torch.zeros_like(D)
    for A, y in data:
        lasso = vector_lasso(y, D, A, n_inner)
        z = solve(lasso, lam, None, n_inner, tol=0)
        cost += float(lasso.value(z, lam).sum())
        gradient += _residual(A, y, z @ D.T).T @ z
    n_signals = sum(len(y) for _, y in data)
    return cost / n_signals, gradient / n_signals


def _residual(A, y, x):
    """A^T (A x - y) for signals in rows: (B, n)."""
    if A is None:
        return x - y
    if A.dtype == torch.bool:
        return A * (x - y)
    return (x @ A.T - y) @ A
