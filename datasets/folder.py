from benchmark_utils.common import NotApplicable
from benchmark_utils.data import (
    IMAGES,
    ImageDataset,
    as_image,
    as_slice,
    domain_of,
    existing_folder,
    problem_parameters,
    read_folder,
    seen_by,
)
from benchmark_utils.physics import ALL_PROBLEMS, PROBLEMS


class Dataset(ImageDataset):
    """Your images: the files of a folder, and of another one to learn from.

    PNG, JPEG, TIFF, WebP, BMP and NumPy's .npy, of any size, read as a viewer shows
    them. Problems of tomography take them as attenuations, from air (black, 0) to dense
    bone (white, 1), in grey; those of MRI as magnitudes, which are given a smooth
    phase, or as complex images where a .npy file has complex values.

    path : the folder of the test images.
    train : the folder of the training images, or None.
    pattern : of the names of the files: '*.png', or '**/*' with deeper folders.
    """

    name = "folder"
    problems = ALL_PROBLEMS
    parameters = {
        **problem_parameters(ALL_PROBLEMS),
        "problem": list(PROBLEMS),
        "path": [None],
        "train": [None],
        "pattern": ["*"],
        "img_size": [None],
    }

    @property
    def domain(self):
        return domain_of(self.problem)

    def check(self):
        super().check()
        if self.path is None:
            raise NotApplicable(
                'Say where your images are: -d "folder[path=/my/images]".'
            )
        test = existing_folder("path", self.path)
        if self.train is None:
            return
        if existing_folder("train", self.train).samefile(test):
            raise NotApplicable(
                "train is the folder of the test images: learn from others."
            )

    def load(self, split):
        folder = self.path if split == "test" else self.train
        if folder is None:
            return {}
        folder = existing_folder(split, folder)
        if self.domain == IMAGES:
            return read_folder(folder, self.pattern, as_image)
        return seen_by(read_folder(folder, self.pattern, as_slice), self.domain)
