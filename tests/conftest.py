"""What the tests share. They read no file outside the repository, and no network."""

import os
import socket
from pathlib import Path

# Commands that tests start have one thread, too: the other core is in use.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch
import yaml
from benchopt.benchmark import Benchmark
from benchopt.results import read_results
from benchopt.runner import run_benchmark
from benchopt.utils.run_context import RunContext
from hypothesis import Phase, settings
from sklearn.linear_model import Lasso

from benchmark_utils.solving import tuned

torch.set_num_threads(1)
settings.register_profile(
    "benchmark",
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=12,
    phases=[Phase.explicit, Phase.generate],
)
settings.load_profile("benchmark")

ROOT = Path(__file__).resolve().parents[1]
# They come first: the last files are short, and no worker waits for the other.
LONGEST = [
    "tools/test_reproducibility.py",
    "test_fake_cuda.py",
    "solving/test_solvers.py",
    "common/test_fingerprint.py",
    "test_benchopt.py",
    "test_clusters.py",
]
# Also makes benchmark_utils importable, as it is during a run.
BENCHMARK = Benchmark(ROOT, no_cache=True)


def pytest_configure(config):
    # pytest-xdist takes files in this order, and not by how many tests they have.
    config.option.loadscopereorder = False


def pytest_collection_modifyitems(items):
    places = {ROOT / "tests" / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


def lasso_by_scikit_learn(y, M, lam, nonnegative=False):
    """The codes that minimise 1/2 ||y - M z||^2 + lam ||z||_1, in float64."""
    model = Lasso(
        lam / len(y),
        fit_intercept=False,
        positive=nonnegative,
        tol=1e-14,
        max_iter=10**6,
    )
    return torch.from_numpy(model.fit(M.numpy(), y.numpy()).coef_)


@pytest.fixture(scope="session", autouse=True)
def no_network():
    """Connections beyond this machine fail, as they do without a network."""
    connect = socket.socket.connect

    def connect_here_only(self, address):
        if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1"):
            raise OSError("the tests have no network")
        return connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect_here_only)
        # Without it, each download is tried for half a minute, also in subprocesses.
        patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield


@pytest.fixture(scope="session", autouse=True)
def own_store(tmp_path_factory):
    """Trained weights of the user are not read, and none are added to them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCHMARK_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def no_data_paths(tmp_path_factory):
    """The user's folders are not read; all else of config.yml is."""
    config = yaml.safe_load((ROOT / "config.yml").read_text()) or {}
    config = {k: v for k, v in config.items() if k not in ("data_paths", "data_home")}
    path = tmp_path_factory.mktemp("config") / "config.yml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("BENCHOPT_DATA_PATHS", raising=False)
        patch.delenv("BENCHOPT_DATA_HOME", raising=False)
        patch.setattr(Benchmark, "get_config_file", lambda self: path)
        yield


@pytest.fixture(scope="session")
def get_data():
    """get_data(dataset, seed, repetition, **parameters): its data, as in a run."""

    def get(name, seed=0, repetition=0, **parameters):
        (dataset_class,) = BENCHMARK.check_dataset_patterns([name], class_only=True)
        dataset = dataset_class.get_instance(**parameters)
        RunContext().set_run_context("objective", dataset, "", repetition, seed)
        return dataset.get_data()

    return get


@pytest.fixture(scope="session")
def get_objective():
    """get_objective(data): the objective, once it has received a dataset's data."""

    def get(data):
        objective = BENCHMARK.get_benchmark_objective().get_instance(device="cpu")
        objective.set_data(**data)
        return objective

    return get


@pytest.fixture(scope="session")
def get_iterates():
    """get_iterates(solver, batch, train, **parameters): all it yields for one batch."""

    def get(name, batch, train=(), **parameters):
        (solver_class,) = BENCHMARK.check_solver_patterns([name], class_only=True)
        solver = solver_class.get_instance(**parameters)
        RunContext().set_run_context("objective", "dataset", solver, 0, 0)
        data = {"dataset": "none", "problem": "none", "device": "cpu"}
        skipped, reason = solver.skip(train=train, test=[batch], **data)
        assert not skipped, reason
        solver.set_objective(train=train, test=[batch], **data)
        solver.pre_run_hook(None)
        with torch.inference_mode(not solver.requires_grad):
            iterates = solver.iterate(batch.y, batch.physics)
            return [x() if callable(x) else x for x in iterates]

    return get


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """run(solvers, datasets): the rows that benchopt writes, in their order."""

    def run(solvers, datasets=("simulated",), objectives=None, **options):
        output = tmp_path_factory.mktemp("run") / "results.parquet"
        written = run_benchmark(
            BENCHMARK,
            solver_names=[str(solver) for solver in solvers],
            dataset_names=list(datasets),
            objective_filters=objectives,
            plot_result=False,
            no_cache=True,
            output_file=str(output),
            **options,
        )
        return read_results(written)

    return run


@pytest.fixture
def tuned_file(tmp_path, monkeypatch):
    """tuned_file(entries): they replace the committed ones; at first there are none."""
    path = tmp_path / "tuned.yml"
    monkeypatch.setattr(tuned, "TUNED_FILE", path)

    def write(entries):
        path.write_text(yaml.safe_dump(entries))
        tuned.read_tuned.cache_clear()

    tuned.read_tuned.cache_clear()
    yield write
    tuned.read_tuned.cache_clear()


@pytest.fixture
def solver_file(tmp_path):
    """solver_file(name, body): a file with a solver whose class has this body."""

    def write(name, body):
        lines = [
            "import torch",
            "from benchmark_utils.solving.solver import IterativeSolver",
            "class Solver(IterativeSolver):",
            f"    name = {name!r}",
            *(f"    {line}" for line in body.strip().splitlines()),
        ]
        path = tmp_path / f"{name}.py"
        path.write_text("\n".join(lines))
        return path

    return write
