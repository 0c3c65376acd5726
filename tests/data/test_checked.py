"""What a loader returns is converted where it has one meaning, else refused."""

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image

from benchmark_utils.common.errors import NotApplicable
from benchmark_utils.data.checked import as_image

PIXELS = skimage.data.astronaut()[100:148, 150:210]  # 48 x 60
BYTES = torch.from_numpy(PIXELS).permute(2, 0, 1)
IMAGE = BYTES / 255
GREY = IMAGE[:1]

CONVERTED = {
    "float32": (IMAGE, IMAGE),
    "float64": (IMAGE.double(), IMAGE),
    "float16": (IMAGE.half(), IMAGE.half().float()),
    "bfloat16": (IMAGE.bfloat16(), IMAGE.bfloat16().float()),
    "bytes": (BYTES, IMAGE),
    "numpy": (IMAGE.numpy(), IMAGE),
    "numpy, read-only and mirrored": (IMAGE.numpy()[..., ::-1], IMAGE.flip(-1)),
    "numpy, of the other byte order": (IMAGE.numpy().astype(">f4"), IMAGE),
    "numpy bytes, as Pillow reads them": (PIXELS, IMAGE),
    "channels last": (IMAGE.permute(1, 2, 0), IMAGE),
    "one channel last": (GREY.permute(1, 2, 0), GREY),
    "Pillow": (Image.fromarray(PIXELS), IMAGE),
    "Pillow, transparent": (Image.new("RGBA", (9, 8)), torch.ones(3, 8, 9)),
    "no channel": (GREY[0], GREY),
    "booleans": (GREY[0] > 0.5, (GREY > 0.5).float()),
    "gradient": (IMAGE.clone().requires_grad_(), IMAGE),
    "rounded": (IMAGE * 0 + 1.00001, torch.ones_like(IMAGE)),
    "black": (torch.zeros(3, 8, 8), torch.zeros(3, 8, 8)),
    "white": (torch.ones(3, 8, 8), torch.ones(3, 8, 8)),
}

WITH_NAN = IMAGE.clone()
WITH_NAN[0, 0, 0] = torch.nan

REFUSED = {
    "0..255": (
        BYTES.float(),
        "(3, 48, 60) and dtype float32, with values from 1 to 25",
    ),
    "0..255 again": (BYTES.float(), "look like 0..255 and must be divided by 255"),
    "-1..1": (2 * IMAGE - 1, "look like [-1, 1] and must be brought to [0, 1]"),
    "negative": (-1.5 * IMAGE, "its values are not in [0, 1]"),
    "ImageNet": ((IMAGE - 0.45) / 0.22, "its values are not in [0, 1]"),
    "NaN": (WITH_NAN, "NaN or infinite"),
    "infinite": (IMAGE / 0, "NaN or infinite"),
    "None": (None, "The image is None: it must be an image"),
    "list": (IMAGE.tolist(), "The image is a list"),
    "objects": (np.array([[None] * 9] * 9), "The image cannot be read"),
    "batch": (IMAGE[None], "of shape (1, 3, 48, 60)"),
    "vector": (IMAGE.flatten(), "it has not the shape of an image"),
    "two channels": (IMAGE[:2], "it has neither 1 nor 3 channels"),
    "four channels": (torch.cat([IMAGE, GREY]), "it has neither 1 nor 3 channels"),
    "two ends": (torch.zeros(3, 9, 3), "either end of its shape could be the channels"),
    "small": (torch.zeros(3, 7, 9), "fewer than 8 pixels"),
    "empty": (torch.zeros(3, 0, 9), "without a value"),
    "int16": (BYTES.short(), "the range of its whole numbers is not known"),
    "uint16": (PIXELS.astype(np.uint16), "the range of its whole numbers is not known"),
    "complex": (IMAGE.to(torch.complex64), "complex values are not supported"),
    "Pillow F": (Image.new("F", (9, 9), 2), "from 2.0 to 2.0; bring"),
    "Pillow I": (Image.new("I", (9, 9)), "no known range"),
}


