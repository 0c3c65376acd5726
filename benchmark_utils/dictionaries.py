"""Dictionaries: how to learn them from measurements, and how good they are.

Vector dictionaries are matrices D (n, K), their atoms the columns. What they are
learned from is ``data``, a list of pairs (A, y): one operator A and its measurements
y (N_g, m), one row per signal. A is None, a matrix or masks, as in ``sparse_coding``.
All the algorithms look for

    min_D sum_g min_Z 1/2 ||y_g - A_g D Z||^2 + lam ||Z||_1,  ||d_k|| = 1         (1)

(Malezieux, Michel, Moreau, Kowalski, 2024) and are generators, which yield D after
each step.
"""

import warnings

import deepinv as dinv
import torch
from scipy.optimize import linear_sum_assignment

from benchmark_utils.sparse_coding import (
    ConvolutionalLasso,
    check_atoms,
    check_lam,
    check_measurements,
    lambda_max,
    shrink,
    solve,
    vector_lasso,
    warn_if_all_zero,
)


class MatrixPhysics(dinv.physics.LinearPhysics):
    """y = A x for signals in rows, x (B, n), and a matrix A (m, n)."""

    def __init__(self, matrix, **kwargs):
        super().__init__(img_size=matrix.shape[1:], **kwargs)
        self.register_buffer("matrix", matrix)

    def A(self, x, **kwargs):
        return x @ self.matrix.T

    def A_adjoint(self, y, **kwargs):
        return y @ self.matrix

    def A_dagger(self, y, **kwargs):
        return y @ torch.linalg.pinv(self.matrix).T


def operator_of(physics, y):
    """The A of ``sparse_coding`` for a physics of vector signals: None or a tensor.

    Raises
    ------
    ValueError
        A physics that is neither the identity, nor a mask, nor a matrix.
    """
    if isinstance(physics, MatrixPhysics):
        return physics.matrix
    if isinstance(physics, dinv.physics.Inpainting):
        return (physics.mask != 0).expand_as(y)
    if isinstance(physics, dinv.physics.Denoising):
        return None
    raise ValueError(
        f"{type(physics).__name__} is neither a matrix (MatrixPhysics), nor a mask "
        "(Inpainting), nor the identity (Denoising): no vector dictionary is learned "
        "from it."
    )


# What makes a dictionary


def normalise(atoms, dims=0):
    """The same atoms with a norm of 1 over the dimensions ``dims``."""
    check_atoms(atoms, dims)
    return atoms / torch.linalg.vector_norm(atoms, dim=dims, keepdim=True)


def random_dictionary(n, n_atoms, generator):
    """Gaussian atoms of norm 1: (n, n_atoms), on the device of ``generator``."""
    return normalise(_randn((n, n_atoms), generator))


def random_atoms(shape, generator):
    """Gaussian convolutional atoms of norm 1: ``shape`` (..., K, C, h, w)."""
    return normalise(_randn(shape, generator), (-3, -2, -1))


def patch_atoms(images, n_atoms, atom_size, generator):
    """Convolutional atoms cut out of images, of norm 1: (n_atoms, C, h, w).

    The first C atoms are constant in one channel. The others are patches without their
    mean, drawn with a probability proportional to their variance.

    Parameters
    ----------
    images : tensor (B, C, H, W)
        Degraded images, their holes filled: ``data_fit(physics, y).initial_guess()``.
    atom_size : tuple (h, w), not larger than the images.
    """
    (n_channels, *size), (height, width) = images.shape[1:], atom_size
    if height > size[0] or width > size[1]:
        raise ValueError(
            f"Atoms of {height}x{width} pixels do not fit in an image of "
            f"{size[0]}x{size[1]}."
        )
    patches = images.unfold(2, height, 1).unfold(3, width, 1).movedim(1, 3)
    variance = patches.var((-2, -1), correction=0).sum(-1).flatten()
    n_patches, n_textured = n_atoms - n_channels, int((variance > 0).sum())
    if not 0 < n_patches <= n_textured:
        raise ValueError(
            f"{n_atoms} atoms would be {n_channels} constant ones and {n_patches} "
            f"patches; the images have {n_textured} patches that are not flat."
        )
    drawn = torch.multinomial(variance, n_patches, generator=generator)
    cut = patches[torch.unravel_index(drawn, patches.shape[:3])]
    flat = torch.eye(n_channels).to(cut)[:, :, None, None].expand(-1, -1, height, width)
    atoms = torch.cat([flat, cut - cut.mean((-2, -1), keepdim=True)])
    return normalise(atoms, (-3, -2, -1))


