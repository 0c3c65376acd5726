from benchmark_utils.common import one_of, whole
from benchmark_utils.data import ImageDataset, load_images

# BSD20 and BSD68 are part of val; no network of this repository was trained on it.
TEST_SETS = ("bsd20", "bsd68", "bsds500-val")


class Dataset(ImageDataset):
    """The Berkeley photographs: BSD20 or BSD68 to test, BSDS500 train to learn from.

    Martin et al. (2001), "A Database of Human Segmented Natural Images". Images have
    321x481 or 481x321 pixels.

    images : the test images.
    """

    name = "bsd"
    parameters = {
        **ImageDataset.image_parameters,
        "images": one_of(*TEST_SETS)("bsd20"),
        "img_size": [None],
        "n_train": whole(0).or_none()(200),
    }

    def load(self, split):
        if split == "train":
            return load_images("bsds500-train", self.n_train)
        return load_images(self.images)
