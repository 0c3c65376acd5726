"""No result computed before a change that it depends on is served; others are."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from benchopt.results import read_results
from benchopt.utils.parametrized_name_mixin import product_param
from conftest import BENCHMARK, ROOT
from preloaded import run_benchopt

from benchmark_utils.common import fingerprint as module
from benchmark_utils.common.errors import Unavailable
from benchmark_utils.common.fingerprint import (
    content_digest,
    data_listing,
    digest_of_repository,
    listing,
)
from benchmark_utils.scoring import last_rows

WEIGHTS = "benchmark_utils/priors/weights/compact_{}.safetensors"


def write(path, text=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def append(path, text="\nAPPENDED = 1\n"):
    with path.open("a") as file:
        file.write(text)


# Whole runs, in a copy of the repository, with a solver and a dataset of its user

SOLVER = """
import sys
from pathlib import Path
sys.path.insert(0, str(Path(__file__).parent))
from helper import scale
from benchmark_utils.physics import data_term
from benchmark_utils.solving import IterativeSolver

class Solver(IterativeSolver):
    name = "Mine"

    def iterate(self, y, physics):
        gain = float((Path(__file__).parent / "gain.txt").read_text())
        yield scale(gain) * data_term(physics, y).initial_guess()
"""
DATASET = """
from pathlib import Path
import numpy as np
import torch
from benchmark_utils.data import ImageDataset

class Dataset(ImageDataset):
    name = "pictures"
    parameters = {
        **ImageDataset.image_parameters,
        "problem": ["denoising"],
        "img_size": [None],
        "folder": [None],
    }

    def load(self, split):
        folder = self.folder or Path(__file__).parent / "photos"
        paths = sorted(Path(folder).glob("*/*.npy"))
        return {path.stem: torch.from_numpy(np.load(path)) for path in paths}
"""
RUNS = {
    (dataset, solver)
    for dataset in ("simulated", "pictures", "pictures by name")
    for solver in ("Pseudo-inverse", "PnP-HQS", "Mine")
}

LAST_TIMES = {}


def photograph(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, np.full((3, 32, 32), value, np.float32))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a copy of the repository, and what its user has beside it."""
    place = tmp_path_factory.mktemp("place")
    at_the_root = {".git", "outputs", "data", "tests", "results", "docs"}

    def ignored(path, names):
        unwanted = shutil.ignore_patterns("__cache__", "__pycache__", "runs", ".venv*")
        more = at_the_root & set(names) if Path(path) == ROOT else set()
        return unwanted(path, names) | more

    shutil.copytree(ROOT, place / "repository", ignore=ignored)
    write(place / "mine/solver.py", SOLVER)
    write(place / "mine/helper.py", "def scale(gain):\n    return gain\n")
    write(place / "mine/gain.txt", "1.0")
    write(place / "mine/dataset.py", DATASET)
    photograph(place / "mine/photos/here/a.npy", 0.5)
    photograph(place / "elsewhere/here/a.npy", 0.5)
    assert computed(place) == RUNS
    return place


def benchopt_run(place, *options, **environment):
    """What benchopt prints of a run."""
    printed = run_benchopt(
        *("run", ".", "--no-plot", "--output", place / "results.parquet"),
        *options,
        cwd=place / "repository",
        **environment,
    )
    return " ".join((printed.stdout + printed.stderr).split())


def computed(place):
    """The runs {(dataset, solver)} that are computed, and not taken from the cache.

    Those of the cache have the same time as before.
    """
    mine = place / "mine"
    datasets = [
        "simulated",
        f"{mine}/dataset.py",
        f"{mine}/dataset.py[folder={place}/elsewhere]",
    ]
    solvers = ["Pseudo-inverse", "PnP-HQS[n_iter=1]", f"{mine}/solver.py"]
    options = [word for name in datasets for word in ("-d", name)]
    options += [word for name in solvers for word in ("-s", name)]
    (place / "results.parquet").unlink(missing_ok=True)
    benchopt_run(place, *options)
    before = LAST_TIMES.get(place, {})
    LAST_TIMES[place] = times = {}
    for row in last_rows(read_results(place / "results.parquet")).to_dict("records"):
        by_name = " by name" * ("folder=" in row["dataset_name"])
        dataset = row["dataset_name"].split("[")[0] + by_name
        times[dataset, row["solver_name"].split("[")[0]] = row["time"]
    assert times.keys() <= RUNS
    return {run for run in RUNS if times.get(run) != before.get(run)}


