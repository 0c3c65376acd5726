from benchmark_utils.common import whole
from benchmark_utils.data import (
    ATTENUATIONS,
    MAX_PHANTOMS,
    SMALLEST_SIDE,
    ImageDataset,
    problem_parameters,
    random_phantoms,
)
from benchmark_utils.physics import CT_PROBLEMS


class Dataset(ImageDataset):
    """Random ellipses in an ellipse, for tomography: no download."""

    name = "phantoms"
    problems = CT_PROBLEMS
    parameters = {
        **problem_parameters(CT_PROBLEMS),
        "img_size": whole(SMALLEST_SIDE)(256),
        "n_images": whole(1, MAX_PHANTOMS)(4),
        "n_train": whole(0, MAX_PHANTOMS)(10),
    }
    test_parameters = {"problem": ["ct_sparse"], "img_size": [32]}
    domain = ATTENUATIONS

    def load(self, split):
        if split == "train":
            return random_phantoms(self.n_train, self.img_size, seed=0)
        return random_phantoms(self.n_images, self.img_size, seed=1)
