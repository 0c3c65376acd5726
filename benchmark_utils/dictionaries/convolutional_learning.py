"""Learning convolutional atoms from degraded images, through any linear physics.

The images x = sum_k d_k * z_k are known by their measurements y alone:

    min_{d, z} 1/2 ||y - A sum_k d_k * z_k||^2 + lam ||z||_1,  ||d_k|| = 1        (1)
"""

import torch

from benchmark_utils.dictionaries.convolutional import ATOM_DIMS
from benchmark_utils.dictionaries.convolutional_coding import (
    ConvolutionalLasso,
    checked_lasso,
)
from benchmark_utils.dictionaries.sparse_coding import solve
from benchmark_utils.dictionaries.sphere_adam import SphereAdam
from benchmark_utils.dictionaries.vectors import normalise


@torch.no_grad()
def learn_convolutional(
    terms, atoms, lam, n_steps=100, n_inner=10, lr=0.02, nonnegative=False
):
    """Atoms for degraded images, from nothing else: yields (atoms, codes).

    Problem (1) is solved over the codes by ``n_inner`` iterations of FISTA from the
    last ones, over the atoms by a step of Adam, in turn.

    Parameters
    ----------
    terms : list of DataTerm
        ``data_term(physics, y)`` of batches of images; each step takes the next one.
    atoms : tensor (K, C, h, w), or (B, K, C, h, w)
        Where to start: ``patch_atoms`` or ``random_atoms``. With B of them, each image
        of the batch learns its own.
    lr : float
        0.02 suits random atoms; 0.01 those cut out of images.
    nonnegative : bool
        Whether codes are at least 0.

    Yields
    ------
    atoms : tensor, the shape of those given.
    codes : tensor (B, K, H - h + 1, W - w + 1), of the batch of this step.
    """
    if not terms:
        raise ValueError("There is no image to learn atoms from.")
    adam = SphereAdam(normalise(atoms, ATOM_DIMS), ATOM_DIMS, lr, n_steps)
    all_codes = [None] * len(terms)
    for k in range(n_steps):
        i = k % len(terms)
        if all_codes[i] is None:
            lasso = checked_lasso(terms[i], adam.atoms, lam, None, nonnegative)
        else:
            lasso = ConvolutionalLasso(terms[i], adam.atoms)
        codes = solve(lasso, lam, all_codes[i], n_inner, 0, nonnegative)
        residual = terms[i].grad(lasso.dictionary.synthesis(codes))
        gradient = lasso.dictionary.atom_gradient(codes, residual)
        # Codes are large: those to which no step comes back are not kept.
        if k + len(terms) < n_steps:
            all_codes[i] = codes
        yield adam.step(gradient.sum(0) if atoms.ndim == 4 else gradient), codes
