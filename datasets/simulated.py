import torch

from benchmark_utils.common import COUNT, whole
from benchmark_utils.data import SMALLEST_SIDE, ImageDataset


class Dataset(ImageDataset):
    """Tiny images of overlapping coloured rectangles on a ramp: for quick tests."""

    name = "simulated"
    parameters = {
        **ImageDataset.image_parameters,
        "problem": ["denoising"],
        "img_size": whole(SMALLEST_SIDE)(32),
        "n_images": COUNT(2),
    }

    def load(self, split):
        generator = torch.Generator().manual_seed(int(split == "test"))
        return {
            f"{split}{i}": self._draw(generator, self.img_size)
            for i in range(self.n_images)
        }

    @staticmethod
    def _draw(generator, size):
        ramp = torch.linspace(0.2, 0.8, size, dtype=torch.float32)
        image = ramp.expand(3, size, size).clone()
        for _ in range(6):
            top, left = torch.randint(size // 2, (2,), generator=generator).tolist()
            color = torch.rand(3, 1, 1, generator=generator, dtype=ramp.dtype)
            image[:, top : top + size // 2, left : left + size // 3] = color
        return image
