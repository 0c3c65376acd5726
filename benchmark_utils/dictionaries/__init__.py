"""Sparse coding and the learning of atoms, of vectors and of images.

- Of vectors: ``vectors`` (dictionaries and their scores), ``lasso`` (data terms),
  ``sparse_coding`` (FISTA), ``learning``.
- Of images: ``convolutional`` (the operator), ``convolutional_atoms`` (to start from),
  ``convolutional_coding``, ``convolutional_learning``; FISTA is the same.
- Of both: ``checks``, ``sphere_adam``.
"""

from benchmark_utils.dictionaries.convolutional import ConvolutionalDictionary
from benchmark_utils.dictionaries.convolutional_atoms import (
    check_atom_size,
    low_frequencies,
    patch_atoms,
    random_atoms,
)
from benchmark_utils.dictionaries.convolutional_coding import coded_images
from benchmark_utils.dictionaries.convolutional_learning import learn_convolutional
from benchmark_utils.dictionaries.learning import (
    learn_adam,
    learn_line_search,
    learn_unrolled,
)
from benchmark_utils.dictionaries.vectors import (
    MatrixPhysics,
    kernel_norm,
    learning_cost,
    masks,
    normalise,
    operator_of,
    oracle_score,
    random_dictionary,
    recovery_score,
)

__all__ = [
    "ConvolutionalDictionary",
    "MatrixPhysics",
    "check_atom_size",
    "coded_images",
    "kernel_norm",
    "learn_adam",
    "learn_convolutional",
    "learn_line_search",
    "learn_unrolled",
    "learning_cost",
    "low_frequencies",
    "masks",
    "normalise",
    "operator_of",
    "oracle_score",
    "patch_atoms",
    "random_atoms",
    "random_dictionary",
    "recovery_score",
]