def of(name):
    """The runs of a dataset or of a solver."""
    return {run for run in RUNS if name in run}


def test_an_unchanged_repository_answers_from_the_cache(place):
    assert not computed(place)


def tune(place, solver, value):
    path = place / "repository/config/tuned.yml"
    tuned = yaml.safe_load(path.read_text())
    for problems in tuned.values():
        for key, entry in problems.get("denoising", {}).items():
            if key.split("[")[0] == solver:
                entry["parameters"]["reg"] = value
    path.write_text(yaml.safe_dump(tuned, sort_keys=False))


def test_what_a_run_does_not_depend_on_leaves_it_cached(place):
    repository = place / "repository"
    write(repository / "benchmark_utils/physics/spirals.py", "TURNS = 3\n")
    write(repository / "solvers/spiral.py", "import benchmark_utils.physics.spirals\n")
    append(repository / "benchmark_utils/dictionaries/convolutional.py")
    append(repository / WEIGHTS.format("sr3"))
    append(repository / "benchmark_utils/physics/kernels/README.md")
    append(repository / "datasets/natural.py")
    append(repository / "benchmark_utils/physics/data_term.py", "\n# A comment.\n")
    tune(place, "TV", 0.123)
    write(place / "mine/other.py", "TURNS = 3\n")
    assert not computed(place)


@pytest.mark.parametrize("file", ["data_term.py", "kernels/levin09.npz"])
def test_shared_code_and_data_that_all_use_are_seen(place, file):
    append(place / "repository/benchmark_utils/physics" / file)
    assert computed(place) == RUNS


def test_the_tuned_values_of_a_solver_are_seen(place):
    tune(place, "Pseudo-inverse", 0.0123)
    assert computed(place) == of("Pseudo-inverse")


@pytest.mark.parametrize(
    "file, text",
    [("helper.py", "def scale(gain):\n    return 0.9 * gain\n"), ("gain.txt", "0.8")],
)
def test_code_and_weights_beside_a_solver_of_the_user_are_seen(place, file, text):
    write(place / "mine" / file, text)
    assert computed(place) == of("Mine")


def test_pictures_of_a_dataset_of_the_user_are_seen(place):
    photograph(place / "mine/photos/here/b.npy", 0.2)
    # Its code names its own folder, whatever the parameter is.
    assert computed(place) == of("pictures") | of("pictures by name")
    photograph(place / "elsewhere/here/a.npy", 0.3)
    assert computed(place) == of("pictures by name")


def test_a_dataset_is_seen(place):
    append(place / "repository/datasets/simulated.py")
    assert computed(place) == of("simulated")


def test_weights_in_use_are_seen(place):
    append(place / "repository" / WEIGHTS.format("denoiser"), "\n")
    # The checksum is wrong, and the solver is skipped.
    assert computed(place) == of("PnP-HQS")


def test_advice_that_was_followed_is_seen(place):
    solver = "FiRe-HQS[priors=motion,networks=published,n_iter=2]"
    options = ("-d", "simulated", "-s", "Pseudo-inverse", "-s", solver)
    home = {"BENCHOPT_DATA_HOME": str(place / "home")}
    for _ in range(2):
        printed = benchopt_run(place, *options, **home)
        assert "restormer_motion.pth are not in" in printed
    write(place / "home/published_weights/restormer_motion.pth", "not weights")
    assert "restormer_motion.pth is damaged" in benchopt_run(place, *options, **home)


# The state of a solver, a dataset or the objective


@pytest.fixture
def instance():
    """instance(pattern): a fresh objective, dataset or solver."""

    def get(kind, pattern):
        get_classes = getattr(BENCHMARK, f"check_{kind}_patterns")
        ((found, values),) = get_classes([pattern])
        return found.get_instance(**next(product_param(values)))

    return get


@pytest.fixture
def objective():
    return BENCHMARK.get_benchmark_objective().get_instance


@pytest.mark.parametrize(
    "file", ["physics/problems.py", "scoring/metrics.py", "solving/solver.py"]
)
@pytest.mark.parametrize("dataset", ["simulated", "natural", "brain"])
@pytest.mark.parametrize("solver", ["TV", "PnP-HQS", "U-Net"])
def test_code_that_all_share_counts_in_each_run(
    file, dataset, solver, instance, objective
):
    parts = objective(), instance("dataset", dataset), instance("solver", solver)
    path = ROOT / "benchmark_utils" / file
    assert any(path in part.dependencies().code for part in parts)


