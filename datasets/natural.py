from benchmark_utils.data.image_dataset import ImageDataset
from benchmark_utils.data.images import load_images


class Dataset(ImageDataset):
    """Photographs that ship inside scikit-image and scikit-learn: no download."""

    name = "natural"
    parameters = {**ImageDataset.image_parameters, "img_size": [256]}
    test_parameters = {"problem": ["denoising"], "img_size": [64]}

    def load(self, split):
        return load_images(f"natural-{split}")
