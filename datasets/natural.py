from benchmark_utils.data import ImageDataset, load_images


class Dataset(ImageDataset):
    """Photographs that ship inside scikit-image and scikit-learn: no download."""

    name = "natural"
    parameters = {**ImageDataset.image_parameters, "img_size": [256]}
    test_parameters = {"problem": ["denoising"], "img_size": [64]}

    def load(self, split):
        return load_images(f"natural-{split}")
