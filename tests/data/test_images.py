"""Images and datasets: found, checked, cropped, and measured once for everybody."""

import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import skimage.data
import torch
from benchopt.benchmark import Benchmark
from conftest import BENCHMARK
from hypothesis import given
from hypothesis import strategies as st
from operators import make_physics
from PIL import Image

from benchmark_utils.common.checksums import read_checksums, sha256, write_checksum
from benchmark_utils.common.errors import Unavailable
from benchmark_utils.data import images
from benchmark_utils.data.batches import measure
from benchmark_utils.data.images import (
    PACKAGED,
    PACKAGED_SPLITS,
    center_crop,
    load_images,
)
from benchmark_utils.physics import problems
from benchmark_utils.physics.problems import PROBLEMS


def assert_same(batch, other):
    assert torch.equal(batch.x, other.x)
    assert torch.equal(batch.y, other.y)


@pytest.fixture
def name_of():
    """name_of(**parameters): how benchopt names these simulated images."""
    (simulated,) = BENCHMARK.check_dataset_patterns(["simulated"], class_only=True)
    return lambda **parameters: str(simulated.get_instance(**parameters))


# Crops


@given(*(st.integers(1, 40) for _ in range(3)))
def test_crop_is_the_centre_to_a_pixel(height, width, size):
    size = min(size, height, width)
    rows, columns = torch.meshgrid(
        torch.arange(height), torch.arange(width), indexing="ij"
    )
    crop = center_crop(torch.stack([rows, columns]), size)
    assert crop.shape == (2, size, size)
    for coordinate, side in zip(crop, (height, width)):
        before, after = coordinate.min(), side - 1 - coordinate.max()
        assert abs(int(after - before)) <= 1
        # Consecutive pixels: nothing was resized.
        assert coordinate.max() - coordinate.min() == size - 1


@given(st.integers(4, 40), st.integers(4, 40), st.integers(1, 4))
def test_whole_images_lose_less_than_one_multiple(height, width, multiple):
    crop = center_crop(torch.zeros(3, height, width), None, multiple=multiple)
    for side, before in zip(crop.shape[-2:], (height, width)):
        assert side % multiple == 0 and 0 <= before - side < multiple


@pytest.mark.parametrize("size", [0, -1, 9])
def test_a_crop_that_does_not_fit_is_refused_by_name(size):
    with pytest.raises(ValueError, match=r"parrot has 8x12 pixels.*img_size"):
        center_crop(torch.zeros(3, 8, 12), size, "parrot")


# Image sets


def test_natural_images_come_from_packages_alone(monkeypatch):
    monkeypatch.setattr(images, "_find", None)
    for names in PACKAGED_SPLITS.values():
        assert set(names) <= set(PACKAGED)
    for split in PACKAGED_SPLITS:
        for image in load_images(split).values():
            assert image.shape[0] == 3 and image.dtype == torch.float32
            assert 0 <= image.min() < image.max() <= 1


def test_images_are_those_of_the_package_unchanged():
    expected = skimage.data.astronaut()
    image = load_images("natural-test")["astronaut"].movedim(0, -1) * 255
    assert np.array_equal(image.round().byte().numpy(), expected)


def test_train_and_test_have_no_image_in_common():
    assert not set(PACKAGED_SPLITS["natural-train"]) & set(
        PACKAGED_SPLITS["natural-test"]
    )
    digests = read_checksums(images.CHECKSUMS)
    sets = images._image_sets()
    # The networks of this repository learn from both.
    train = {digests[n] for n in sets["bsds500-train"] + sets["bsds500-test"]}
    assert len(train) == 400
    for test in ("bsd20", "bsd68", "bsds500-val", "imagenet100", "set3c"):
        assert not train & {digests[name] for name in sets[test]}


def test_bsd20_and_bsd68_are_the_first_images_of_val():
    val = sorted(images.image_files("bsds500-val"))
    assert list(images.image_files("bsd20")) == val[:20]
    assert list(images.image_files("bsd68")) == val[:68]


def test_sets_have_the_number_of_images_of_their_name():
    sizes = {name: len(files) for name, files in images._image_sets().items()}
    assert sizes == {
        "bsds500-train": 200,
        "bsds500-test": 200,
        "bsds500-val": 100,
        "bsd68": 68,
        "bsd20": 20,
        "imagenet100": 100,
        "set3c": 3,
    }


