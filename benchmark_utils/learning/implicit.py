"""Gradients through the minimiser of an energy, by the implicit function theorem.

At x* with grad E(x*, theta) = 0,

    d x* / d theta = -H^{-1} d/dtheta grad E(x*, theta),   H the Hessian of E at x*,

so that the gradient g of a loss at x* gives H^{-1} g, by conjugate gradient, then a
product with what autograd has of grad E: no iteration of the minimiser is stored
(Domke, 2012; Bai, Kolter and Koltun, 2019).
"""

import torch

from benchmark_utils.physics.iterative import conjugate_gradient


def implicit_solution(x, gradient, max_iter=100, tol=1e-4):
    """``x``, with gradients to all that ``gradient`` depends on.

    Parameters
    ----------
    x : tensor (B, ...)
        The minimiser of a convex energy, however it was found.
    gradient : callable (x) -> tensor (B, ...), that of the energy.
    max_iter, tol : as in ``conjugate_gradient``.
    """
    if not torch.is_grad_enabled():
        return x
    x = x.detach()
    at = x.clone().requires_grad_()
    slope = gradient(at)

    def hessian(v):
        # Symmetric: its products are those of its transpose, which autograd has.
        return torch.autograd.grad(slope, at, v, retain_graph=True)[0]

    solution = x - (slope - slope.detach())
    solution.register_hook(lambda g: conjugate_gradient(hessian, g, max_iter, tol))
    return solution


def prox(f, z, gamma):
    """``f.prox(z, gamma)``, with gradients to z and gamma.

    Closed forms have theirs from autograd, and one to y; others do not store their
    iterations.
    """
    if f.has_closed_prox or not torch.is_grad_enabled():
        return f.prox(z, gamma)
    with torch.no_grad():
        x = f.prox(z, gamma)
    return implicit_solution(x, lambda x: x - z + gamma * f.grad(x))
