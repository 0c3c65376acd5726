import torch

from benchmark_utils.data import ImageDataset


class Dataset(ImageDataset):
    """Where the images come from, and how many there are.

    benchopt ignores files named template_*: copy this one to datasets/my_images.py.
    """

    name = "my_images"
    parameters = {**ImageDataset.image_parameters, "img_size": [None]}

    def load(self, split):
        generator = torch.Generator().manual_seed(int(split == "test"))
        return {f"{split} 0": torch.rand((3, 64, 64), generator=generator)}
