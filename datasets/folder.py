from benchmark_utils.common import NotApplicable
from benchmark_utils.data import ImageDataset, existing_folder, read_folder


class Dataset(ImageDataset):
    """Your images: the files of a folder, and of another one to learn from.

    PNG, JPEG, TIFF, WebP, BMP and NumPy's .npy, of any size, read as a viewer shows
    them.

    path : the folder of the test images.
    train : the folder of the training images, or None.
    pattern : of the names of the files: '*.png', or '**/*' with deeper folders.
    """

    name = "folder"
    parameters = {
        **ImageDataset.image_parameters,
        "path": [None],
        "train": [None],
        "pattern": ["*"],
        "img_size": [None],
    }

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
        return read_folder(existing_folder(split, folder), self.pattern)