@pytest.mark.parametrize("case", CONVERTED)
def test_what_has_one_meaning_is_converted(case):
    value, expected = CONVERTED[case]
    image = as_image(value)
    assert image.dtype == torch.float32 and image.is_contiguous()
    assert not image.requires_grad
    torch.testing.assert_close(image, expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_none_or_two_is_refused_in_one_sentence(case):
    value, reason = REFUSED[case]
    with pytest.raises(NotApplicable) as error:
        as_image(value)
    sentence = str(error.value)
    assert reason in sentence
    assert sentence.endswith("values in [0, 1], 8-bit values or booleans.")
    assert "\n" not in sentence


def test_an_image_is_converted_to_float32_whatever_the_default():
    torch.set_default_dtype(torch.float64)
    try:
        for value in (BYTES, PIXELS, GREY[0] > 0.5, Image.fromarray(PIXELS)):
            assert as_image(value).dtype == torch.float32
    finally:
        torch.set_default_dtype(torch.float32)


# From a dataset's file


@pytest.fixture
def dataset_file(tmp_path):
    """dataset_file(name, body): a dataset whose load() has this body."""

    def write(name, body):
        path = tmp_path / f"{name}.py"
        path.write_text(
            "import numpy as np\n"
            "import torch\n"
            "from benchmark_utils.data import ImageDataset, read_image\n"
            "class Dataset(ImageDataset):\n"
            f"    name = {name!r}\n"
            "    parameters = {**ImageDataset.image_parameters, 'img_size': [None]}\n"
            "    def load(self, split):\n"
            "        image = torch.linspace(0, 1, 3 * 16 * 16).reshape(3, 16, 16)\n"
            f"        {body}\n"
        )
        return path

    return write


LOADED = {
    "return {'a': 255 * image}": "The dataset own, image 'a' of test is of shape (3, ",
    "return [image]": "The dataset own loads a list for test: it must load a dic",
    "return None": "The dataset own loads None for test: it must load a dictionary",
    "return {}": "There is no test image",
    "return {'a': read_image('nowhere.png')}": "reads a file that is not there: now",
    "return {'a': np.load('nowhere.npy')}": "reads a file that is not there: nowhere.",
    "raise FileNotFoundError('no photo here')": "that is not there: no photo here.",
}


@pytest.mark.parametrize("body", LOADED)
def test_a_loader_is_told_what_it_must_load(body, dataset_file, get_data):
    data = get_data(str(dataset_file("own", body)), problem="denoising")
    assert LOADED[body] in data["unavailable"]
    assert data["test"] == [] and "\n" not in data["unavailable"]


def test_training_images_are_checked_too(dataset_file, get_data):
    body = "return {'a': image if split == 'test' else 255 * image}"
    data = get_data(str(dataset_file("own", body)), problem="denoising")
    assert "unavailable" not in data
    with pytest.raises(NotApplicable, match="image 'a' of train is of shape"):
        len(data["train"])


def test_a_bug_of_a_loader_is_not_hidden(dataset_file, get_data):
    with pytest.raises(TypeError, match="unsupported operand"):
        get_data(str(dataset_file("own", "return 1 + 'a'")), problem="denoising")


@pytest.mark.parametrize(
    "form",
    ["image.permute(1, 2, 0).double().numpy()", "image.clone().requires_grad_()"],
)
def test_the_same_image_in_another_form_is_measured_alike(form, dataset_file, get_data):
    bodies = ("return {'a': image}", f"return {{'a': {form}}}")
    # Twice the same name: the noise is drawn from it.
    expected, batch = (
        get_data(str(dataset_file("own", body)), problem="denoising")["test"][0]
        for body in bodies
    )
    assert torch.equal(batch.x, expected.x) and torch.equal(batch.y, expected.y)
    assert not batch.y.requires_grad


def test_a_run_goes_on_with_the_other_datasets(dataset_file, run, capfd):
    wrong = dataset_file("wrong", "return {'a': 255 * image}")
    rows = run(["Pseudo-inverse"], [f"{wrong}[problem=denoising]", "simulated"])
    assert list(rows.dataset_name.unique()) == ["simulated[problem=denoising]"]
    output = " ".join("\n".join(capfd.readouterr()).split())
    assert "Reason: The dataset wrong, image 'a' of test is of shape (3, 16, 16)" in (
        output
    )
    assert "Traceback" not in output
