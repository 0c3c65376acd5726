"""Solvers that train a network: what they see, what is kept, what they say."""

import importlib.util
import tempfile
from dataclasses import replace
from pathlib import Path

import deepinv as dinv
import pytest
import torch
from benchopt.utils.run_context import RunContext
from conftest import BENCHMARK, ROOT
from safetensors.torch import save_file

from benchmark_utils.common import NotApplicable, Unavailable
from benchmark_utils.data.batches import Batch
from benchmark_utils.learning import store
from benchmark_utils.learning.splitting import back_projections
from benchmark_utils.physics import noise_level
from benchmark_utils.physics.kspace import MulticoilDataTerm
from benchmark_utils.priors import UnrolledHQS, load_compact
from benchmark_utils.solving import LearnedSolver

NAMES = ["U-Net", "Self-supervised", "Unrolled", "Bilevel"]
# Those of one modality, and small data of it.
DATA = {
    "Learned primal-dual": ("chest", {"problem": "ct_sparse", "n_angles": 12}),
    "VarNet": ("brain", {"problem": "multicoil_mri", "n_images": 1}),
}
ALL = [*NAMES, *DATA]
FEW = {"n_steps": 2}
FEW_OF = {name: {"n_iter": 2} for name in ("Unrolled", *DATA)}
FEW_OF["Bilevel"] = {"n_iter": 15, "prior": "tv"}
LOSSES = "mc", "sure", "splitting", "equivariant_splitting", "ei", "moi", "moei"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCHMARK_CACHE", str(tmp_path))
    return tmp_path / "learned"


@pytest.fixture(scope="module")
def data(get_data):
    return get_data("simulated", problem="inpainting", img_size=32, n_images=3)


@pytest.fixture(scope="module")
def data_of(data, get_data):
    """data_of(name): images that this solver takes."""

    def data_of(name):
        if name not in DATA:
            return data
        dataset, options = DATA[name]
        return get_data(dataset, img_size=32, n_train=3, **options)

    return data_of


def made(solver, data, device="cpu", **parameters):
    """A solver that has received data; the sentence of its skip, as a string."""
    few = FEW
    if isinstance(solver, str):
        few = FEW | FEW_OF.get(solver, {})
        (solver,) = BENCHMARK.check_solver_patterns([solver], class_only=True)
    solver = solver.get_instance(**few | parameters)
    RunContext().set_run_context("objective", "dataset", solver, 0, 0)
    seen = {"dataset": "none", "problem": "none", "device": device}
    seen |= {"train": data["train"]}
    seen |= {"test": [batch.without_truth() for batch in data["test"]]}
    skipped, reason = solver.skip(**seen)
    if skipped:
        return reason
    solver.set_objective(**seen)
    return solver


def solved(solver, data, **parameters):
    """The solver, once it has run, and what it found."""
    solver = made(solver, data, **parameters)
    assert not isinstance(solver, str), solver
    solver.pre_run_hook(None)
    solver.run(lambda: True)
    return solver, solver.get_result()["x_hat"][0]


