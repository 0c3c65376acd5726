"""Solvers are tuned on crops of training images, the same for all of a problem."""

import pytest
import torch
from benchopt.utils.run_context import RunContext
from conftest import BENCHMARK

from benchmark_utils.common import NotApplicable
from benchmark_utils.data import ImageDataset
from benchmark_utils.tuning import TrainingData


def natural(**parameters):
    [found] = BENCHMARK.check_dataset_patterns(["natural"], class_only=True)
    return found.get_instance(**{"problem": "denoising", **parameters})


class Toy(ImageDataset):
    """``n_images`` images of 40x60 pixels, each of one level."""

    name = "toy"
    parameters = {
        **ImageDataset.image_parameters,
        "img_size": [None],
        "n_images": [12],
    }

    def load(self, split):
        assert split == "train", "the test images are not for tuning"
        levels = torch.linspace(0, 1, max(self.n_images, 2))[: self.n_images]
        return {f"i{n}": level.expand(3, 40, 60) for n, level in enumerate(levels)}


def toy(**parameters):
    return Toy.get_instance(**{"problem": "denoising", **parameters})


def test_natural_gives_the_four_tiles_around_the_centre_of_its_three_photographs():
    _, [batch] = TrainingData(natural()).for_solver(learns=False)
    assert batch.x.shape == (12, 3, 128, 128)
    images = natural().load("train")
    assert [name.split()[0] for name in batch.names] == [
        name for name in images for _ in range(4)
    ]
    for name, image in zip(images, batch.x.split(4)):
        height, width = images[name].shape[1:]
        rows, columns = (slice((n - 256) // 2, (n + 256) // 2) for n in (height, width))
        top, bottom = torch.cat((*image[:2],), -1), torch.cat((*image[2:],), -1)
        centre = images[name][:, rows, columns]
        assert torch.equal(torch.cat((top, bottom), -2), centre)
    assert batch.names[0] == "rocket 128x128+192+85"


def test_solvers_see_the_same_measurements_without_the_truth():
    data = [TrainingData(toy()).for_solver(learns=False) for _ in range(2)]
    (first, [scored]), (second, _) = data
    assert torch.equal(first["test"][0].y, second["test"][0].y)
    assert torch.equal(first["test"][0].y, scored.y)
    assert first["test"][0].x is None and first["train"] == []
    assert (first["dataset"], first["problem"]) == ("toy", "denoising")
    other = TrainingData(toy(problem="inpainting")).for_solver(learns=False)[1][0]
    assert torch.equal(other.x, scored.x)


@pytest.mark.parametrize(
    "n_images, n_crops, size",
    [(12, 10, 40), (10, 10, 40), (3, 3, 40), (1, 1, 40)],
)
def test_there_are_ten_crops_where_the_images_allow(n_images, n_crops, size):
    data = TrainingData(toy(n_images=n_images))
    [batch] = data.for_solver(learns=False)[1]
    assert batch.x.shape == (n_crops, 3, size, size)
    assert data.names(learns=False) == list(batch.names)


@pytest.mark.parametrize("n_images, n_crops", [(12, 10), (4, 16), (3, 12), (2, 12)])
def test_a_smaller_img_size_gives_smaller_crops_and_several_of_an_image(
    n_images, n_crops
):
    data = TrainingData(toy(n_images=n_images, img_size=12))
    names = data.names(learns=False)
    assert len(names) == len(set(names)) == n_crops
    assert all(" 12x12+" in name for name in names)


def test_crops_have_a_size_that_the_operator_takes():
    data = TrainingData(toy(problem="sr4", factor=7, img_size=37))
    [batch] = data.for_solver(learns=False)[1]
    assert batch.x.shape[-1] == 35


def test_methods_that_learn_are_scored_on_images_they_have_not_seen():
    data, scored = TrainingData(natural()).for_solver(learns=True)
    learned = {name.split()[0] for b in data["train"] for name in b.names}
    held_out = {name.split()[0] for b in scored for name in b.names}
    assert (learned, held_out) == ({"rocket", "flower"}, {"motorcycle"})
    assert sum(len(b.x) for b in data["train"]) == 30
    assert max(len(b.x) for b in data["train"]) <= 8
    assert sum(len(b.x) for b in scored) >= 10


def test_a_dataset_without_images_gives_its_own_batches(get_data):
    [found] = BENCHMARK.check_dataset_patterns(["patches"], class_only=True)
    dataset = found.get_instance(n_signals=20, n_train=20)
    dataset.get_seed = lambda **kwargs: 0
    data = TrainingData(dataset)
    assert (data.name, data.problem) == ("patches", "masks")
    received, [batch] = data.for_solver(learns=False)
    assert len(batch.x) == 20 and received["test"][0].x is None
    assert received["patch_shape"] == (1, 8, 8)


def test_sets_that_learn_from_the_same_photographs_share_what_is_tuned():
    class Other(Toy):
        name = "other"
        training_set = "toy"

        def load(self, split):
            return super().load("train")

    other = Other.get_instance(problem="denoising")
    RunContext().set_run_context("test", other, "", 0, 0)
    assert other.get_data()["dataset"] == TrainingData(other).name == "toy"
    x, same_x = (TrainingData(d).for_solver(False)[1][0].y for d in (other, toy()))
    assert torch.equal(x, same_x)
    classes = BENCHMARK.check_dataset_patterns(["set3c", "imagenet100"], True)
    assert [each.training_set for each in classes] == ["bsd", "bsd"]


def test_batches_that_are_not_there_are_said():
    class Empty:
        name = "empty"

        def get_data(self):
            return {"problem": "none", "train": [], "test": []}

    with pytest.raises(NotApplicable, match="empty has nothing to tune on"):
        TrainingData(Empty()).for_solver(learns=False)


@pytest.mark.parametrize(
    "parameters, learns, sentence",
    [
        ({"n_images": 0}, False, "toy has nothing to tune on: is n_train"),
        ({"n_images": 1}, True, "toy has one training image, and methods that learn"),
        ({"missing": 0.5}, False, "The problem denoising has no missing."),
        ({"img_size": "large"}, False, "img_size must be a whole number"),
    ],
)
def test_what_cannot_be_tuned_on_is_said(parameters, learns, sentence):
    with pytest.raises(NotApplicable, match=sentence):
        TrainingData(toy(**parameters)).for_solver(learns)
