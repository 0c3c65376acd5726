from benchmark_utils.common import whole
from benchmark_utils.data import ImageDataset, load_images


class Dataset(ImageDataset):
    """Set3C: butterfly, leaves and starfish, 256x256; BSDS500 train to learn from."""

    name = "set3c"
    training_set = "bsd"
    parameters = {
        **ImageDataset.image_parameters,
        "img_size": [None],
        "n_train": whole(0).or_none()(200),
    }

    def load(self, split):
        if split == "train":
            return load_images("bsds500-train", self.n_train)
        return load_images("set3c")
