"""Noise models: how they are made and drawn, and what solvers are told of them."""

import copy

import deepinv as dinv
import torch

from benchmark_utils.common.errors import NotApplicable

# The noise level of the problems, but for denoising, and of the authors of FiRe.
REFERENCE_NOISE = 0.01

# Solvers weigh the prior by the noise level: at 0, it would be switched off. It is that
# of y on the scale of images; an operator may have a ``level_unit`` of its own.
SMALLEST_LEVEL = 1e-3


def gaussian(noise_level, gain):
    """y = A x + noise_level n."""
    return dinv.physics.GaussianNoise(sigma=noise_level)


def poisson(noise_level, gain):
    """y = gain P, with P of Poisson's law of mean A x / gain: variance gain A x."""
    return dinv.physics.PoissonNoise(gain=gain, clip_positive=True)


def poisson_gaussian(noise_level, gain):
    """Poisson's noise, then Gaussian noise: variance gain A x + noise_level^2."""
    return dinv.physics.PoissonGaussianNoise(
        gain=gain, sigma=noise_level, clip_positive=True
    )


class LowDoseNoise(dinv.physics.NoiseModel):
    """Few photons, after the logarithm: y = -log(counts / photons) / scale.

    counts, 1 at least, are of Poisson's law of mean photons exp(-scale A x).

    Parameters
    ----------
    photons : float
        That leave the source for each value of y.
    scale : float
        What A x is multiplied by to be an integral of attenuations.
    """

    def __init__(self, photons, scale, rng=None):
        super().__init__(rng=rng)
        self.register_buffer("photons", torch.tensor(float(photons)))
        self.register_buffer("scale", torch.tensor(float(scale)))

    def mean_counts(self, y):
        return self.photons * torch.exp(-self.scale * y)

    def forward(self, y, seed=None, **kwargs):
        self.rng_manual_seed(seed)
        self.to(y.device)
        counts = torch.poisson(self.mean_counts(y), generator=self.rng).clamp(min=1)
        return -torch.log(counts / self.photons) / self.scale


NOISES = {
    "gaussian": gaussian,
    "poisson": poisson,
    "poisson_gaussian": poisson_gaussian,
}


# How the parameters of the noise models follow their standard deviation.
POWERS = {"sigma": 1, "gain": 2, "photons": -2}


def draw_measurements(physics, x, generator):
    """y = physics(x), its noise drawn from ``generator``.

    The noise model is left as it was, and without a generator of its own: deepinv's
    models remember the first state of theirs, from which a solver could draw the noise
    again.
    """
    model = without_generator(physics.noise_model)
    physics.noise_model = drawing = seeded(model, generator)
    # Nothing is counted where A x is below 0: there is no Poisson law of such a mean.
    drawing.clip_positive = True
    y = physics(x)
    physics.noise_model = model
    # deepinv may have drawn from a copy: what is drawn next must not repeat the noise.
    generator.set_state(drawing.rng.get_state())
    return y


def without_generator(noise_model):
    """A copy of a noise model that remembers nothing of past draws."""
    model = copy.copy(noise_model)
    model._buffers = dict(noise_model._buffers)
    model._buffers.pop("initial_random_state", None)
    model.rng = None
    return model


def seeded(noise_model, generator):
    """A copy of a noise model that draws from ``generator``."""
    model = without_generator(noise_model)
    model.rng = generator
    model.register_buffer("initial_random_state", generator.get_state())
    return model


def levels_of(noise_model):
    """{name: tensor} of what tells how strong a noise is: sigma, gain, photons."""
    return {n: getattr(noise_model, n) for n in POWERS if hasattr(noise_model, n)}


def with_levels(noise_model, **levels):
    """A copy of a noise model with other levels: sigma, gain or photons."""
    model = without_generator(noise_model)
    for name, level in levels.items():
        usual = getattr(model, name)
        setattr(model, name, torch.as_tensor(level).to(usual).expand_as(usual))
    return model


def scaled(noise_model, factor):
    """A copy of a noise model, of ``factor`` times the standard deviation."""
    levels = levels_of(noise_model)
    return with_levels(
        noise_model, **{n: level * factor ** POWERS[n] for n, level in levels.items()}
    )


