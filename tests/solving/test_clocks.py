"""What is timed: all that makes the reconstruction, once, and nothing for display."""

import time

import fake_cuda
import pytest
import torch
from benchopt.callback import _Callback
from benchopt.utils.run_context import RunContext
from walk import DATA, FEW, SOLVERS

from benchmark_utils.solving import DictionarySolver, IterativeSolver

PAUSE = 0.05


def curve_of(solver, data, get_objective, device="cpu"):
    """The rows of a solver, as benchopt makes them."""
    RunContext().set_run_context("objective", "dataset", solver, 0, 0)
    objective = get_objective(data)
    objective._dataset = solver
    seen = {**objective.get_objective(), "device": device}
    skipped, reason = solver.skip(**seen)
    if skipped:
        pytest.skip(reason)
    solver.set_objective(**seen)
    criterion = solver._stopping_criterion.get_runner_instance(solver=solver)
    solver._warm_up()
    callback = _Callback(objective, solver, {}, criterion)
    solver.pre_run_hook(callback)
    callback.start()
    solver.run(callback)
    rows, status, _ = callback.get_results()
    assert status == "done"
    return rows


def made(base, **attributes):
    """An instance of a solver class with these attributes."""
    found = {"name": "Mine", "_module_filename": __file__, **attributes}
    return type("Solver", (base,), found).get_instance()


def iterations(n, before_each=0.0, image=0.0):
    """``iterate`` of a method whose steps, and whose images, take some time."""

    def iterate(self, y, physics):
        def make():
            time.sleep(image)
            return y * k / 40

        for k in range(1, n + 1):
            time.sleep(before_each)
            yield make if image else y * k / 40

    return iterate


@pytest.mark.parametrize("n", [1, 2, 22, 23, 24, 40])
def test_point_k_is_iterate_k_and_the_last_iterate_is_the_last_point(
    n, get_data, get_objective
):
    data = get_data("simulated", n_images=1)
    rows = curve_of(made(IterativeSolver, iterate=iterations(n)), data, get_objective)
    points = [row["stop_val"] for row in rows]
    assert points[: min(n, 22)] == list(range(1, min(n, 22) + 1))
    assert points[-1] == n and len(set(points)) == len(points)
    (batch,) = data["test"]
    for row in rows:
        error = (batch.y * row["stop_val"] / 40 - batch.x).square().mean()
        expected = float(-10 * error.log10())
        assert row["objective_psnr"] == pytest.approx(expected, abs=1e-3)
    assert [k for k, row in zip(points, rows) if "objective_ssim" in row] == [n]


@pytest.mark.parametrize("n", [3, 23])
def test_the_time_of_the_last_point_is_that_of_its_iterate(n, get_data, get_objective):
    def iterate(self, y, physics):
        yield from iterations(n)(self, y, physics)
        time.sleep(PAUSE)

    data = get_data("simulated", n_images=1, img_size=32)
    rows = curve_of(made(IterativeSolver, iterate=iterate), data, get_objective)
    assert rows[-1]["stop_val"] == n and rows[-1]["time"] < PAUSE


@pytest.mark.parametrize("n", [4, 23])
def test_the_images_of_a_point_are_in_its_time_and_in_that_of_no_later_one(
    n, get_data, get_objective
):
    data = get_data("simulated", n_images=1, img_size=32)
    solver = made(IterativeSolver, iterate=iterations(n, 0.001, image=PAUSE))
    rows = curve_of(solver, data, get_objective)
    assert all(PAUSE < row["time"] < 2 * PAUSE + 0.01 * n for row in rows)


def test_pictures_and_scores_are_not_timed(get_data, get_objective, monkeypatch):
    copy = torch.Tensor.to

    def slow(x, *args, **kwargs):
        time.sleep(PAUSE)
        return copy(x, *args, **kwargs)

    def iterate(self, y, physics):
        # From here on, whoever copies a picture takes time.
        monkeypatch.setattr(torch.Tensor, "to", slow)
        for _ in range(6):
            yield y.clone()

    data = get_data("simulated", n_images=1, img_size=32)
    solver = made(IterativeSolver, iterate=iterate, snapshots=(1, 3, 5))
    monkeypatch.setattr(
        "benchmark_utils.solving.iterates.as_estimate", lambda x, like: x
    )
    assert curve_of(solver, data, get_objective)[-1]["time"] < PAUSE