def test_a_worker_keeps_the_fingerprint_that_it_is_sent(instance):
    solver = instance("solver", "TV")
    load, arguments, state = solver.__reduce__()
    sent = load(*arguments)
    sent.__setstate__(state | {"fingerprint": "of-here"})
    assert sent.fingerprint() == "of-here"
    assert sent.__reduce__()[2] == {"fingerprint": "of-here"}


@pytest.mark.parametrize(
    "pattern, weights, published",
    [
        ("TV", [], False),
        ("PnP-HQS", ["denoiser", "grey"], False),
        ("PnP-HQS[denoiser=equivariant]", ["denoiser", "grey"], False),
        ("PnP-HQS[denoiser=tv]", [], False),
        ("PnP-HQS[denoiser=drunet]", [], True),
        ("SHARP", ["deblur"], False),
        ("FiRe-HQS[priors='denoiser+sr2']", ["denoiser", "grey", "sr2"], False),
        ("FiRe-HQS[networks=published]", [], True),
        ("FiRe-HQS[priors='published:sr2+compact:jpeg+motion']", ["jpeg", "motion"], 1),
    ],
)
def test_the_weights_that_count_are_those_that_parameters_name(
    instance, monkeypatch, pattern, weights, published
):
    solver = instance("solver", pattern)
    counted = [name for name, *_ in solver.repository_state()[0]]
    assert counted == [Path(WEIGHTS.format(name)).name for name in weights]
    monkeypatch.setattr(module, "data_folder", lambda key: ROOT)
    assert (solver.machine_state() is not None) == published


def test_a_solver_that_names_no_network_is_taken_to_load_any(solver_file):
    loads = "def setup(self):\n    self.R = self.load_restoration('sr2')"
    for name, body, n_networks in (("Loads", loads, 8), ("None", "a = 1", 0)):
        path = str(solver_file(name, body))
        ((found, _),) = BENCHMARK.check_solver_patterns([path])
        solver = found.get_instance()
        assert len(solver.repository_state()[0]) == n_networks
        assert solver._networks_loaded()[1] == bool(n_networks)


def test_tuned_values_count_where_they_are_asked_for(instance):
    assert instance("solver", "TV").repository_state()[1]
    assert instance("solver", "TV[reg=0.1]").repository_state()[1] is None


def test_the_priors_of_the_anomaly_count(objective):
    assert objective().repository_state() == []
    names = [name for name, *_ in objective(anomaly="sr2+jpeg").repository_state()]
    assert names == ["compact_sr2.safetensors", "compact_jpeg.safetensors"]


def changes(get_state, change):
    """Whether ``change()`` changes a state, which is otherwise stable."""
    before = get_state()
    assert get_state() == before
    change()
    return get_state() != before


@pytest.fixture
def packages(monkeypatch):
    """{package: its version}, to be changed; 1.0 for those that are not there."""
    packages = {}
    monkeypatch.setattr(module, "version", lambda name: packages.get(name, "1.0"))
    module.installed.cache_clear()
    yield packages
    module.installed.cache_clear()


@pytest.mark.parametrize("package", ["torch", "bm3d", "torchmetrics", "pillow"])
def test_the_versions_of_the_libraries_count(objective, packages, package):
    def upgrade():
        packages[package] = "2.0"
        module.installed.cache_clear()

    assert changes(lambda: objective().fingerprint(), upgrade)


def test_the_code_digest_does_not_depend_on_the_libraries(objective, packages):
    def upgrade():
        packages["torch"] = "2.0"
        module.installed.cache_clear()

    assert not changes(lambda: objective().code_digest(), upgrade)


def test_the_cache_of_torch_does_not_count(objective, monkeypatch, tmp_path):
    # The weights of LPIPS are those of this repository.
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    weights = tmp_path / "hub/checkpoints/alexnet-owt-7be5be79.pth"
    assert not changes(lambda: objective().fingerprint(), lambda: write(weights))


@pytest.mark.parametrize(
    "dataset, changed",
    [("bsd", True), ("set3c", True), ("patches", True), ("natural", False)],
)
def test_images_that_come_are_seen_by_the_datasets_that_name_them(
    instance, monkeypatch, tmp_path, dataset, changed
):
    monkeypatch.setattr(module, "data_folder", lambda key: tmp_path / key)
    image = tmp_path / "bsds500/100075.jpg"

    def fingerprint():
        return instance("dataset", f"{dataset}[]").fingerprint()

    assert changes(fingerprint, lambda: write(image)) == changed