def is_signal_dependent(physics):
    """Whether the variance of the noise depends on what is measured (Poisson)."""
    model = physics.noise_model
    return isinstance(
        model,
        dinv.physics.PoissonNoise | dinv.physics.PoissonGaussianNoise | LowDoseNoise,
    )


def variance(physics, y):
    """Variance of the noise of each value of y, estimated from y: the shape of y.

    gain max(y, 0) + sigma^2; the variance of Poisson's noise at y = 0 is that of half a
    count (gain^2 / 2), for a value that was not counted is not known exactly. That of
    low doses is 1 / counts, over the square of the scale: f is then the penalised
    weighted least squares of Sauer and Bouman (1993).

    Raises
    ------
    NotApplicable
        A noise model that is neither Gaussian nor of Poisson's type.
    """
    model = physics.noise_model
    if isinstance(model, LowDoseNoise):
        return 1 / (model.scale**2 * model.mean_counts(y))
    if is_signal_dependent(physics):
        levels = {name: level.squeeze() for name, level in levels_of(model).items()}
        gain = levels["gain"]
        counted = (gain * y.clamp(min=0)).clamp(min=gain**2 / 2)
        return counted + levels.get("sigma", 0.0) ** 2
    if isinstance(model, dinv.physics.GaussianNoise):
        return (model.sigma.squeeze() ** 2).expand_as(y)
    if isinstance(model, dinv.physics.ZeroNoise) or type(model) is (
        dinv.physics.NoiseModel
    ):
        return torch.zeros_like(y)
    raise NotApplicable(
        f"The data term is for Gaussian, Poisson or Poisson-Gaussian noise, not "
        f"{type(model).__name__}."
    )


def noise_level(physics, y=None):
    """Standard deviation of the noise on the scale of y, a float; at least 1e-3 of it.

    Where it depends on the signal, that of the values of ``y`` together, all the images
    of a batch: the square root of the harmonic mean of their variances, which is that
    of the darkest values rather than the usual deviation, and the level of a weighted
    data term; holes are not measured, and count for nothing. That of photons, which is
    never 0, may be lower.
    """
    if isinstance(physics.noise_model, LowDoseNoise):
        return float((1 / variance(physics, y)).mean().rsqrt())
    if is_signal_dependent(physics):
        precision = 1 / variance(physics, y)
        if isinstance(physics, dinv.physics.Inpainting):
            precision = precision[physics.mask.expand_as(y) > 0]
        level = precision.mean().rsqrt()
    else:
        level = variance(physics, torch.zeros(1)).sqrt()
    # In this order: where nothing is measured, the level is not a number.
    return max(SMALLEST_LEVEL * getattr(physics, "level_unit", 1.0), float(level))


# How hyper-parameters, which are for measurements with REFERENCE_NOISE, follow the
# noise. What a denoiser removes is the error of an iterate, of which noise is a part:
# its best level goes as a power of the noise below 1. On motion blur, between noise
# 0.01 and 0.05, it was 0.57 to 0.7 for PnP-ADMM and 0.5 for Restoration-PnP; that of
# the weight of TV, 1.4 by what follows, was 1.37, and 1.62 for wavelets.


def denoiser_scale(level):
    """(level / REFERENCE_NOISE)^0.6, for the noise levels that denoisers are told."""
    return (level / REFERENCE_NOISE) ** 0.6


def residual_scale(level):
    """(level / REFERENCE_NOISE)^0.8, for the weight of x - denoiser(x) beside grad f.

    The residual is sigma^2 times the gradient of a prior: its weight in a likelihood
    goes as (level / sigma)^2, and sigma as ``denoiser_scale``.
    """
    return (level / REFERENCE_NOISE / denoiser_scale(level)) ** 2


def norm_scale(level):
    """(level / REFERENCE_NOISE)^1.4, for the weight of a norm beside f (TV, l1).

    The norm's weight inside of a denoiser goes as sigma: that of ``residual_scale``
    times ``denoiser_scale``.
    """
    return residual_scale(level) * denoiser_scale(level)