def test_each_snapshot_is_a_point_of_the_curve(get_data, get_objective):
    data = get_data("simulated", n_images=1, img_size=32)
    kept = (1, 25, 31)
    solver = made(IterativeSolver, iterate=iterations(40), snapshots=kept)
    points = {row["stop_val"] for row in curve_of(solver, data, get_objective)}
    assert points.issuperset(kept)
    assert tuple(solver.get_result()["snapshots"]) == kept


def test_times_never_go_back(get_data, get_objective):
    def iterate(self, y, physics):
        def make(pause):
            time.sleep(pause)
            return y

        yield lambda: make(PAUSE)
        yield lambda: make(0)

    data = get_data("simulated", n_images=1, img_size=32)
    first, last = curve_of(made(IterativeSolver, iterate=iterate), data, get_objective)
    assert PAUSE <= first["time"] == last["time"]


# Dictionaries


def test_sparse_coding_is_timed(get_data, get_objective, monkeypatch):
    def slow(y, dictionary, *args, **kwargs):
        time.sleep(PAUSE)
        return y.new_zeros(len(y), dictionary.shape[1])

    monkeypatch.setattr("benchmark_utils.solving.dictionary_solver.sparse_code", slow)
    dataset, parameters = DATA["vectors"]
    data = get_data(dataset, **parameters)
    for name in ("Dictionary oracle", "Dictionary supervised", "Dictionary learning"):
        options = {n: v for n, v in FEW.items() if n in SOLVERS[name].parameters}
        solver = SOLVERS[name].get_instance(**options)
        rows = curve_of(solver, data, get_objective)
        # Two operators, two codings; those of the points before are not in it.
        assert all(2 * PAUSE < row["time"] < 4 * PAUSE for row in rows)


def test_a_dictionary_codes_until_more_iterations_change_nothing(get_data):
    data = get_data("synthetic_dictionary", n_signals=500, m=50, n_operators=2)

    def error(n_iter):
        solver = made(
            SOLVERS["Dictionary oracle"], name="Dictionary oracle", N_CODING=n_iter
        )
        RunContext().set_run_context("objective", "dataset", solver, 0, 0)
        test = [batch.without_truth() for batch in data["test"]]
        seen = {**data, "test": test, "device": "cpu"}
        assert solver.skip(**seen) == (False, None)
        solver.set_objective(**seen)
        solver.pre_run_hook(None)
        solver.run(lambda: True)
        ours = torch.cat(solver.get_result()["x_hat"])
        x = torch.cat([batch.x for batch in data["test"]])
        return float((ours - x).square().mean().log10().mul(10))

    assert error(DictionarySolver.N_CODING) == pytest.approx(error(2000), abs=0.05)


# The warm-up


def test_the_warm_up_is_on_the_largest_batch(get_data, get_objective):
    seen = []

    def iterate(self, y, physics):
        seen.append(len(y))
        yield y

    data = get_data("simulated", n_images=10, img_size=32)
    assert [len(batch.y) for batch in data["test"]] == [8, 2]
    curve_of(made(IterativeSolver, iterate=iterate), data, get_objective)
    assert seen == [8, 8, 2]


# A GPU computes while Python goes on: time stamps wait for it


@pytest.fixture
def stamps(monkeypatch):
    """The number of time stamps; each one fails while the GPU computes."""
    clock, stamps = time.perf_counter, []

    def perf_counter():
        stamps.append(not fake_cuda.pending())
        return clock()

    monkeypatch.setattr(time, "perf_counter", perf_counter)
    return stamps


@pytest.mark.parametrize(
    "name, problem",
    [
        ("TV", "inpainting"),
        ("CDL", "inpainting"),
        ("CDL supervised", "inpainting"),
        ("Dictionary oracle", "vectors"),
        ("Dictionary supervised", "vectors"),
        ("Dictionary learning", "vectors"),
    ],
)
def test_no_time_stamp_is_taken_while_the_gpu_computes(
    name, problem, stamps, get_data, get_objective
):
    dataset, parameters = DATA[problem]
    data = get_data(dataset, **parameters)
    options = {n: v for n, v in FEW.items() if n in SOLVERS[name].parameters}
    with fake_cuda.fake_cuda():
        curve_of(SOLVERS[name].get_instance(**options), data, get_objective, "cuda")
    assert len(stamps) > 4 and all(stamps)
