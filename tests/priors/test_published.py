"""Published networks: their weights are found, fetched, checked and really used."""

import inspect
import shutil
import warnings
from dataclasses import replace

import deepinv as dinv
import pytest
import torch
from benchopt.benchmark import Benchmark
from operators import make_physics

from benchmark_utils.common.checksums import sha256
from benchmark_utils.common.errors import Unavailable
from benchmark_utils.physics.blurs import MirroredBlur
from benchmark_utils.physics.degradations import (
    DEGRADATIONS,
    BrushMask,
    Degraded,
    Measurement,
)
from benchmark_utils.priors import denoisers, published_weights
from benchmark_utils.priors.compact import TASKS
from benchmark_utils.priors.published import PUBLISHED_RESTORERS
from benchmark_utils.priors.published_weights import FILES, load_published

PUBLIC = [name for name, file in FILES.items() if file.fetch is not None]
SIZE = (17, 22)


class ToyLama(torch.nn.Module):
    """Fills holes with a colour, from (image, hole), on sides that LaMa accepts."""

    def __init__(self):
        super().__init__()
        self.colour = torch.nn.Parameter(torch.tensor(0.7))

    def forward(self, image, hole):
        if image.shape[2] % 8 > 0 or image.shape[3] % 8 > 0:
            raise ValueError("LaMa takes multiples of 8.")
        return (1 - hole) * image + hole * self.colour


def swinir(factor):
    return dinv.models.SwinIR(
        img_size=64, upscale=factor, upsampler="pixelshuffle", pretrained=None
    )


@pytest.fixture(scope="module")
def networks():
    """Networks with random weights, by the name of their file."""
    torch.manual_seed(0)
    restormer = dinv.models.Restormer(LayerNorm_type="WithBias", pretrained=None)
    networks = {
        "drunet": dinv.models.DRUNet(pretrained=None),
        "scunet": dinv.models.SCUNet(pretrained=None),
        "restormer_defocus": restormer,
        "restormer_gaussian": restormer,
        "restormer_motion": restormer,
        "swinir_x2": swinir(2),
        "swinir_x3": swinir(3),
    }
    return {name: network.eval() for name, network in networks.items()}


