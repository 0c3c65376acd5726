"""A training run can be stopped and resumed, and learns what its recipe degrades."""

import sys
from dataclasses import replace

import pytest
import torch
from conftest import ROOT
from safetensors.torch import load_file

from benchmark_utils.common.checksums import check, read_checksums
from benchmark_utils.common.errors import NotApplicable, Unavailable
from benchmark_utils.data.images import _image_sets, image_files, load_images
from benchmark_utils.physics.degradations import (
    DEGRADATIONS,
    Downscaling,
    Noise,
    RandomMask,
)
from benchmark_utils.priors import compact, restoration
from benchmark_utils.priors.networks import CompactUNet
from training import compare_conditioning
from training import train as training
from training.recipes import RECIPES, Recipe

N_HELD_OUT = training.N_HELD_OUT


@pytest.fixture(autouse=True)
def packaged_photographs(monkeypatch):
    """Train on two photographs of packages, with a checkpoint at each step."""
    images = load_images("natural-train", 2)
    monkeypatch.setattr(training, "load_images", lambda image_set: images)
    monkeypatch.setattr(training, "N_HELD_OUT", 1)
    monkeypatch.setattr(training, "SECONDS_BETWEEN_CHECKPOINTS", -1)


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    """Empty folders of weights and of runs, in place of the committed ones."""
    weights, runs = tmp_path / "weights", tmp_path / "runs"
    weights.mkdir()
    (weights / "SHA256SUMS").touch()
    monkeypatch.setattr(compact, "WEIGHTS", weights)
    monkeypatch.setattr(compact, "WEIGHTS_CHECKSUMS", weights / "SHA256SUMS")
    monkeypatch.setattr(training, "RUNS", runs)
    monkeypatch.setattr(training, "TRAINED_ON", weights / "TRAINED_ON")
    return weights, runs


@pytest.fixture
def recipe():
    return Recipe(
        degradation=Noise(),
        steps=6,
        widths=(8, 8),
        crops=(16, 32),
        pixels_per_batch=4 * 32**2,
    )


def assert_same_weights(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name, weight in theirs.items():
        torch.testing.assert_close(ours[name], weight)


def test_a_run_that_was_stopped_resumes_where_it_was(recipe, tmp_path, monkeypatch):
    whole = training.train(recipe, tmp_path / "whole").state_dict()
    degrade, calls = Noise.__call__, []

    def stops_in_the_middle(noise, x, generator):
        calls.append(x)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return degrade(noise, x, generator)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Noise, "__call__", stops_in_the_middle)
        training.train(recipe, tmp_path / "run")
    resumed = training.train(recipe, tmp_path / "run").state_dict()
    assert_same_weights(resumed, whole)


def test_the_matrices_of_muon_are_the_memory_of_channels_last_convolutions():
    network = CompactUNet((8, 12), 1).to(memory_format=torch.channels_last)
    for weight in network.parameters():
        matrix = training.as_matrix(weight.data)
        assert matrix.data_ptr() == weight.data_ptr()
        assert matrix.shape == (weight.shape[0], weight[0].numel())


def test_a_training_of_so_many_minutes_has_the_steps_that_fit(recipe, monkeypatch):
    """A step takes a second, the evaluation at the end three."""
    now = [0.0]

    def train(recipe, run_dir, device):
        now[0] += 10 + recipe.steps + 3
        (run_dir / "log.csv").write_text(f"{recipe.steps},0,0,{recipe.steps + 3}\n")

    monkeypatch.setattr(training, "train", train)
    monkeypatch.setattr(training.time, "time", lambda: now[0])
    with pytest.raises(NotApplicable, match=r"3 minutes are over.*1.00 s.*more"):
        training.of_minutes(recipe, 3, "cpu")
    planned = training.of_minutes(recipe, 20, "cpu")
    probes = 5 * training.N_PROBES + 3 * 13
    assert planned == replace(recipe, steps=int(0.93 * (20 * 60 - probes)))


