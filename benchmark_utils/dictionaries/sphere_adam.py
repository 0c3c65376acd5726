"""Stochastic descent on atoms of norm 1."""

import torch

from benchmark_utils.dictionaries.vectors import normalise


class SphereAdam:
    """Adam (Kingma and Ba, 2015) on atoms of norm 1.

    The rate decreases linearly to 0 in the second half of the steps. Adam divides each
    gradient by its usual size, with a floor at ``eps`` times the usual size in the same
    dictionary: the rounding errors on an atom that nothing uses must not move it.

    Parameters
    ----------
    atoms : tensor
    dims : int or tuple of int
        The dimensions along which an atom lies.
    """

    betas, eps = (0.9, 0.99), 1e-3

    def __init__(self, atoms, dims, lr, n_steps):
        self.atoms, self.dims, self.lr, self.n_steps = atoms, dims, lr, n_steps
        self.mean, self.power = torch.zeros_like(atoms), torch.zeros_like(atoms)
        # Of a dictionary (n, K) or (K, C, h, w), even if there are several.
        self.all_dims = tuple(range(-min(atoms.ndim, 4), 0))
        self.k = 0

    def step(self, gradient):
        """The new atoms."""
        # What is along an atom changes its norm alone.
        along = (self.atoms * gradient).sum(self.dims, keepdim=True)
        gradient = gradient - along * self.atoms
        rate = self.lr * min(1, 2 * (1 - self.k / self.n_steps))
        self.k += 1
        self.mean.lerp_(gradient, 1 - self.betas[0])
        self.power.lerp_(gradient.square(), 1 - self.betas[1])
        mean = self.mean / (1 - self.betas[0] ** self.k)
        power = self.power / (1 - self.betas[1] ** self.k)
        floor = self.eps * power.mean(self.all_dims, keepdim=True).sqrt()
        size = (power.sqrt() + floor).clamp(min=torch.finfo(power.dtype).tiny)
        self.atoms = normalise(self.atoms - rate * mean / size, self.dims)
        return self.atoms
