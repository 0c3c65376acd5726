from pathlib import Path

import numpy as np

from benchmark_utils import data
from benchmark_utils.common import one_of, whole
from benchmark_utils.data import (
    ATTENUATIONS,
    ImageDataset,
    from_hounsfield,
    problem_parameters,
    random_phantoms,
    reduced,
)
from benchmark_utils.physics import CT_PROBLEMS

CHEST = Path(data.__file__).parent / "chest" / "chest_hu_512.npz"


class Dataset(ImageDataset):
    """One slice of a chest; random ellipses to learn from: no download.

    The slice has 512x512 pixels; smaller sizes are means of squares of them.
    """

    name = "chest"
    problems = CT_PROBLEMS
    parameters = {
        **problem_parameters(CT_PROBLEMS),
        "img_size": one_of(512, 256, 128, 64, 32)(256),
        "n_train": whole(0)(10),
    }
    test_parameters = {"problem": ["ct_sparse"], "img_size": [32]}
    domain = ATTENUATIONS

    def load(self, split):
        if split == "train":
            return random_phantoms(self.n_train, self.img_size, seed=0)
        with np.load(CHEST) as file:
            image = from_hounsfield(file["hu"], "The chest")
        return {"chest": reduced(image, self.img_size)}
