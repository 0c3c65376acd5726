"""What is timed: all that makes the reconstruction, once, and nothing for display."""

import time

import fake_cuda
import pytest
import torch
from benchopt.callback import _Callback
from benchopt.utils.run_context import RunContext
from walk import DATA, FEW, SOLVERS

from benchmark_utils.solving import DictionarySolver, IterativeSolver, dictionary_solver


class Clock:
    """Time goes on where it is told to."""

    now = 0.0

    def perf_counter(self):
        return self.now

    def pause(self, seconds=1.0):
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(time, "perf_counter", clock.perf_counter)
    return clock


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


def iterations(n, clock=None, step=0.0, image=0.0):
    """``iterate`` of a method whose steps, and whose images, take some seconds."""

    def iterate(self, y, physics):
        def make():
            clock.pause(image)
            return y * k / 40

        for k in range(1, n + 1):
            if clock is not None:
                clock.pause(step)
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
def test_the_time_of_the_last_point_is_that_of_its_iterate(
    n, clock, get_data, get_objective
):
    def iterate(self, y, physics):
        yield from iterations(n, clock, step=2)(self, y, physics)
        clock.pause(100)

    data = get_data("simulated", n_images=1, img_size=32)
    rows = curve_of(made(IterativeSolver, iterate=iterate), data, get_objective)
    assert [row["time"] for row in rows] == [2 * row["stop_val"] for row in rows]
    assert rows[-1]["stop_val"] == n


@pytest.mark.parametrize("n", [4, 23])
def test_the_images_of_a_point_are_in_its_time_and_in_that_of_no_later_one(
    n, clock, get_data, get_objective
):
    data = get_data("simulated", n_images=1, img_size=32)
    solver = made(IterativeSolver, iterate=iterations(n, clock, step=2, image=50))
    rows = curve_of(solver, data, get_objective)
    assert [row["time"] for row in rows] == [50 + 2 * row["stop_val"] for row in rows]
    assert rows[-1]["stop_val"] == n


def test_scores_and_pictures_are_not_timed(clock, get_data, get_objective, monkeypatch):
    get_result = IterativeSolver.get_result

    def slow(self):
        clock.pause(100)
        return get_result(self)

    monkeypatch.setattr(IterativeSolver, "get_result", slow)
    data = get_data("simulated", n_images=1, img_size=32)
    solver = made(IterativeSolver, iterate=iterations(6, clock, step=2))
    times = [row["time"] for row in curve_of(solver, data, get_objective)]
    assert times == [2, 4, 6, 8, 10, 12]


def test_each_snapshot_is_a_point_of_the_curve(get_data, get_objective):
    data = get_data("simulated", n_images=1, img_size=32)
    kept = (1, 25, 31)
    solver = made(IterativeSolver, iterate=iterations(40), snapshots=kept)
    points = {row["stop_val"] for row in curve_of(solver, data, get_objective)}
    assert points.issuperset(kept)
    assert tuple(solver.get_result()["snapshots"]) == kept


def test_times_never_go_back(clock, get_data, get_objective):
    def iterate(self, y, physics):
        def make(seconds):
            clock.pause(seconds)
            return y

        yield lambda: make(9)
        yield lambda: make(0)

    data = get_data("simulated", n_images=1, img_size=32)
    first, last = curve_of(made(IterativeSolver, iterate=iterate), data, get_objective)
    assert first["time"] == last["time"] == 9


# Dictionaries


def test_sparse_coding_is_timed(clock, get_data, get_objective, monkeypatch):
    def slow(y, dictionary, *args, **kwargs):
        clock.pause(3)
        return y.new_zeros(len(y), dictionary.shape[1])

    monkeypatch.setattr(dictionary_solver, "sparse_code", slow)
    dataset, parameters = DATA["vectors"]
    data = get_data(dataset, **parameters)
    for name in ("Dictionary oracle", "Dictionary supervised", "Dictionary learning"):
        options = {n: v for n, v in FEW.items() if n in SOLVERS[name].parameters}
        solver = SOLVERS[name].get_instance(**options)
        rows = curve_of(solver, data, get_objective)
        # Two operators, two codings; those of the points before are not in it.
        assert [row["time"] for row in rows] == [6] * len(rows)


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
