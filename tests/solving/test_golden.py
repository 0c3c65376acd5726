"""Numbers of the solvers that config/quick.yml does not run, on small data.

They move where a method does something else than it did: then say why, and write the
new ones. Tolerances are about what another seed moves them by.
"""

import pytest
import torch
from walk import SOLVERS, answer

CROP = ("natural", {"problem": "inpainting", "img_size": 64})
VECTORS = (
    "synthetic_dictionary",
    {
        "dim": 16,
        "n_atoms": 16,
        "m": 12,
        "n_operators": 4,
        "n_signals": 600,
        "n_train": 600,
    },
)
GOLDEN = {
    "CDL": (CROP, {"reg": 1.0, "n_steps": 20, "n_coding": 60}, 28.27, 0.3),
    "CDL supervised": (CROP, {"reg": 0.3, "n_steps": 30, "n_iter": 60}, 27.48, 0.3),
    "DIP": (CROP, {"n_iter": 100}, 22.03, 0.6),
    "Dictionary supervised": (VECTORS, {"n_steps": 300}, 23.20, 1.5),
    "Dictionary learning": (VECTORS, {"n_steps": 60}, 15.75, 1.0),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_the_psnr_is_what_it_was(name, get_data, get_objective):
    (dataset, options), parameters, expected, tolerance = GOLDEN[name]
    data = get_data(dataset, **options)
    x_hat = answer(SOLVERS[name], data, get_objective, **parameters)
    error = torch.cat([(a - b.x).flatten() for a, b in zip(x_hat, data["test"])])
    psnr = -10 * float(error.square().mean().log10())
    assert psnr == pytest.approx(expected, abs=tolerance)
