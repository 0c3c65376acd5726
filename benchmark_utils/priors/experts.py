"""Smooth convex regularisers of learned filters, and the images that they prefer."""

import math
from itertools import product

import torch
from torch import nn
from torch.nn import functional as F

from benchmark_utils.common.momentum import next_momentum
from benchmark_utils.learning.implicit import implicit_solution
from benchmark_utils.physics.data_term import data_term


class FieldsOfExperts(nn.Module):
    """x* = argmin_x f(x) + sigma R(x), with R learned and sigma the noise level.

        R(x) = sum_i w_i sum_pixels sqrt(||(k_i * x)||^2 + eps^2)

    Roth and Black (2005), with convex experts, which Kunisch and Pock (2013) and Chen,
    Ranftl and Pock (2014) learned by the implicit gradient of x*. Filters have a zero
    mean and wrap around; k_i is one filter, or several whose answers have one norm. The
    channels of a colour image are apart; those of a complex one have one norm.

    Parameters
    ----------
    filters : tensor (n, g, h, w), odd h and w
        n experts of g filters each.
    weight : float
        The w_i to start from, in units of TV's weight.
    learn_filters : bool
    n_iter : int
        Of the accelerated gradient that finds x*, with restarts.
    """

    EPS = 2e-3
    # Of the conjugate gradient: its error is below the noise of the batches.
    MAX_ITER, TOL = 50, 1e-3

    def __init__(self, filters, weight, learn_filters, n_iter, is_complex=False):
        super().__init__()
        self.filters = nn.Parameter(filters, requires_grad=learn_filters)
        self.log_weights = nn.Parameter(filters.new_full((len(filters),), weight).log())
        self.n_iter, self.is_complex = n_iter, is_complex

    @classmethod
    def tv(cls, weight, n_iter, **options):
        """TV, smoothed: a weight to learn and nothing else."""
        down, right = torch.zeros(2, 3, 3)
        down[1:, 1] = right[1, 1:] = torch.tensor([-1.0, 1.0])
        filters = torch.stack([down, right])[None]
        return cls(filters, weight, False, n_iter, **options)

    @classmethod
    def cosines(cls, size, weight, n_iter, **options):
        """Filters to learn, which start as those of the discrete cosine transform."""
        angle = math.pi / size * (torch.arange(size) + 0.5)
        waves = [torch.cos(k * angle) for k in range(size)]
        pairs = list(product(waves, waves))[1:]
        filters = torch.stack([torch.outer(*pair) for pair in pairs])[:, None]
        filters = filters / filters.abs().sum((-2, -1), keepdim=True)
        return cls(filters, weight, True, n_iter, **options)

    def forward(self, y, physics):
        """x* (B, C, H, W), with gradients to the weights and to the filters."""
        f = data_term(physics, y)
        with torch.no_grad():
            *_, x = self.iterates(f)
        return implicit_solution(
            x, lambda x: self.gradient(f, x), self.MAX_ITER, self.TOL
        )

    def iterates(self, f):
        """Accelerated gradient (Nesterov), restarted for each image where it climbs."""
        L = self.lipschitz(f)
        x = previous = f.initial_guess()
        t = torch.ones(len(x), 1, 1, 1).to(x)
        for _ in range(self.n_iter):
            t, momentum = next_momentum(t)
            point = x + momentum * (x - previous)
            slope = self.gradient(f, point)
            previous, x = x, point - slope / L
            climb = (slope * (x - previous)).sum((1, 2, 3), keepdim=True)
            t = torch.where(climb > 0, 1.0, t)
            yield x

    def gradient(self, f, x):
        """Of f + sigma R, at x."""
        answers = self.analysis(x)
        dims = (1, 3) if self.is_complex else 3
        norm = answers.square().sum(dims, keepdim=True) + self.EPS**2
        weights = self.log_weights.exp().view(-1, 1, 1, 1)
        slopes = self.synthesis(weights * answers * norm.rsqrt(), x.shape)
        return f.grad(x) + f.noise_level * slopes

    def lipschitz(self, f):
        """A bound on the Lipschitz constant of ``gradient``."""
        norms = self.kernels().abs().sum((-2, -1)).square().sum(1)
        curvature = (self.log_weights.exp() * norms).sum() / self.EPS
        return f.lipschitz + f.noise_level * float(curvature.detach())

    def kernels(self):
        return self.filters - self.filters.mean((-2, -1), keepdim=True)

    def analysis(self, x):
        """The answers of the filters to x (B, C, H, W): (B, C, n, g, H, W)."""
        kernels = self.kernels().flatten(0, 1)[:, None]
        rows, columns = (side // 2 for side in kernels.shape[-2:])
        padded = F.pad(x, (columns, columns, rows, rows), mode="circular")
        answers = F.conv2d(padded.flatten(0, 1)[:, None], kernels)
        return answers.view(*x.shape[:2], *self.filters.shape[:2], *x.shape[-2:])

    def synthesis(self, answers, shape):
        """The adjoint of ``analysis``."""
        kernels = self.kernels().flatten(0, 1).flip((-2, -1))[None]
        rows, columns = (side // 2 for side in kernels.shape[-2:])
        margins = columns, columns, rows, rows
        flat = answers.reshape(-1, kernels.shape[1], *shape[-2:])
        return F.conv2d(F.pad(flat, margins, mode="circular"), kernels).view(shape)