def _randn(shape, generator):
    return torch.randn(shape, generator=generator, device=generator.device)


# How good a dictionary is


def recovery_score(D_true, D):
    """Mean |cosine| between the true atoms and those assigned to them, in [0, 1].

    The assignment is the best one-to-one (Hungarian algorithm). 1 up to order and
    signs; for n = K = 100, a random dictionary scores about 0.25.
    """
    if D_true.shape[0] != D.shape[0]:
        raise ValueError(
            f"Dictionaries {tuple(D_true.shape)} and {tuple(D.shape)} have atoms of "
            "different lengths."
        )
    cosines = (normalise(D_true).T @ normalise(D)).abs().cpu().numpy()
    rows, columns = linear_sum_assignment(cosines, maximize=True)
    return float(cosines[rows, columns].sum() / D_true.shape[1])


def kernel_norm(D, operators):
    """Mean norm of the part of each atom that no operator sees, in [0, 1].

    ||P d_k|| averaged over k, P the projector on the kernel of all the A stacked.
    """
    basis = _row_space(operators)
    if basis is None:
        return 0.0
    D = normalise(D).double()
    basis = basis.to(D.device)
    return float((D - basis @ (basis.T @ D)).norm(dim=0).mean())


def oracle_score(operators):
    """sqrt(rank / n), the rank that of all the A stacked: the score without a prior.

    The mean |cosine| between random atoms and the part of them that is measured.
    """
    basis = _row_space(operators)
    return 1.0 if basis is None else (basis.shape[1] / basis.shape[0]) ** 0.5


def _row_space(operators):
    """Orthonormal basis (n, rank) of what the operators see; None for all of R^n."""
    if any(A is None for A in operators):
        return None
    rows = [
        A.any(0).double().diag() if A.dtype == torch.bool else A.double()
        for A in operators
    ]
    _, values, basis = torch.linalg.svd(torch.cat(rows).cpu(), full_matrices=False)
    return basis[values > 1e-6 * values[0]].T


@torch.no_grad()
def learning_cost(data, D, lam, n_iter=500, tol=1e-4):
    """The cost (1) of D divided by the number of signals, whoever learned it."""
    total = sum(
        float(lasso.value(solve(lasso, lam, None, n_iter, tol), lam).sum())
        for lasso in (vector_lasso(y, D, A, n_iter) for A, y in data)
    )
    return total / sum(len(y) for _, y in data)


# Learning a dictionary from measurements


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
        t_new = (1 + (1 + 4 * t**2) ** 0.5) / 2
        v = z_new + (t - 1) / t_new * (z_new - z)
        z, t = z_new, t_new
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


# Learning convolutional atoms from images


@torch.no_grad()
def learn_convolutional(
    fits, atoms, lam, n_steps=100, n_inner=10, lr=0.02, nonnegative=False
):
    """Atoms for degraded images, from nothing else: yields (atoms, codes).

    min 1/2 ||y - A sum_k d_k * z_k||^2 + lam ||z||_1 with ||d_k|| = 1, over the codes
    by ``n_inner`` iterations of FISTA from the last ones, over the atoms by a step of
    Adam, in turn.

    Parameters
    ----------
    fits : list of DataFit
        ``data_fit(physics, y)`` of batches of images; each step takes the next one.
    atoms : tensor (K, C, h, w), or (B, K, C, h, w)
        Where to start: ``patch_atoms`` or ``random_atoms``. With B of them, each image
        of the batch learns its own.
    lr : float
        0.02 suits random atoms; 0.005 those cut out of images.
    nonnegative : bool
        Whether codes are at least 0.

    Yields
    ------
    atoms : tensor, the shape of those given.
    codes : tensor (B, K, H - h + 1, W - w + 1), of the batch of this step.
    """
    check_lam(lam)
    if not fits:
        raise ValueError("There is no image to learn atoms from.")
    dims = (-3, -2, -1)
    adam = SphereAdam(normalise(atoms, dims), dims, lr, n_steps)
    all_codes = [None] * len(fits)
    for k in range(n_steps):
        i = k % len(fits)
        lasso = ConvolutionalLasso(fits[i], adam.atoms)
        if all_codes[i] is None:
            warn_if_all_zero(lam, float(lasso.lambda_max(nonnegative).max()))
        codes = solve(lasso, lam, all_codes[i], n_inner, 0, nonnegative)
        residual = fits[i].grad(lasso.dictionary.synthesis(codes))
        gradient = lasso.dictionary.atom_gradient(codes, residual)
        all_codes[i] = codes
        yield adam.step(gradient.sum(0) if atoms.ndim == 4 else gradient), codes