@pytest.fixture
def toy_set3c(tmp_path, monkeypatch):
    """A set3c of three small images: the folder where they are before "download"."""
    remote, local = tmp_path / "remote", tmp_path / "local"
    remote.mkdir()
    rng = np.random.default_rng(0)
    checksums = tmp_path / "checksums.txt"
    lines = []
    for name in ("butterfly", "leaves", "starfish"):
        pixels = rng.integers(0, 256, (40, 48, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(remote / f"{name}.png")
        lines.append(f"{sha256(remote / f'{name}.png')}  set3c/{name}.png\n")
    checksums.write_text("".join(lines))
    monkeypatch.setattr(images, "CHECKSUMS", checksums)
    monkeypatch.setattr(images, "data_folder", lambda key: local / key)
    return remote


def test_images_are_downloaded_once_and_then_found(toy_set3c, monkeypatch):
    downloads = []

    def fetch(folder):
        downloads.append(folder)
        (folder / "inside").mkdir()
        for path in toy_set3c.iterdir():
            (folder / "inside" / path.name).write_bytes(path.read_bytes())

    monkeypatch.setitem(images.SOURCES, "set3c", images.Source("somewhere", fetch))
    first, second = load_images("set3c"), load_images("set3c", 2)
    assert list(first) == ["butterfly", "leaves", "starfish"]
    assert list(second) == ["butterfly", "leaves"]
    assert first["leaves"].shape == (3, 40, 48)
    assert torch.equal(first["leaves"], second["leaves"])
    assert len(downloads) == 1


def test_a_download_that_stops_leaves_nothing(toy_set3c, monkeypatch, tmp_path):
    def fetch(folder):
        (folder / "butterfly.png").write_bytes(b"half of an image")
        raise ConnectionError("the line went dead")

    monkeypatch.setitem(images.SOURCES, "set3c", images.Source("somewhere", fetch))
    with pytest.raises(Unavailable, match=r"could not be downloaded \(ConnectionErr"):
        load_images("set3c")
    local = tmp_path / "local" / "set3c"
    assert [path.name for path in local.iterdir()] == [".lock"]


def test_half_of_the_download_of_another_process_is_not_read(
    toy_set3c, monkeypatch, tmp_path
):
    def fetch(folder):
        for path in toy_set3c.iterdir():
            shutil.copy(path, folder)

    half = tmp_path / "local" / "set3c" / ".incoming-other"
    half.mkdir(parents=True)
    for name in ("butterfly", "leaves", "starfish"):
        (half / f"{name}.png").write_bytes(b"half of an image")
    monkeypatch.setitem(images.SOURCES, "set3c", images.Source("somewhere", fetch))
    assert load_images("set3c")["leaves"].shape == (3, 40, 48)


def test_two_processes_download_once(toy_set3c, monkeypatch):
    downloads = []

    def fetch(folder):
        downloads.append(folder)
        time.sleep(0.3)
        for path in toy_set3c.iterdir():
            shutil.copy(path, folder)

    monkeypatch.setitem(images.SOURCES, "set3c", images.Source("somewhere", fetch))
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(load_images, 3 * ["set3c"]))
    assert len(downloads) == 1
    assert all(list(loaded) == ["butterfly", "leaves", "starfish"] for loaded in found)


def test_images_given_in_data_paths_are_read_without_a_download(toy_set3c, monkeypatch):
    monkeypatch.setattr(images, "data_folder", lambda key: toy_set3c)
    monkeypatch.setitem(images.SOURCES, "set3c", None)
    with Image.open(toy_set3c / "starfish.png") as image:
        expected = np.asarray(image)
    pixels = load_images("set3c")["starfish"].movedim(0, -1) * 255
    assert np.array_equal(pixels.round().byte().numpy(), expected)


@pytest.mark.parametrize("folder", ["partial", "typo/partial"])
def test_nothing_is_downloaded_to_a_folder_given_in_data_paths(
    folder, tmp_path, monkeypatch
):
    (tmp_path / "partial").mkdir()
    mine, config = tmp_path / folder, tmp_path / "config.yml"
    config.write_text(f"data_paths: {{set3c: {mine}}}\n")
    monkeypatch.setattr(Benchmark, "get_config_file", lambda self: config)
    downloads = []
    source = images.Source("somewhere", downloads.append)
    monkeypatch.setitem(images.SOURCES, "set3c", source)
    with pytest.raises(Unavailable, match=r"butterfly\.png is not in .*data_paths"):
        load_images("set3c")
    assert not downloads
    assert sorted(tmp_path.iterdir()) == [config, tmp_path / "partial"]
    assert not list((tmp_path / "partial").iterdir())


def test_a_checksum_list_keeps_its_lines_when_others_are_written(tmp_path):
    path = tmp_path / "SHA256SUMS"
    for name in ("a", "b", "c"):
        write_checksum(path, name, f"digest of {name}".replace(" ", "-"))
    write_checksum(path, "b", "new")
    assert path.read_text().splitlines() == [
        "digest-of-a  a",
        "new  b",
        "digest-of-c  c",
    ]


# Datasets


def test_datasets_do_not_resize_their_images(get_data):
    (batch,) = get_data("natural", problem="denoising", img_size=64)["test"]
    expected = torch.from_numpy(skimage.data.astronaut()[224:288, 224:288])
    assert batch.names[0] == "astronaut"
    torch.testing.assert_close(batch.x[0].movedim(0, -1) * 255, expected.float())


def test_each_size_is_a_batch(get_data):
    test = get_data("natural", problem="denoising", img_size=None)["test"]
    shapes = {name: batch.x.shape[-2:] for batch in test for name in batch.names}
    assert shapes == {
        "astronaut": (512, 512),
        "chelsea": (300, 451),
        "china": (427, 640),
        "coffee": (400, 600),
    }
    assert len(test) == 4


def test_whole_images_are_cropped_to_what_super_resolution_can_divide(get_data):
    test = get_data("natural", problem="sr4", img_size=None, factor=3)["test"]
    for batch in test:
        assert batch.x.shape[-2] == 3 * batch.y.shape[-2]
        assert batch.x.shape[-1] == 3 * batch.y.shape[-1]


def test_many_images_are_several_batches_of_at_most_eight(get_data):
    test = get_data("simulated", n_images=10)["test"]
    assert [len(batch.x) for batch in test] == [8, 2]
    names = [name for batch in test for name in batch.names]
    assert names == [f"test{i}" for i in range(10)]


def test_training_measurements_are_made_only_when_asked_for(get_data, monkeypatch):
    made = []
    make_physics = problems.Problem.physics

    def counted(*args, **kwargs):
        made.append(args)
        return make_physics(*args, **kwargs)

    monkeypatch.setattr(problems.Problem, "physics", counted)
    data = get_data("simulated", n_images=10)
    assert len(made) == len(data["test"]) == 2
    train = data["train"]
    assert len(train) == 2 and len(train[:1]) == 1
    assert len(made) == 2
    assert train[1].x is not None
    assert len(made) == 3


def test_a_training_batch_is_the_same_whenever_it_is_made(get_data):
    train = get_data("simulated", n_images=10)["train"]
    last = train[1]
    for batch, again in zip(train, [train[0], last]):
        assert_same(batch, again)
    assert_same(train[1:][0], last)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_same_data_whenever_and_whoever_asks(problem, get_data):
    for split in ("train", "test"):
        first, second = (get_data("simulated", problem=problem) for _ in range(2))
        for batch, other in zip(first[split], second[split], strict=True):
            assert_same(batch, other)


@pytest.mark.parametrize(
    "dataset, parameters",
    [("simulated", {"problem": problem, "img_size": 40}) for problem in PROBLEMS]
    + [("natural", {"problem": "inpainting", "img_size": 64})]
    + [("patches", {"operator": o, "n_signals": 50}) for o in ("masks", "identity")]
    + [
        ("synthetic_dictionary", {"operator": operator, "n_signals": 50})
        for operator in ("sensing", "masks", "identity")
    ],
)
def test_the_same_data_whatever_the_default_dtype_of_torch(
    dataset, parameters, get_data
):
    expected = get_data(dataset, **parameters)
    torch.set_default_dtype(torch.float64)
    try:
        data = get_data(dataset, **parameters)
        pairs = [
            pair
            for split in ("train", "test")
            for pair in zip(data[split], expected[split], strict=True)
        ]
    finally:
        torch.set_default_dtype(torch.float32)
    for batch, other in pairs:
        assert batch.x.dtype == batch.y.dtype == torch.float32
        assert_same(batch, other)
        buffers = zip(batch.physics.buffers(), other.physics.buffers(), strict=True)
        # A number alone does not change the dtype of what it multiplies.
        for a, b in ((a, b) for a, b in buffers if a.ndim):
            assert a.dtype == b.dtype and torch.equal(a, b)


@pytest.mark.parametrize("change", [{"seed": 1}, {"repetition": 1}])
def test_other_noise_with_another_seed_or_repetition(change, get_data):
    for split in ("train", "test"):
        first = get_data("simulated", problem="inpainting")[split][0]
        other = get_data("simulated", problem="inpainting", **change)[split][0]
        assert torch.equal(first.x, other.x)
        assert not torch.equal(first.y, other.y)
        assert not torch.equal(first.physics.mask, other.physics.mask)


def test_the_draws_that_follow_a_measurement_do_not_repeat_its_noise():
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(2, 3, 16, 16, generator=generator)
    physics = make_physics("denoising", (3, 16, 16), generator)
    before = generator.get_state()
    batch = measure(x, physics, generator)
    after = torch.randn(x.shape, generator=generator)
    again = torch.randn(x.shape, generator=generator.set_state(before))
    noise = (batch.y - x) / 0.1
    torch.testing.assert_close(noise, again, rtol=0, atol=1e-5)
    assert not torch.allclose(noise, after, atol=0.1)
    assert batch.physics.noise_model.rng is None


def test_train_and_test_have_noise_of_their_own(get_data):
    data = get_data("simulated")
    noises = [batch.y - batch.x for batch in (data["train"][0], data["test"][0])]
    assert not torch.allclose(*noises, atol=1e-3)


@pytest.mark.parametrize(
    "problem, strength, default",
    [
        ("denoising", "noise_level", 0.1),
        ("sr4", "noise_level", 0.01),
        ("gaussian_deblurring", "blur_std", 2.0),
        ("motion_deblurring", "kernel", 1),
        ("sr4", "factor", 4),
        ("inpainting", "missing", 0.5),
    ],
)
def test_a_default_strength_written_out_is_the_same_dataset(
    problem, strength, default, get_data, name_of
):
    written = {"problem": problem, strength: default}
    assert name_of(**written) == f"simulated[problem={problem}]"
    implicit = get_data("simulated", problem=problem)
    explicit = get_data("simulated", **written)
    for split in ("train", "test"):
        assert_same(explicit[split][0], implicit[split][0])


def test_a_name_tells_what_differs_from_the_default(name_of):
    assert name_of() == "simulated[problem=denoising]"
    name = name_of(problem="denoising", noise_level=0.01, n_images=1)
    assert name == "simulated[n_images=1,noise_level=0.01,problem=denoising]"
    name = name_of(problem="inpainting", n_images=1)
    assert name == "simulated[n_images=1,problem=inpainting]"
    assert name_of(problem="blur", kernel=1) == "simulated[kernel=1,problem=blur]"


def test_strengths_and_noise_level_reach_the_measurements(get_data):
    options = {"problem": "inpainting", "missing": 0.9, "noise_level": 0}
    (batch,) = get_data("simulated", img_size=64, **options)["test"]
    assert (batch.physics.mask == 0).float().mean() == pytest.approx(0.9, abs=0.02)
    assert torch.equal(batch.y, batch.x * batch.physics.mask)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_solver_never_sees_the_truth_of_the_test(problem, get_data, get_objective):
    data = get_data("simulated", problem=problem)
    seen = get_objective(data).get_objective()
    truths = torch.cat([batch.x for batch in data["test"]])
    for batch in seen["test"]:
        assert batch.x is None
        for tensor in batch.physics.state_dict().values():
            assert not any(torch.equal(tensor, truth) for truth in [truths, *truths])
    for batch in seen["train"]:
        assert batch.x is not None
        for image in batch.x:
            assert not any(torch.equal(image, truth) for truth in truths)


@pytest.mark.parametrize("n_masks", [3, 20])
def test_images_take_as_many_masks_as_are_asked_for_in_turn(n_masks, get_data):
    """Batches have eight images at most: masks go on from one to the next."""
    options = {"problem": "inpainting", "img_size": 16, "masks": n_masks}
    batches = get_data("simulated", n_images=24, **options)["test"]
    masks = torch.cat([batch.physics.mask for batch in batches])
    assert len(masks.flatten(1).unique(dim=0)) == n_masks
    assert torch.equal(masks[n_masks:], masks[:-n_masks])
