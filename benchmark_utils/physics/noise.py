"""Noise models: how they are drawn, and what solvers are told of them."""

# The noise level of the problems, but for denoising, and of the authors of FiRe.
REFERENCE_NOISE = 0.01


def noise_level(physics):
    """Standard deviation of the noise on the scale of y; at least 1e-3.

    Solvers weigh the prior by it, and a weight of zero would switch the prior off.
    """
    return max(float(physics.noise_model.sigma), 1e-3)


def data_weight(physics):
    """(REFERENCE_NOISE / sigma)^2: what the data term is multiplied by.

    Its weights in the papers are for one noise level; in a likelihood, they are divided
    by the square of it.
    """
    return (REFERENCE_NOISE / noise_level(physics)) ** 2
