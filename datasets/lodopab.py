from benchmark_utils.common import COUNT, NotApplicable, Unavailable, whole
from benchmark_utils.data import (
    ATTENUATIONS,
    ImageDataset,
    data_folder,
    data_listing,
    problem_parameters,
)
from benchmark_utils.physics import CT_PROBLEMS, MAX_ATTENUATION

# What LoDoPaB divides attenuations by, per cm: 3071 HU.
THEIR_MAX = 0.8135858


class Dataset(ImageDataset):
    """The ground truths of LoDoPaB-CT, 362x362, from a folder of data_paths.

    Leuschner et al. (2021), https://zenodo.org/records/3384092: its files
    ground_truth_{train,test}_000.hdf5 and so on, unpacked.
    """

    name = "lodopab"
    problems = CT_PROBLEMS
    parameters = {
        **problem_parameters(CT_PROBLEMS),
        "img_size": [None],
        "n_images": COUNT(10),
        "n_train": whole(0)(10),
    }
    domain = ATTENUATIONS

    def machine_state(self):
        return super().machine_state(), data_listing(self.name)

    def load(self, split):
        folder, found = data_folder(self.name), {}
        n = self.n_train if split == "train" else self.n_images
        paths = sorted(folder.glob(f"ground_truth_{split}_*.hdf5"))
        if not paths:
            raise Unavailable(
                f"{folder} has no ground_truth_{split}_000.hdf5: get LoDoPaB-CT from "
                "https://zenodo.org/records/3384092 and give its folder in "
                "config_local.yml, as data_paths: {lodopab: /its/folder}."
            )
        for path in paths:
            images = read_slices(path, n - len(found))
            found |= {f"{path.stem}_{i}": image for i, image in enumerate(images)}
            if len(found) == n:
                break
        return found


def read_slices(path, n):
    """The first ``n`` images of a file, with our largest attenuation."""
    try:
        import h5py
    except ImportError as error:
        raise Unavailable("The dataset lodopab needs: pip install h5py") from error
    try:
        with h5py.File(path) as file:
            images = file["data"][:n]
    # A group, or a single number, has no rows.
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise Unavailable(
            f"{path} is not a file of LoDoPaB-CT, which has images under 'data'."
        ) from error
    is_stack = images.ndim == 3 and (images.size > 0 or n == 0)
    if not is_stack or (n and not 0 <= images.min() <= images.max() <= 1):
        raise NotApplicable(
            f"{path} has images of shape {images.shape} that are not in [0, 1], or not "
            "in rows and columns: those of LoDoPaB-CT are."
        )
    return (images * (THEIR_MAX / MAX_ATTENUATION)).clip(0, 1)