@pytest.fixture(scope="module")
def library(tmp_path_factory, networks):
    """A folder with their files, wrapped as the published ones are."""
    folder = tmp_path_factory.mktemp("library")
    wrapped = {"restormer_defocus": "params", "swinir_x2": "params"}
    wrapped |= {"swinir_x3": "params", "restormer_motion": "state_dict"}
    for name, network in networks.items():
        weights = network.state_dict()
        if name in wrapped:
            weights = {wrapped[name]: weights}
        torch.save(weights, folder / FILES[name].file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        torch.jit.save(torch.jit.script(ToyLama()), folder / FILES["lama"].file)
    return folder


@pytest.fixture(scope="module")
def drunet(library):
    """The entry of DRUNet, with the checksum of its random weights."""
    path = library / FILES["drunet"].file
    return replace(FILES["drunet"], digest=sha256(path)[:8])


@pytest.fixture
def folder(tmp_path, monkeypatch, drunet):
    """The folder of the user, empty, on a machine without a network."""

    def no_network(*_, **__):
        raise ConnectionError("no route to host")

    folder = tmp_path / published_weights.KEY
    monkeypatch.setattr(published_weights, "data_folder", lambda key: tmp_path / key)
    monkeypatch.setattr(published_weights, "hf_hub_download", no_network)
    monkeypatch.setattr(published_weights.pooch, "retrieve", no_network)
    monkeypatch.setitem(FILES, "drunet", drunet)
    return folder


@pytest.fixture
def put(folder, library):
    """put(name): its file is in the folder of the user."""

    def put(name):
        folder.mkdir(exist_ok=True)
        path = folder / FILES[name].file
        path.symlink_to(library / path.name)
        return path

    return put


@pytest.fixture
def images():
    return torch.rand((2, 3, *SIZE), generator=torch.Generator().manual_seed(0))


def degrade(task, images):
    return DEGRADATIONS[task](images, torch.Generator().manual_seed(0))


def restore(task, degraded, size=SIZE):
    restorer = PUBLISHED_RESTORERS[task]("cpu")
    with torch.inference_mode():
        return restorer(degraded, size)


# Networks: the published weights are those that are used


def test_every_task_has_a_published_network():
    assert set(PUBLISHED_RESTORERS) == set(TASKS)


@pytest.mark.parametrize(
    "task, name",
    [
        ("jpeg", "scunet"),
        ("deblur", "restormer_defocus"),
        ("sr2", "swinir_x2"),
        ("sr3", "swinir_x3"),
    ],
)
def test_blind_networks_restore_images_of_any_size(task, name, images, put, networks):
    put(name)
    degraded = degrade(task, images[:1])
    restored = restore(task, degraded)
    with torch.inference_mode():
        expected = networks[name](degraded.y)[..., : SIZE[0], : SIZE[1]]
    assert restored.shape == (1, 3, *SIZE)
    torch.testing.assert_close(restored, expected)


def test_drunet_receives_the_noise_level_of_each_image(images, put, networks):
    put("drunet")
    sigma = torch.tensor([0.02, 0.2])
    restored = restore("denoiser", Degraded(images, sigma))
    for image, level, each in zip(images, sigma.tolist(), restored):
        with torch.inference_mode():
            expected = networks["drunet"](image[None], level)[0]
        torch.testing.assert_close(each, expected, rtol=1e-4, atol=1e-5)


def test_the_denoiser_drunet_has_the_published_weights(images, put, networks):
    put("drunet")
    denoiser = denoisers.load_denoiser("drunet")
    with torch.inference_mode():
        expected = networks["drunet"](images, 0.1)
        torch.testing.assert_close(denoiser(images, 0.1), expected)


@pytest.mark.parametrize("name", ["scunet", "lama"])
def test_networks_are_frozen_and_in_evaluation_mode(name, put):
    put(name)
    network = load_published(name, "cpu")
    assert not network.training
    assert not any(weights.requires_grad for weights in network.parameters())


@pytest.mark.parametrize(
    "task, name", [("deblur", "restormer_gaussian"), ("motion", "restormer_motion")]
)
def test_the_authors_restormer_receives_h_transposed_y(
    task, name, images, put, networks
):
    put(name)
    generator = torch.Generator().manual_seed(0)
    degraded = DEGRADATIONS[task](images[:1], generator)
    kernels = degraded.operator.kernels
    with torch.inference_mode():
        expected = networks[name](MirroredBlur(kernels.flip((-2, -1)))(degraded.y))
    torch.testing.assert_close(restore(task, degraded), expected)


def test_the_authors_restormer_receives_a_transposed_y_where_d_is_a(
    images, put, networks
):
    put("restormer_motion")
    generator = torch.Generator().manual_seed(0)
    x = torch.rand((1, 3, 32, 28), generator=generator)
    physics = make_physics("motion_deblurring", x.shape[1:], generator)
    degraded = Measurement(physics)(x, generator)
    with torch.inference_mode():
        expected = networks["restormer_motion"](physics.A_adjoint(degraded.y))
    restored = restore("motion", degraded, x.shape[-2:])
    torch.testing.assert_close(restored, expected)


def test_the_authors_restormer_receives_y_where_there_is_no_blur(images, put, networks):
    put("restormer_motion")
    y = images[:1]
    with torch.inference_mode():
        expected = networks["restormer_motion"](y)
    torch.testing.assert_close(restore("motion", Degraded(y, torch.zeros(1))), expected)


@pytest.mark.parametrize("degradation", [DEGRADATIONS["inpaint"], BrushMask()])
def test_lama_fills_the_holes_and_only_them(degradation, images, put):
    put("lama")
    degraded = degradation(images, torch.Generator().manual_seed(0))
    assert 0 < degraded.mask.mean() < 1
    restored = restore("inpaint", degraded)
    expected = torch.where(degraded.mask > 0, degraded.y, torch.tensor(0.7))
    torch.testing.assert_close(restored, expected)


@pytest.mark.filterwarnings("error::FutureWarning")
def test_lama_leaves_images_without_a_mask_as_they_are(images, put):
    put("lama")
    degraded = Degraded(images, torch.zeros(2))
    torch.testing.assert_close(restore("inpaint", degraded), images)


def test_an_image_that_was_not_reduced_is_not_enlarged_and_cropped(images, put):
    put("swinir_x2")
    with pytest.raises(ValueError, match=r"34x44 pixels of 17x22, and 17x22 are asked"):
        restore("sr2", Degraded(images, torch.zeros(2)))


# Files: found, fetched, checked


def test_a_folder_of_config_is_read_without_a_download(tmp_path, monkeypatch, library):
    config = tmp_path / "config.yml"
    config.write_text(f"data_paths: {{published_weights: {library}}}\n")
    monkeypatch.setattr(Benchmark, "get_config_file", lambda self: config)
    monkeypatch.setattr(published_weights, "hf_hub_download", None)
    monkeypatch.setattr(published_weights, "write_checksum", lambda *_: None)
    load_published("scunet", "cpu")


def test_empty_data_paths_are_refused(tmp_path, monkeypatch):
    config = tmp_path / "config.yml"
    config.write_text("data_paths:\n")
    monkeypatch.setattr(Benchmark, "get_config_file", lambda self: config)
    with pytest.raises(Unavailable, match=r"data_paths of config.yml is empty"):
        load_published("scunet", "cpu")


def test_files_are_downloaded_once_into_the_folder(folder, library, monkeypatch):
    downloads = []

    def from_hugging_face(repository, file, local_dir):
        downloads.append(f"{repository}/{file}")
        return shutil.copy(library / file, local_dir)

    def retrieve(url, known_hash, path, fname):
        downloads.append(url)
        return shutil.copy(library / fname, path)

    monkeypatch.setattr(published_weights, "hf_hub_download", from_hugging_face)
    monkeypatch.setattr(published_weights.pooch, "retrieve", retrieve)
    for _ in range(2):
        load_published("scunet", "cpu")
        load_published("lama", "cpu")
    assert downloads == [
        "deepinv/scunet/scunet_color_real_psnr.pth",
        "https://github.com/enesmsahin/simple-lama-inpainting/releases/download/"
        "v0.1.0/big-lama.pt",
    ]
    names = {path.name for path in folder.iterdir() if path.name[0] != "."}
    assert names == {"SHA256SUMS", FILES["scunet"].file, FILES["lama"].file}


@pytest.mark.parametrize(
    "name, architecture, options",
    [
        ("drunet", dinv.models.DRUNet, {"pretrained": "download"}),
        ("scunet", dinv.models.SCUNet, {"pretrained": "download"}),
        ("ram", dinv.models.RAM, {"pretrained": True}),
        (
            "restormer_defocus",
            dinv.models.Restormer,
            {"pretrained": "defocus_deblurring", "LayerNorm_type": "WithBias"},
        ),
        (
            "swinir_x2",
            dinv.models.SwinIR,
            {
                "pretrained": "download",
                "img_size": 64,
                "upscale": 2,
                "upsampler": "pixelshuffle",
            },
        ),
    ],
    ids=["drunet", "scunet", "ram", "restormer", "swinir"],
)
def test_the_files_are_those_that_deepinv_downloads(
    name, architecture, options, folder, monkeypatch
):
    urls = []

    def stop(url, **_):
        urls.append(url.removesuffix("?download=true"))
        raise InterruptedError

    def from_hugging_face(repository, file, local_dir):
        stop(f"https://huggingface.co/{repository}/resolve/main/{file}")

    module = inspect.getmodule(architecture)
    monkeypatch.setattr(module, "load_state_dict_from_url", stop)
    monkeypatch.setattr(published_weights, "hf_hub_download", from_hugging_face)
    monkeypatch.setattr(published_weights.pooch, "retrieve", stop)
    with pytest.raises(InterruptedError):
        architecture(**options)
    with pytest.raises(Unavailable):
        load_published(name, "cpu")
    assert urls[0] == urls[1]


@pytest.mark.parametrize("name", PUBLIC)
def test_without_a_network_the_file_its_home_and_the_key_are_said(name, folder):
    with pytest.raises(Unavailable) as error:
        load_published(name, "cpu")
    message = str(error.value)
    assert f"The weights {FILES[name].file} are not in {folder}" in message
    assert "could not be downloaded (ConnectionError)" in message
    assert f"get them from {FILES[name].home}" in message
    assert "config_local.yml, as data_paths: {published_weights: /" in message


def test_weights_that_are_not_public_are_asked_for(folder):
    with pytest.raises(Unavailable) as error:
        PUBLISHED_RESTORERS["motion"]("cpu")
    message = str(error.value)
    assert f"restormer_motion.pth are not in {folder} and are not public" in message
    assert "get them from the authors of FiRe (https://" in message
    assert "config_local.yml, as data_paths: {published_weights: /" in message


def test_drunet_with_a_wrong_checksum_is_refused(folder):
    folder.mkdir()
    (folder / FILES["drunet"].file).write_bytes(b"not the weights")
    with pytest.raises(Unavailable, match="checksum is wrong"):
        denoisers.load_denoiser("drunet")


@pytest.mark.parametrize("name", ["scunet", "lama"])
@pytest.mark.parametrize("damage", ["noise", "truncated", "other network", "no dict"])
def test_a_damaged_file_is_refused_and_not_recorded(name, damage, folder, library):
    folder.mkdir()
    path = folder / FILES[name].file
    if damage == "noise":
        path.write_bytes(b"not the weights")
    elif damage == "truncated":
        path.write_bytes((library / path.name).read_bytes()[:-1000])
    else:
        weights = torch.zeros(2)
        torch.save({"weight": weights} if damage == "other network" else weights, path)
    with pytest.raises(Unavailable) as error:
        load_published(name, "cpu")
    message = str(error.value)
    assert f"{path} is damaged, or holds the weights of another network" in message
    assert f"get it again from {FILES[name].home}." in message
    shutil.copy(library / path.name, path)
    load_published(name, "cpu")


@pytest.mark.parametrize(
    "error",
    [
        ModuleNotFoundError("No module named 'timm'"),
        MemoryError("no memory left"),
        torch.OutOfMemoryError("CUDA out of memory"),
        TypeError("DRUNet.__init__() got an unexpected keyword"),
        PermissionError("not yours"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_another_reason_than_damage_is_said(error, put, monkeypatch):
    path = put("scunet")

    def fail(path):
        raise error

    monkeypatch.setitem(FILES, "scunet", replace(FILES["scunet"], read=fail))
    with pytest.raises(Unavailable) as raised:
        load_published("scunet", "cpu")
    message = str(raised.value)
    assert f"{path} could not be loaded on cpu ({type(error).__name__}: {error})" in (
        message
    )
    assert "is damaged" not in message and "delete" not in message


def test_a_file_whose_checksum_is_right_is_never_called_damaged(put, monkeypatch):
    put("drunet")

    def fail(path):
        raise RuntimeError("this file needs a newer torch")

    monkeypatch.setitem(FILES, "drunet", replace(FILES["drunet"], read=fail))
    with pytest.raises(Unavailable, match="RuntimeError: this file needs a newer to"):
        load_published("drunet", "cpu")


def test_a_download_that_stops_leaves_nothing(folder, monkeypatch):
    def stops(repository, file, local_dir):
        (local_dir / file).write_bytes(b"half of the weights")
        raise ConnectionError("the line went dead")

    monkeypatch.setattr(published_weights, "hf_hub_download", stops)
    with pytest.raises(Unavailable, match=r"could not be downloaded \(ConnectionErr"):
        load_published("scunet", "cpu")
    assert [path.name for path in folder.iterdir()] == [".lock"]


def test_a_process_waits_for_a_download_that_fails_once(folder, monkeypatch, put):
    tried = []

    def fails(*_, **__):
        tried.append(1)
        raise ConnectionError("no route to host")

    monkeypatch.setattr(published_weights, "hf_hub_download", fails)
    sentences = set()
    for _ in range(3):
        with pytest.raises(Unavailable) as error:
            published_weights.find_published("scunet")
        sentences.add(str(error.value))
    assert len(tried) == len(sentences) == 1
    path = put("scunet")
    assert published_weights.find_published("scunet") == path


def test_a_download_without_the_file_is_told(folder, monkeypatch):
    monkeypatch.setattr(published_weights, "hf_hub_download", lambda *_, **__: None)
    with pytest.raises(Unavailable, match=r"could not be downloaded \(FileNotFoundE"):
        load_published("scunet", "cpu")


def test_a_file_that_changed_since_its_first_use_is_refused(put):
    path = put("scunet")
    for _ in range(2):
        load_published("scunet", "cpu")
    path.unlink()
    torch.save(dinv.models.SCUNet(pretrained=None).state_dict(), path)
    with pytest.raises(Unavailable, match="checksum is wrong"):
        load_published("scunet", "cpu")


def test_a_folder_that_cannot_be_written_is_read(put, monkeypatch):
    def read_only(*_):
        raise PermissionError

    monkeypatch.setattr(published_weights, "write_checksum", read_only)
    put("lama")
    load_published("lama", "cpu")
