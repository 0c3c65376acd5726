import pywt
import torch
from torch.nn import functional as F

from benchmark_utils.common import COUNT, FLAG, NotApplicable, next_momentum
from benchmark_utils.physics import REFERENCE_NOISE, data_term, norm_scale
from benchmark_utils.priors import pad_to_multiple, soft_threshold
from benchmark_utils.solving import IterativeSolver, Range


class Solver(IterativeSolver):
    """min_x 1/2 ||A x - y||^2 + weight ||W x||_1, by FISTA.

    Beck and Teboulle (2009). W are the details, at all levels, of an orthonormal
    wavelet transform, whose coarse approximation is not penalised. The transform is
    periodic on the image extended to a multiple of 2^levels. ``translation_invariant``
    draws a circular shift of the image at each iteration and averages the second half
    of the iterates (cycle spinning: Figueiredo and Nowak, 2003), which removes the
    artefacts of the grid. The real and the imaginary part of a complex image are shrunk
    together. weight = 0.01 reg (noise / 0.01)^{1.4}, as that of TV.

    reg : weight of the l1 norm, for measurements with noise 0.01.
    wavelet : an orthonormal one, as PyWavelets names it.
    levels : of the transform.
    translation_invariant : random shifts, and the mean of the second half.
    """

    name = "Wavelets"
    parameters = {
        "reg": ["tuned"],
        "n_iter": COUNT(60),
        "wavelet": ["db8"],
        "levels": COUNT(4),
        "translation_invariant": FLAG(True),
    }
    search_space = {"reg": Range(0.003, 10.0, default=0.5, may_be_zero=True)}

    def check(self):
        known = self.wavelet in pywt.wavelist(kind="discrete")
        if not known or not pywt.Wavelet(self.wavelet).orthogonal:
            raise NotApplicable(
                "wavelet must be an orthogonal one of PyWavelets, of the families "
                f"haar, db, sym, coif or dmey (db8, say), not {self.wavelet!r}."
            )

    def iterate(self, y, physics):
        f = data_term(physics, y)
        step = 1 / f.lipschitz
        threshold = step * self.reg * REFERENCE_NOISE * norm_scale(f.noise_level)
        x0 = f.initial_guess()
        height, width = x0.shape[-2:]
        is_complex = self.domain.kind == "complex"

        def extended_grad(x):
            margins = (0, x.shape[-1] - width, 0, x.shape[-2] - height)
            return F.pad(f.grad(x[..., :height, :width]), margins)

        x = z = pad_to_multiple(x0, 2**self.levels)
        t, mean = 1.0, None
        for k in range(self.n_iter):
            shift = self._draw_shift()
            forward = (z - step * extended_grad(z)).roll(shift, (-2, -1))
            x_new = soft_threshold(
                forward, threshold, self.wavelet, self.levels, is_complex
            )
            x_new = x_new.roll([-s for s in shift], (-2, -1))
            t, momentum = next_momentum(t)
            z = x_new + momentum * (x_new - x)
            x = x_new
            if self.translation_invariant and k >= self.n_iter // 2:
                count = k - self.n_iter // 2
                mean = x if count == 0 else mean + (x - mean) / (count + 1)
            yield (x if mean is None else mean)[..., :height, :width]

    def _draw_shift(self):
        if not self.translation_invariant:
            return [0, 0]
        high = 2**self.levels
        return torch.randint(
            high, (2,), generator=self.generator, device=self.device
        ).tolist()
