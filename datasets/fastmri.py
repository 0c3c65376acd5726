from itertools import islice

from benchmark_utils.common import COUNT, one_of, whole
from benchmark_utils.data import COMPLEX_IMAGES, ImageDataset, problem_parameters
from benchmark_utils.data.fastmri import COILS, central_slices, volumes, volumes_state
from benchmark_utils.physics import MRI_PROBLEMS


class Dataset(ImageDataset):
    """Knees and brains of fastMRI, from your copy of its files.

    Zbontar et al. (2018), "fastMRI: An Open Dataset and Benchmarks for Accelerated
    MRI". Images are complex: those of the k-space of each file, which is fully
    sampled, cropped as its reconstruction is, and divided by the largest value of its
    volume, as in fastMRI's own scores. Slices of several coils are brought together
    with maps estimated from the centre of k-space. What is measured is simulated from
    these images.

    coils : the files of singlecoil_train and singlecoil_val, or those of multicoil.
    n_slices : how many central slices are read of each volume.
    """

    name = "fastmri"
    problems = MRI_PROBLEMS
    domain = COMPLEX_IMAGES
    parameters = {
        **problem_parameters(MRI_PROBLEMS),
        "img_size": [None],
        "coils": one_of(*COILS)("singlecoil"),
        "n_images": COUNT(20),
        "n_train": whole(0)(20),
        "n_slices": COUNT(1),
    }

    def load(self, split):
        n_images = self.n_train if split == "train" else self.n_images
        slices = (
            item
            for path in volumes(self.coils, split)
            for item in central_slices(path, self.n_slices)
        )
        return dict(islice(slices, n_images))

    def machine_state(self):
        return volumes_state(self.coils)
