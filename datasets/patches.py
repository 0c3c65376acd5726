import deepinv as dinv
import torch
from benchopt import BaseDataset

from benchmark_utils.common import (
    COUNT,
    LEVEL,
    SHARE,
    Described,
    NotApplicable,
    ShortName,
    Unavailable,
    check_parameters,
    one_of,
)
from benchmark_utils.data import VECTORS, ReadsImages, load_images, measure
from benchmark_utils.dictionaries import masks

# images: (test set, training set and how many of its images)
SETS = {
    "natural": (("natural-test", None), ("natural-train", None)),
    "bsd": (("bsd20", None), ("bsds500-train", 20)),
}
OPERATORS = ("masks", "identity")


class Dataset(Described, ReadsImages, ShortName, BaseDataset):
    """Textures: patches of photographs, each seen through a random mask of its own.

    Malezieux, Michel, Moreau and Kowalski (2024) learn dictionaries of such patches.
    Signals are vectors (B, patch_size^2): ``n_signals`` patches of the grey levels
    (mean of the channels, in [0, 1]) of the test photographs, at random places, without
    their mean. Each pixel is missing with probability ``missing``. There are
    ``n_train`` other patches, known, of training photographs.

    images : the photographs.
    operator : "masks", or "identity" where no pixel is missing.
    missing : probability that a pixel is missing.
    patch_size : side of the patches, in pixels.
    n_signals : number of test patches.
    n_train : number of training patches.
    noise_level : standard deviation of the Gaussian noise.
    """

    name = "patches"
    always_shown = ("operator",)
    parameters = {
        "images": one_of(*SETS)("natural"),
        "operator": one_of(*OPERATORS)("masks"),
        "missing": SHARE(0.5),
        "patch_size": COUNT(8),
        "n_signals": COUNT(10000),
        "n_train": COUNT(10000),
        "noise_level": LEVEL(0.01),
    }
    test_parameters = {
        "operator": list(OPERATORS),
        "patch_size": [4],
        "n_signals": [200],
        "n_train": [200],
    }

    def get_data(self):
        data = {"dataset": self.name, "problem": self.operator}
        seed = self.get_seed(use_dataset=True, use_repetition=True)
        generator = torch.Generator().manual_seed(seed)
        try:
            check_parameters(self)
            test_set, train_set = SETS[self.images]
            test = self._measure(test_set, self.n_signals, generator)
            train = self._measure(train_set, self.n_train, generator)
        except (NotApplicable, Unavailable) as error:
            return {**data, "train": [], "test": [], "unavailable": str(error)}
        shape = (1, self.patch_size, self.patch_size)
        return {**data, "train": [train], "test": [test], "patch_shape": shape}

    def _measure(self, image_set, n_signals, generator):
        images = [image.mean(0) for image in load_images(*image_set).values()]
        x = self._draw(images, n_signals, generator)
        if self.operator == "masks":
            physics = masks(*x.shape, self.missing, generator)
        else:
            physics = dinv.physics.Denoising()
        physics.noise_model = dinv.physics.GaussianNoise(sigma=self.noise_level)
        names = tuple(f"patch {i}" for i in range(n_signals))
        return measure(x, physics, generator, names, VECTORS)

    def _draw(self, images, n_signals, generator):
        """Patches of the images in turn: (n_signals, patch_size^2), of zero mean."""
        size = self.patch_size
        smallest = min(min(image.shape) for image in images)
        if size > smallest:
            raise NotApplicable(
                f"patch_size is {size}, and an image has a side of {smallest} pixels."
            )
        patches = []
        for i, image in enumerate(images):
            n = len(range(i, n_signals, len(images)))
            rows, columns = (
                torch.randint(side - size + 1, (n,), generator=generator)
                for side in image.shape
            )
            windows = image.unfold(0, size, 1).unfold(1, size, 1)
            patches.append(windows[rows, columns].flatten(1))
        x = torch.cat(patches)
        return x - x.mean(1, keepdim=True)
