from benchmark_utils.common import COUNT, whole
from benchmark_utils.data import ImageDataset, load_images


class Dataset(ImageDataset):
    """100 images of ImageNet, one per class of a hundred; BSDS500 train to learn from.

    The selection of Terris et al. (2025), "FiRe: Fixed-points of Restoration Priors".
    """

    name = "imagenet100"
    training_set = "bsd"
    parameters = {
        **ImageDataset.image_parameters,
        "img_size": [None],
        "n_images": COUNT.or_none()(None),
        "n_train": whole(0).or_none()(200),
    }

    def load(self, split):
        if split == "train":
            return load_images("bsds500-train", self.n_train)
        return load_images("imagenet100", self.n_images)