def test_crops_are_the_eight_symmetries_of_parts_of_the_images():
    images = [torch.rand(3, 5, 7), torch.rand(3, 6, 4)]
    generator = torch.Generator().manual_seed(0)
    crops = training.Photographs(images, "cpu").random_crops(4000, 3, generator)
    assert crops.shape == (4000, 3, 3, 3)
    assert crops.is_contiguous(memory_format=torch.channels_last)
    parts = {}
    for image in images:
        for part in image.unfold(1, 3, 1).unfold(2, 3, 1).permute(1, 2, 0, 3, 4):
            for crop in part:
                for turned in (crop.rot90(k, (1, 2)) for k in range(4)):
                    parts[tuple(turned.flatten().tolist())] = 0
                    parts[tuple(turned.flip(2).flatten().tolist())] = 0
    assert len(parts) == (3 * 5 + 4 * 2) * 8
    for crop in crops:
        parts[tuple(crop.flatten().tolist())] += 1
    # An image as often as the other, then each of its parts and symmetries.
    counts = sorted(parts.values())
    assert len(parts) == (3 * 5 + 4 * 2) * 8 and counts[0] > 3 and counts[-1] < 65


def test_a_run_is_not_resumed_on_another_kind_of_device(recipe, tmp_path):
    training.train(recipe, tmp_path)
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert state["device"] == "cpu"
    torch.save({**state, "device": "cuda"}, tmp_path / "checkpoint.pt")
    with pytest.raises(ValueError, match=r"another recipe or kind of device"):
        training.train(recipe, tmp_path)