@pytest.mark.parametrize(
    "file, seen",
    [("scunet.pth", True), ("SHA256SUMS", False), (".cache/huggingface/lock", False)],
)
def test_a_data_folder_is_told_by_its_files(monkeypatch, tmp_path, file, seen):
    monkeypatch.setattr(module, "data_folder", lambda key: tmp_path)

    def data():
        return data_listing("published_weights")

    assert changes(data, lambda: write(tmp_path / file)) == seen


def test_other_weights_of_the_same_size_are_seen(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "data_folder", lambda key: tmp_path)
    path = tmp_path / "restormer_gaussian.pth"
    write(path, "one")
    os.utime(path, (1, 1))
    assert changes(lambda: data_listing("any"), lambda: write(path, "two"))
    assert changes(
        lambda: data_listing("any"), lambda: (tmp_path / "a.pth").symlink_to("nowhere")
    )


def test_a_data_folder_that_cannot_be_listed_is_as_one_that_is_not_there(monkeypatch):
    def empty_data_paths(key):
        raise Unavailable("data_paths is empty in config.yml")

    monkeypatch.setattr(module, "data_folder", empty_data_paths)
    assert data_listing("any") is None


def test_a_listing_is_deep_and_bounded(monkeypatch, tmp_path):
    for i in range(3):
        write(tmp_path / "deep" / "er" / f"{i}.png")
    write(tmp_path / "README.md")
    (tmp_path / "around").symlink_to(tmp_path)
    names = [name for name, *_ in listing(tmp_path)]
    assert names == ["around", *(f"deep/er/{i}.png" for i in range(3))]
    monkeypatch.setattr(module, "MAX_LISTED", 2)
    assert len(listing(tmp_path)) == 2


# Digests that are kept


@pytest.fixture
def memory(tmp_path, monkeypatch):
    """The file where the digests of large files, here all, are kept."""
    path = tmp_path / "cache" / "digests.json"
    monkeypatch.setattr(module, "_memory_file", lambda: path)
    monkeypatch.setattr(module, "LARGE", 0)
    return path


def test_a_large_file_is_read_once(memory, tmp_path, monkeypatch):
    write(tmp_path / "weights", "one")
    first = content_digest(tmp_path / "weights")
    assert list(memory.parent.iterdir()) == [memory]
    with monkeypatch.context() as patch:
        patch.setattr(module, "sha256", None)
        assert content_digest(tmp_path / "weights") == first
    os.utime(tmp_path / "weights", (1, 1))
    assert content_digest(tmp_path / "weights") == first
    write(tmp_path / "weights", "two")
    assert content_digest(tmp_path / "weights") != first


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"weights": 3}', "\x00", "null"])
def test_a_damaged_memory_is_made_anew(memory, tmp_path, text):
    write(tmp_path / "weights", "one")
    first = content_digest(tmp_path / "weights")
    memory.write_text(text.replace("weights", str(tmp_path / "weights")))
    assert content_digest(tmp_path / "weights") == first


def test_where_nothing_can_be_written_nothing_is_kept(memory, tmp_path):
    write(tmp_path / "weights", "one")
    write(memory.parent)  # A file is where the folder should be.
    assert content_digest(tmp_path / "weights") == content_digest(tmp_path / "weights")
    assert content_digest(tmp_path / "missing") is None


# The version that is published


@pytest.mark.parametrize(
    "file, seen",
    [
        ("benchmark_utils/physics/data_term.py", True),
        (WEIGHTS.format("denoiser"), True),
        ("benchmark_utils/data/image_checksums.txt", True),
        ("config/tuned.yml", True),
        ("solvers/tv.py", True),
        ("objective.py", True),
        ("benchmark_utils/priors/weights/README.md", False),
        ("datasets/NOTES.md", False),
    ],
)
def test_the_version_covers_the_repository_but_what_people_read(place, file, seen):
    def version():
        return digest_of_repository(place / "repository")

    path = place / "repository" / file
    before = path.read_bytes() if path.exists() else b""
    assert changes(version, lambda: path.write_bytes(before + b"\n")) == seen
    path.write_bytes(before)