def defined(body, tmp_path):
    """A solver class of which a file has this body."""
    path = Path(tempfile.mkdtemp(dir=tmp_path)) / "mine.py"
    lines = [
        "import torch",
        "from benchmark_utils.priors import ArtifactRemoval, untrained_denoiser",
        "from benchmark_utils.solving import LearnedSolver",
        "class Solver(LearnedSolver):",
        "    name = 'Mine'",
        "    parameters = LearnedSolver.training(n_steps=2, lr=1e-3)",
        "    def build(self):",
        "        return ArtifactRemoval(untrained_denoiser(3))",
    ]
    path.write_text("\n".join([*lines, *(f"    {x}" for x in body.splitlines())]))
    spec = importlib.util.spec_from_file_location("mine", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.Solver._module_filename = path
    return module.Solver


LOSS = "def loss(self, network, batch):\n    return network(batch.y, batch.physics).{}"


@pytest.mark.parametrize("name", ALL)
def test_nothing_of_the_test_images_but_y_is_seen(name, data_of):
    data = data_of(name)
    noise = [replace(b, x=torch.rand_like(b.x)) for b in data["test"]]
    _, expected = solved(name, data)
    _, found = solved(name, {**data, "test": noise})
    assert torch.equal(found, expected)
    # Nor do the weights depend on y of the test.
    other = [replace(b, y=torch.rand_like(b.y)) for b in data["test"]]
    first, second = (solved(name, {**data, "test": t})[0] for t in (noise, other))
    assert second.from_store and second.record == first.record


def test_measurements_alone_are_seen_where_no_truth_is_needed(data):
    expected, _ = solved("Self-supervised", data, loss="moei")
    noise = [replace(b, x=torch.rand_like(b.x)) for b in data["train"]]
    solver, _ = solved("Self-supervised", {**data, "train": noise}, loss="moei")
    assert not solver.from_store
    for values in ("losses", "held_out"):
        assert solver.record[values] == expected.record[values]


def test_what_is_held_out_is_always_measured_by_the_same_draws(data):
    solver, _ = solved("Self-supervised", data, loss="moi", n_steps=10, lr=1e-12)
    values = [value for _, value in solver.record["held_out"]]
    assert len(values) == 11
    assert values == pytest.approx(values[:1] * 11, rel=1e-4)


@pytest.mark.parametrize("problem", ["denoising", "gaussian_deblurring", "sr4"])
@pytest.mark.parametrize("loss", [*LOSSES, "sure+moi"])
def test_every_loss_is_for_every_problem(loss, problem, get_data):
    data = get_data("simulated", problem=problem, img_size=32)
    solver, x_hat = solved("Self-supervised", data, loss=loss)
    assert x_hat.isfinite().all() and solver.record["stopped"] is None
    assert x_hat.shape == data["test"][0].x.shape


@pytest.mark.parametrize("name", ALL)
def test_training_lowers_the_loss_on_what_is_held_out(name, data_of):
    data = data_of(name)
    solver, _ = solved(name, data, n_steps=12)
    first, best = solver.record["held_out"][0], solver.record["best_step"]
    values = dict(map(tuple, solver.record["held_out"]))
    assert best > 0 and values[best] == min(values.values()) < first[1]


def test_a_second_run_finds_the_weights_and_their_time(data, capsys):
    first, expected = solved("U-Net", data)
    assert "store" not in capsys.readouterr().out
    second, found = solved("U-Net", data)
    assert (first.from_store, second.from_store) == (False, True)
    assert torch.equal(found, expected) and second.fit_time == first.fit_time > 0
    assert "weights of the store, trained in" in capsys.readouterr().out


@pytest.mark.parametrize(
    "changed", [{"n_steps": 3}, {"seed": 1}, {"lr": 2e-3}, {"batch": 1}]
)
def test_another_parameter_trains_anew(changed, data):
    solved("U-Net", data)
    assert not solved("U-Net", data, **changed)[0].from_store


def test_other_training_images_or_measurements_train_anew(data):
    solved("U-Net", data)
    for field in ("x", "y"):
        (batch,) = data["train"]
        other = replace(batch, **{field: getattr(batch, field) * 0.99})
        assert not solved("U-Net", {**data, "train": [other]})[0].from_store


def test_another_told_physics_trains_anew(get_data):
    """x and y are the same: what is wrong in the model shows in A^T y."""
    told = {
        "blur": {"problem": "gaussian_deblurring", "told_blur": 1.5},
        "noise": {"problem": "gaussian_deblurring", "told_noise": 2.0},
        "right": {"problem": "gaussian_deblurring"},
    }
    keys = {}
    for name, options in told.items():
        data = get_data("simulated", img_size=32, **options)
        for _ in range(2):
            solver = made("U-Net", data)
            keys.setdefault(name, set()).add(solver.weights_key(list(solver.train)))
    assert [len(found) for found in keys.values()] == [1, 1, 1]
    assert len(set.union(*keys.values())) == 3


def test_another_code_trains_anew_and_the_same_one_does_not(data, tmp_path):
    mean, square = (LOSS.format(end) for end in ("mean()", "square().mean()"))
    kept = [
        solved(defined(body, tmp_path), data)[0].from_store
        for body in (mean, mean, square, mean)
    ]
    assert kept == [False, True, False, True]


@pytest.mark.parametrize("name", ALL)
def test_three_seeds_give_three_trainings(name, data_of):
    data = data_of(name)
    records = [solved(name, data, seed=seed)[0].record for seed in (0, 1, 2)]
    assert len({record["losses"][-1][1] for record in records}) == 3


def test_a_training_without_a_store_gives_the_same_weights(data, monkeypatch, tmp_path):
    _, expected = solved("U-Net", data)
    (tmp_path / "file").touch()
    monkeypatch.setenv("BENCHMARK_CACHE", str(tmp_path / "file"))
    solver, found = solved("U-Net", data)
    assert not solver.from_store and torch.equal(found, expected)


# Bad input


def test_a_batch_larger_than_the_set_is_said(data):
    assert "batch=9 is more than the 2 training images" in made("U-Net", data, batch=9)


@pytest.mark.parametrize("name", ALL)
def test_no_training_image_is_said(name, data_of):
    data = data_of(name)
    assert "there are none: is n_train at least 1, or train given?" in made(
        name, {**data, "train": []}
    )


def test_one_training_image_is_enough_and_nothing_is_held_out(get_data):
    data = get_data("simulated", img_size=32, n_images=1)
    solver, x_hat = solved("U-Net", data)
    assert solver.record["n_held_out"] == 0 and x_hat.isfinite().all()
    assert solver.record["best_step"] == solver.record["steps"] == 2


@pytest.mark.parametrize("loss", ["what", "splitting+ei"])
def test_an_unknown_loss_is_answered_with_those_that_there_are(loss, data):
    reason = made("Self-supervised", data, loss=loss)
    assert "mc, sure, splitting, noise2inverse, equivariant_splitting, ei" in reason


def test_solvers_of_one_modality_say_which(data):
    assert made("VarNet", data) == (
        "VarNet takes k-space: choose a problem of MRI (mri or multicoil_mri)."
    )
    reason = made("Learned primal-dual", data)
    assert reason.startswith("Learned primal-dual takes sinograms: choose a problem")


@pytest.mark.parametrize("loss", ["moi", "noise2inverse", "equivariant_splitting"])
def test_fine_tuning_names_the_losses_for_one_operator_and_its_network(loss, data):
    reason = made("Fine-tuned", data, loss=loss)
    assert "must be one of mc, sure, splitting, ei, or" in reason


def test_noise2inverse_says_that_it_is_for_sinograms_of_four_angles_or_more(
    data, chest
):
    reason = made("Self-supervised", data, loss="noise2inverse")
    assert "sinograms: choose a problem of tomography" in reason
    few = chest(n_angles=3)
    reason = made("Self-supervised", few, loss="noise2inverse")
    assert "there are 3: choose n_angles=4 or more" in reason


def test_sure_says_that_it_is_for_gaussian_noise(get_data):
    data = get_data("simulated", img_size=32, noise="poisson")
    assert "Gaussian noise" in made("Self-supervised", data, loss="sure")
    assert "Gaussian noise" in made("Fine-tuned", data)


def test_a_loss_that_is_nan_stops_and_the_best_weights_serve(data, tmp_path, capsys):
    body = LOSS.format("mean() * torch.nan")
    solver, x_hat = solved(defined(body, tmp_path), data)
    assert "step 1 of 2" in solver.record["stopped"]
    assert solver.record["stopped"] in capsys.readouterr().out
    assert x_hat.isfinite().all()


def test_weights_of_another_network_are_said(data, folder):
    solved("U-Net", data)
    (entry,) = folder.iterdir()
    record = store.entries()[entry.name]
    save_file({"other": torch.zeros(2)}, entry / store.WEIGHTS)
    record["sha256"] = store.sha256(entry / store.WEIGHTS)
    (entry / store.RECORD).write_text(store.json.dumps(record))
    solver = made("U-Net", data)
    with pytest.raises(Unavailable, match=r"another network: .*learned.py --clear"):
        solver.pre_run_hook(None)


# The methods


@pytest.fixture(scope="module")
def chest(get_data):
    """chest(**options): a chest of 32x32 pixels, and three phantoms to learn from."""

    def chest(**options):
        options = {"problem": "ct_sparse", "img_size": 32, "n_train": 3} | options
        return get_data("chest", **options)

    return chest


def test_noise2inverse_gives_the_mean_of_what_it_makes_of_each_three_quarters(chest):
    data = chest(n_angles=12, noise_level=0.02)
    solver, x_hat = solved("Self-supervised", data, loss="noise2inverse", n_steps=12)
    (batch,) = data["test"]
    with torch.inference_mode():
        expected = [
            solver.network.denoiser(
                back_projections(batch.y, batch.physics, part)[0],
                noise_level(batch.physics),
            )
            for part in range(4)
        ]
    torch.testing.assert_close(x_hat, torch.stack(expected).mean(0))
    assert solver.record["best_step"] > 0


def test_unrolled_starts_as_plug_and_play(data):
    solver, x_hat = solved("Unrolled", data, lr=1e-12, n_iter=3)
    network = UnrolledHQS(load_compact("denoiser", "cpu"), 3)
    (batch,) = data["test"]
    with torch.inference_mode():
        expected = network(batch.y, batch.physics)
    assert (x_hat - expected).abs().max() < 0.1
    assert len(solver.record["losses"]) == 2


def test_fine_tuning_starts_each_batch_from_the_same_network(data):
    batch = data["test"][0]
    twice = {**data, "test": [batch, batch]}
    solver = made("Fine-tuned", twice, n_iter=2, n_steps=1, lr=1e-9)
    solver.pre_run_hook(None)
    solver.run(lambda: True)
    first, second = solver.get_result()["x_hat"]
    torch.testing.assert_close(first, second, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("masks", ["shared", "per_image"])
def test_the_operator_of_a_training_is_prepared_once(masks, get_data, monkeypatch):
    """The eigenvectors of eight coils, which are found again at each step."""
    options = {"problem": "multicoil_mri", "img_size": 32, "n_images": 1, "n_train": 3}
    data = get_data("brain", masks=masks, **options)
    found, eigh = [], torch.linalg.eigh
    monkeypatch.setattr(torch.linalg, "eigh", lambda x: found.append(x) or eigh(x))
    solver = made("U-Net", data, n_steps=6, batch=1)
    del found[:]
    solver.pre_run_hook(None)
    assert len(found) <= (1 if masks == "shared" else 3)


def as_grey(batches):
    physics = dinv.physics.Denoising()
    return [replace(b, x=b.x[:, :1], y=b.y[:, :1], physics=physics) for b in batches]


NETWORKS = ["U-Net", "Unrolled", "Self-supervised"]


@pytest.mark.parametrize("name", [*NETWORKS, "Bilevel", "Fine-tuned"])
def test_a_network_of_colours_takes_grey_images(name, data):
    """Also where they come first."""
    train, test = list(data["train"]), list(data["test"])
    for batches in (as_grey(train), test), (train, [*as_grey(test), *test]):
        both = dict(zip(("train", "test"), batches))
        solver = made(name, both, n_steps=1)
        solver.pre_run_hook(None)
        solver.run(lambda: True)
        found = solver.get_result()["x_hat"]
        assert [x.shape for x in found] == [b.x.shape for b in both["test"]]
        assert all(x.isfinite().all() for x in found)


@pytest.mark.parametrize("name", [*NETWORKS, "Bilevel", "CDL supervised"])
def test_colours_are_not_learned_from_for_grey_images(name, data):
    train, test = list(data["train"]), as_grey(data["test"])
    solver = made(name, {"train": [*as_grey(train), *train], "test": test}, n_steps=1)
    if name == "Bilevel":
        return solver.pre_run_hook(None)  # Its filters take each channel alone.
    with pytest.raises(NotApplicable, match="to learn from"):
        solver.pre_run_hook(None)


def test_atoms_have_the_channels_of_all_images(data):
    mixed = [*data["test"], *as_grey(data["test"])]
    reason = made("CDL supervised", {"train": data["train"], "test": mixed})
    assert "restore grey images apart" in reason


def test_where_eigenvectors_are_too_many_for_all_images_none_are_found(
    get_data, monkeypatch
):
    """Else, what a step computes would depend on which images were drawn first."""
    options = {"problem": "multicoil_mri", "img_size": 32, "n_images": 1, "n_train": 4}
    data = get_data("brain", masks="per_image", **options)
    monkeypatch.setattr(MulticoilDataTerm, "MAX_BYTES", 2 * 32**3 * 8)
    solver = made("U-Net", data, n_steps=4, batch=1)
    monkeypatch.setattr(torch.linalg, "eigh", None)
    monkeypatch.setattr(solver, "batches", [])
    solver._learn_once()


def test_bilevel_brings_a_wrong_weight_of_tv_to_a_better_one(get_data):
    data = get_data("simulated", problem="denoising", img_size=32, n_images=3)
    solver, _ = solved("Bilevel", data, prior="tv", n_steps=15, lr=0.2, n_iter=60)
    weight = float(solver.network.log_weights.exp())
    assert weight > 0.3  # It starts at 0.2; these images are flat.
    values = [value for _, value in solver.record["held_out"]]
    assert min(values) < 0.9 * values[0]


@pytest.mark.parametrize("n_masks", [1, 2])
def test_masks_are_those_of_training_and_of_test_images(n_masks, get_data):
    data = get_data(
        "simulated", problem="inpainting", img_size=16, n_images=4, masks=n_masks
    )
    masks = [b[0].physics.mask for b in (data["train"], data["test"])]
    assert torch.equal(*masks)
    assert len({tuple(mask.flatten().tolist()) for mask in masks[0]}) == n_masks


def test_the_template_is_a_learned_solver_of_25_lines(data, tmp_path):
    path = ROOT / "solvers" / "template_learned_solver.py"
    assert len(path.read_text().splitlines()) <= 25
    spec = importlib.util.spec_from_file_location("template", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.Solver._module_filename = path
    assert issubclass(module.Solver, LearnedSolver)
    solver, x_hat = solved(module.Solver, data)
    assert x_hat.isfinite().all() and solver.record["n_parameters"] > 1000


class Twice(torch.nn.Module):
    """A network of no kind that is known here, which is applied twice to each image."""

    def __init__(self):
        super().__init__()
        self.step = torch.nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, y, physics):
        return self.step(self.step(y))


@pytest.mark.parametrize("by_name", [False, True])
def test_a_network_of_its_own_counts_as_one_call(by_name, data):
    class OwnNetwork(LearnedSolver):
        name = "Own network"
        parameters = LearnedSolver.training(n_steps=2, lr=1e-3)
        _module_filename = __file__

        def build(self):
            return Twice()

        def iterate(self, y, physics):
            given = {"y": y, "physics": physics}
            network = self.network
            yield network(**given) if by_name else network(y, physics)

    solver, _ = solved(OwnNetwork, data)
    assert solver.get_result()["n_network_calls"] == 1


@pytest.mark.parametrize(
    "name", ["Bilevel", "Learned primal-dual", "U-Net", "Unrolled", "VarNet"]
)
def test_with_pairs_the_loss_is_the_mean_square_of_the_error(name):
    [solver] = BENCHMARK.check_solver_patterns([name], class_only=True)
    x = torch.rand(2, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    batch = Batch(x=x, y=x, physics=None)
    error = torch.tensor([1.0, 3.0]).view(2, 1, 1, 1)
    loss = solver.loss(None, lambda y, physics: y + error, batch)
    assert float(loss) == pytest.approx(5.0)