@pytest.mark.parametrize("device", ["gpu", "cuda:99"])
def test_a_device_that_is_not_there_is_refused_in_a_sentence(device, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train.py", "denoiser", "--device", device])
    with pytest.raises(SystemExit, match=r"device.*\."):
        training.main()


def test_training_improves_on_its_first_step(recipe, tmp_path):
    training.train(replace(recipe, steps=40), tmp_path)
    rows = (tmp_path / "log.csv").read_text().splitlines()
    first, last = (float(rows[i].split(",")[2]) for i in (0, -1))
    assert last > first + 0.5


def test_the_learning_rate_warms_up_stays_and_decays_to_zero(recipe):
    recipe = replace(recipe, steps=1000, decay_share=0.5)
    scales, decays = zip(*(training.schedule(k, recipe) for k in range(1000)))
    assert scales[0] == pytest.approx(0.01) and scales[49] == pytest.approx(0.5)
    assert set(scales[100:500]) == {1.0} and not any(decays[:500])
    assert scales[750] == pytest.approx(0.5) and all(decays[500:])
    assert scales[999] == pytest.approx(0.002)


def test_after_a_restart_the_schedule_is_that_of_the_steps_that_remain(recipe):
    whole = replace(recipe, steps=700, restart=(300, 0.25))
    for first, steps, scale in ((0, 300, 1.0), (300, 400, 0.25)):
        alone = replace(recipe, steps=steps)
        for k in range(steps):
            lr_scale, decays = training.schedule(k, alone)
            assert training.schedule(first + k, whole) == (scale * lr_scale, decays)


@pytest.mark.parametrize("degradation", [Downscaling(2), RandomMask()])
def test_the_network_is_given_images_of_full_size_without_holes(
    degradation, recipe, tmp_path, monkeypatch
):
    given = []

    class Recorded(CompactUNet):
        def forward(self, y, sigma):
            given.append((y, sigma))
            return super().forward(y, sigma)

    network = Recorded(widths=recipe.widths, blocks=1)
    recipe = replace(recipe, degradation=degradation, steps=2)
    training.train(recipe, tmp_path, network)
    y, sigma = given[0]
    assert y.shape == (16, 3, 16, 16)
    if isinstance(degradation, RandomMask):
        assert (y != 0).float().mean() > 0.99
        assert sigma.shape == (16, 1, 16, 16)
        assert 0.1 < (sigma == 1).float().mean() < 0.9
    else:
        assert sigma.shape == (16,) and sigma.max() <= 0.1


@pytest.mark.parametrize("widths", [(8, 8), (8, 12, 16)])
def test_the_recipe_sets_the_widths_and_the_seed(widths, recipe, tmp_path):
    recipe = replace(recipe, steps=0, widths=widths)
    first, second, other = (
        training.train(replace(recipe, seed=seed), tmp_path / f"{seed}").state_dict()
        for seed in (0, 0, 1)
    )
    assert_same_weights(first, second)
    expected = CompactUNet(widths=widths).state_dict()
    assert {name: w.shape for name, w in first.items()} == {
        name: w.shape for name, w in expected.items()
    }
    assert not torch.equal(first["head.weight"], other["head.weight"])


# From one recipe to the next


def save_random_weights(name):
    """Ship a compact network with random weights, exact in float16; return them."""
    torch.manual_seed(5)
    network = CompactUNet().half().float()
    compact.save_compact_weights(network, name)
    return network.state_dict()


def test_a_run_starts_from_the_shipped_weights_of_another_recipe(recipe, tmp_path):
    weights = save_random_weights("first")
    recipe = replace(recipe, start="first", widths=Recipe.widths, steps=0)
    assert_same_weights(training.train(recipe, tmp_path).state_dict(), weights)


def test_a_deeper_network_starts_as_what_the_shallower_one_computes(recipe, tmp_path):
    save_random_weights("first")
    deeper = replace(recipe, start="first", widths=Recipe.widths, blocks=4, steps=0)
    grown = training.train(deeper, tmp_path)
    assert len(grown.body) == 4
    x = torch.rand(1, 3, 16, 16)
    with torch.inference_mode():
        expected = compact.load_compact("first", "cpu")(x, 0.1)
        torch.testing.assert_close(grown(x, 0.1), expected)


def test_a_grey_network_starts_as_what_the_colour_one_computes_of_grey_images():
    torch.manual_seed(0)
    colour = CompactUNet(widths=(8, 16), blocks=1)
    grey = CompactUNet(widths=(8, 16), blocks=1, channels=1)
    training.grow(grey, colour)
    x = torch.rand(2, 1, 40, 32, generator=torch.Generator().manual_seed(0))
    for sigma in (0.05, 0.2):
        with torch.inference_mode():
            torch.testing.assert_close(grey(x, sigma), colour(x, sigma))
    again = CompactUNet.from_weights(grey.state_dict())
    assert again.channels == 1


def test_one_network_per_task_is_compared_with_one_that_is_told_it(monkeypatch, capsys):
    save_random_weights("small_denoiser")
    images = load_images("natural-train", 1)
    monkeypatch.setattr(compare_conditioning, "load_images", lambda name: images)
    monkeypatch.setattr(Recipe, "__init__", small_batches(Recipe.__init__))
    monkeypatch.setattr(sys, "argv", ["compare_conditioning.py", "--steps", "1"])
    compare_conditioning.main()
    rows = capsys.readouterr().out.splitlines()[-len(compare_conditioning.TASKS) :]
    assert [row.split("|")[1].strip() for row in rows] == [*compare_conditioning.TASKS]
    assert all(float(cell) > 0 for row in rows for cell in row.split("|")[2:4])


def small_batches(init):
    def make(self, **options):
        init(self, **{**options, "pixels_per_batch": 96**2})

    return make


def test_all_the_blocks_of_a_deeper_network_are_trained(recipe, tmp_path):
    save_random_weights("first")
    deeper = replace(recipe, start="first", widths=Recipe.widths, blocks=3, steps=3)
    before = training.train(replace(deeper, steps=0), tmp_path / "0").state_dict()
    after = training.train(deeper, tmp_path / "3").state_dict()
    assert not [name for name in before if torch.equal(before[name], after[name])]


def test_a_checkpoint_of_another_recipe_is_not_resumed(recipe, tmp_path):
    training.train(recipe, tmp_path)
    with pytest.raises(ValueError, match=r"checkpoint.pt is of another recipe.*move"):
        training.train(replace(recipe, muon_lr=1e-4), tmp_path)


def test_a_network_with_more_weights_may_start_from_a_compact_one(recipe, tmp_path):
    class Larger(CompactUNet):
        def __init__(self):
            super().__init__()
            self.more = torch.nn.Parameter(torch.ones(2, 3))

    weights = save_random_weights("first")
    recipe = replace(recipe, start="first", steps=0)
    trained = training.train(recipe, tmp_path, Larger()).state_dict()
    assert torch.equal(trained.pop("more"), torch.ones(2, 3))
    assert_same_weights(trained, weights)


def test_a_run_whose_start_was_never_made_says_what_to_run(recipe, tmp_path):
    with pytest.raises(Unavailable, match=r"train.py first"):
        training.train(replace(recipe, start="first"), tmp_path)


def test_finished_weights_are_shipped_with_their_checksum(recipe, folders, monkeypatch):
    weights, runs = folders
    monkeypatch.setitem(RECIPES, "toy", replace(recipe, steps=1))
    monkeypatch.setattr(sys, "argv", ["train.py", "toy", "--device", "cpu"])
    training.main()
    path = weights / "compact_toy.safetensors"
    check(path, read_checksums(weights / "SHA256SUMS")[path.name])
    state = torch.load(runs / "toy" / "checkpoint.pt", weights_only=True)
    trained = state["network"]
    assert {w.dtype for w in trained.values()} == {torch.float32}
    rounded = {name: weights.half() for name, weights in trained.items()}
    assert_same_weights(load_file(path), rounded)
    assert read_checksums(weights / "TRAINED_ON") == training.trained_on()
    loaded = compact.load_compact("toy", "cpu").half().state_dict()
    assert_same_weights(loaded, rounded)


# What the networks have seen


RECORDED = read_checksums(ROOT / "benchmark_utils/priors/weights/TRAINED_ON")
TESTED = ("bsd20", "bsd68", "bsds500-val", "imagenet100", "set3c")


@pytest.mark.parametrize("image_set", TESTED)
def test_no_network_was_trained_on_a_test_image(image_set):
    tested = image_files(image_set)
    assert len(tested) >= 3
    assert set(RECORDED.values()).isdisjoint(tested.values())
    assert set(RECORDED).isdisjoint(tested)


def test_every_set_of_images_is_tested_or_trained_on():
    assert {*_image_sets()} == {*TESTED, *training.IMAGE_SETS}


def test_the_script_reads_what_is_recorded_and_holds_ten_images_out(monkeypatch):
    monkeypatch.setattr(training, "N_HELD_OUT", N_HELD_OUT)
    files = [f for name in training.IMAGE_SETS for f in image_files(name)]
    assert len(files) == 400 and N_HELD_OUT == 10
    assert list(training.trained_on()) == files[10:]
    assert training.trained_on() == RECORDED


def test_the_script_never_reads_val_nor_learns_from_what_is_held_out(
    recipe, tmp_path, monkeypatch
):
    n_images, asked, learned = 6, [], []

    def flat_images(image_set):
        asked.append(image_set)
        shift = len(asked) * n_images
        return {
            str(i): torch.full((3, 40, 40), (i + shift) / 100) for i in range(n_images)
        }

    class Recorded(training.Photographs):
        def __init__(self, images, device):
            learned.extend(round(100 * float(x[0, 0, 0])) for x in images)
            super().__init__(images, device)

    monkeypatch.setattr(training, "load_images", flat_images)
    monkeypatch.setattr(training, "Photographs", Recorded)
    monkeypatch.setattr(training, "N_HELD_OUT", 2)
    training.train(replace(recipe, steps=0), tmp_path)
    assert asked == ["bsds500-train", "bsds500-test"]
    assert learned == list(range(8, 18))


# The table of recipes


def test_every_network_of_the_registry_has_a_recipe():
    tasks = set(restoration.RESTORERS["compact"])
    assert tasks <= set(DEGRADATIONS)
    assert set(RECIPES) == {*tasks, "small_denoiser", "grey", "wide"}


def test_every_recipe_can_be_made_from_nothing():
    for name, recipe in RECIPES.items():
        starts = [name]
        while recipe.start is not None:
            assert recipe.start not in starts
            starts.append(recipe.start)
            recipe = RECIPES[recipe.start]


@pytest.mark.parametrize("name", restoration.RESTORERS["compact"])
def test_networks_are_trained_on_what_their_prior_degrades(name):
    """One degradation, or a choice of several that has it."""
    degradation = RECIPES[name].degradation
    assert DEGRADATIONS[name] in getattr(degradation, "choices", (degradation,))


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_degrades_crops_of_its_sizes(name):
    recipe = RECIPES[name]
    generator = torch.Generator().manual_seed(0)
    for size in recipe.crops:
        x = torch.rand(2, 3, size, size, generator=generator)
        degraded = recipe.degradation(x, generator)
        y, sigma = compact.on_image_grid(degraded, x.shape[-2:])
        assert y.shape == x.shape and y.isfinite().all()
        assert sigma.min() >= 0 and sigma.max() <= (80 if name == "wide" else 1)


SHIPPED = sorted(
    path.stem.removeprefix("compact_")
    for path in (ROOT / "benchmark_utils/priors/weights").glob("compact_*.safetensors")
)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_weights_that_are_shipped_were_trained_for_the_steps_of_their_recipe(name):
    *_, last = (ROOT / "training" / "logs" / f"{name}.csv").read_text().splitlines()
    assert int(last.split(",")[0]) == RECIPES[name].steps
