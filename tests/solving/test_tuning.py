"""Tuning maximises the PSNR on training images, and solvers use what it found."""

import subprocess
import sys

import pytest
import yaml
from benchopt.benchmark import Benchmark
from conftest import ROOT

from benchmark_utils.common import device
from benchmark_utils.solving import tuned
from tools import tune


@pytest.fixture
def tuned_file(tmp_path, monkeypatch):
    """An empty tuned.yml, in place of the committed one."""
    path = tmp_path / "tuned.yml"
    monkeypatch.setattr(tuned, "TUNED_FILE", path)
    monkeypatch.setattr(tune, "TUNED_FILE", path)
    tuned.read_tuned.cache_clear()
    yield path
    tuned.read_tuned.cache_clear()


@pytest.fixture
def main(monkeypatch, tuned_file):
    """main(*arguments): what the command leaves in tuned.yml, from the empty one."""

    def main(*arguments):
        monkeypatch.setattr(sys, "argv", ["tune.py", *arguments])
        tuned.read_tuned.cache_clear()
        tune.main()
        return yaml.safe_load(tuned_file.read_text())

    return main


def tune_tv(trials):
    benchmark = Benchmark(ROOT)
    [(dataset_class, _)] = benchmark.check_dataset_patterns(["simulated"])
    [(solver_class, _)] = benchmark.check_solver_patterns(["TV"])
    dataset = dataset_class.get_instance(problem="denoising")
    return tune.tune(solver_class, {"n_iter": 50}, dataset, trials)


def test_tuning_is_reproducible_and_beats_the_default_value():
    key, entry = tune_tv(trials=8)
    assert key == "TV"
    assert tune_tv(trials=8) == (key, entry)
    _, default_only = tune_tv(trials=1)
    assert entry["score"] > default_only["score"] + 0.5
    assert entry["trials"] == 8
    assert entry["data"] == ["train0", "train1"]
    assert entry["dataset"] == "simulated[problem=denoising]"
    assert entry["numbers"] == {"n_iter": 50}
    assert entry["device"] == device.resolved("auto").type


def test_a_device_that_is_not_there_is_refused(main):
    with pytest.raises(SystemExit, match="device must be auto, cpu, cuda"):
        main("-d", "simulated", "-s", "TV", "--device", "gpu")


def test_methods_that_learn_are_scored_on_images_they_have_not_seen():
    benchmark = Benchmark(ROOT)
    [(dataset_class, _)] = benchmark.check_dataset_patterns(["simulated"])
    [(solver_class, _)] = benchmark.check_solver_patterns(["CDL supervised"])
    dataset = dataset_class.get_instance(problem="inpainting")
    options = {"n_steps": 3, "n_atoms": 4, "atom_size": 4, "n_iter": 10}
    _, entry = tune.tune(solver_class, options, dataset, trials=2)
    assert entry["data"] == ["train1"]
    learned_from = [
        name for batch in dataset.get_data()["train"] for name in batch.names
    ]
    assert learned_from == ["train0"]


def test_tuned_values_are_used_by_default_and_explicit_ones_override(tuned_file):
    entry = {"parameters": {"reg": 0.123}, "score": 1.0}
    tune.save("simulated", "denoising", "TV", entry)
    benchmark = Benchmark(ROOT)
    [(solver_class, _)] = benchmark.check_solver_patterns(["TV"])
    [(dataset_class, _)] = benchmark.check_dataset_patterns(["simulated"])
    dataset = dataset_class.get_instance()
    tune.RunContext().set_run_context("o", dataset, "s", repetition=0, base_seed=0)
    data = {**dataset.get_data(), "device": "cpu"}
    solver = solver_class.get_instance()
    assert solver.skip(**data) == (False, None)
    assert solver.reg == 0.123
    explicit = solver_class.get_instance(reg=0.5)
    explicit.skip(**data)
    assert explicit.reg == 0.5


def test_what_was_not_tuned_borrows_the_nearest_values(tuned_file):
    for value, dataset, key in [(1, "bsd", "PnP[denoiser=a]"), (2, "natural", "TV")]:
        entry = {"parameters": {"reg": value}, "score": 1.0}
        tune.save(dataset, "sr4", key, entry)
    assert tuned.tuned_parameters("set3c", "sr4", "PnP[denoiser=b]") == {"reg": 1}
    assert tuned.tuned_parameters("bsd", "sr4", "TV") == {"reg": 2}
    assert tuned.tuned_parameters("bsd", "denoising", "TV") == {}
    assert tuned.tuned_parameters("bsd", "sr4", "PnP-HQS") == {}


def test_options_that_were_not_tuned_borrow_from_the_same_prior(tuned_file):
    keys = [
        "FiRe[average=True,networks=compact,priors=deblur]",
        "FiRe[average=True,networks=compact,priors=sr2]",
        "FiRe[average=False,networks=compact,priors=sr2]",
    ]
    for value, key in enumerate(keys):
        tune.save("bsd", "sr4", key, {"parameters": {"lambda_": value}})

    def borrowed(key):
        return tuned.tuned_parameters("bsd", "sr4", key)

    published = "FiRe[average={},networks=published,priors=sr2]"
    assert borrowed(published.format(True)) == {"lambda_": 1}
    assert borrowed(published.format(False)) == {"lambda_": 2}
    assert borrowed("FiRe[average=True,networks=compact,priors=deblur+sr2]") == {}


def test_saving_keeps_the_entries_of_others(tuned_file):
    for key in ("A", "B"):
        tune.save("data", "sr4", key, {"parameters": {}, "score": 0.0})
    assert set(yaml.safe_load(tuned_file.read_text())["data"]["sr4"]) == {"A", "B"}


TUNE_TV = ("-s", "TV[n_iter=3]", "--trials", "1")


@pytest.mark.parametrize(
    "other",
    [
        ("-d", "simulated[img_size=16]", *TUNE_TV),
        ("-d", "simulated[n_images=1]", *TUNE_TV),
        ("-d", "simulated", *TUNE_TV, "--trials", "2"),
        ("-d", "simulated", "-s", "TV", "--trials", "1"),
    ],
    ids=["size", "images", "trials", "numbers"],
)
def test_what_was_tuned_otherwise_is_replaced_on_demand_alone(other, main, monkeypatch):
    before = main("-d", "simulated", *TUNE_TV)
    assert main("-d", "simulated", *TUNE_TV)["simulated"]["denoising"]["TV"]
    with monkeypatch.context() as patch, pytest.raises(SystemExit) as stop:
        patch.setattr(tune, "tune", None)
        main(*other)
    said = str(stop.value)
    assert "TV was tuned otherwise for denoising" in said and "--replace" in said
    assert "images: 2, trials: 1, given: n_iter" in said
    [after] = main(*other, "--replace")["simulated"]["denoising"].values()
    assert after != before["simulated"]["denoising"]["TV"]


def test_images_that_are_not_there_are_said(main):
    with pytest.raises(SystemExit, match="n_images must be a whole number"):
        main("-d", "simulated[n_images=two]", *TUNE_TV)


PNP = "PnP-HQS[denoiser=tv,n_iter=2,reg=0.3]"


def test_a_hyper_parameter_that_is_given_is_not_tuned(main, monkeypatch):
    seen = []

    def mean_psnr(solver, data, batches):
        seen.append(solver._parameters)
        return float(len(seen))

    monkeypatch.setattr(tune, "mean_psnr", mean_psnr)
    arguments = ("-d", "simulated", "--trials", "3", "-s")
    [entry] = main(*arguments, PNP)["simulated"]["denoising"].values()
    assert {parameters["reg"] for parameters in seen} == {0.3}
    assert len({parameters["sigma_end"] for parameters in seen}) == 3
    assert entry["fixed"] == ["reg"]
    assert entry["parameters"]["reg"] == 0.3
    assert entry["parameters"]["sigma_end"] == seen[-1]["sigma_end"]
    with pytest.raises(SystemExit, match=r"given: reg.*--replace"):
        main(*arguments, PNP.replace(",reg=0.3", ""))


@pytest.mark.parametrize(
    "gamma, recorded",
    [("1.0", [1, 1]), ("'0.2+0.7'", [0.2, 0.7]), ("[[0.2, 0.7]]", [0.2, 0.7])],
)
def test_a_given_value_is_recorded_as_those_that_are_tuned(
    gamma, recorded, main, monkeypatch
):
    monkeypatch.setattr(tune, "mean_psnr", lambda *arguments: 1.0)
    solver = f"FiRe-HQS[priors='denoiser+sr2',gamma={gamma}]"
    arguments = ("-d", "simulated", "--trials", "1", "-s", solver)
    [entry] = main(*arguments)["simulated"]["denoising"].values()
    assert entry["parameters"]["gamma"] == recorded


@pytest.mark.parametrize(
    "solver, reason",
    [
        ("TV[reg=0.1]", "Every hyper-parameter of TV is given"),
        ("PnP-HQS[reg=low]", "reg must be a number, not 'low'"),
        (
            "FiRe-HQS[priors='denoiser+sr2',gamma='0.1+0.2+0.3']",
            "gamma must be a number, or 2 of them, not '0.1",
        ),
    ],
)
def test_given_values_that_leave_nothing_to_tune_are_said(solver, reason, main):
    with pytest.raises(SystemExit) as stop:
        main("-d", "simulated", "-s", solver)
    assert reason in str(stop.value)


def test_every_committed_value_lies_in_its_search_space():
    benchmark = Benchmark(ROOT)
    spaces = {solver.name: solver.search_space for solver in benchmark.get_solvers()}
    entries = [
        (key, entry)
        for problems in tuned.read_tuned().values()
        for solvers in problems.values()
        for key, entry in solvers.items()
    ]
    assert entries
    for key, entry in entries:
        space = spaces[key.split("[")[0]]
        assert set(entry["parameters"]) == set(space)
        for name, values in entry["parameters"].items():
            for value in values if isinstance(values, list) else [values]:
                assert space[name].low * 0.99 <= value <= space[name].high * 1.01


# They take minutes for a photograph, and were tuned on 64x64 crops.
SLOW = ("CDL", "CDL supervised")


def test_all_solvers_had_the_same_trials_on_the_same_images_of_a_problem():
    for problems in tuned.read_tuned().values():
        for solvers in problems.values():
            assert len({entry["trials"] for entry in solvers.values()}) == 1
            shared = [e for key, e in solvers.items() if key.split("[")[0] not in SLOW]
            assert len({(e["dataset"], *e["data"]) for e in shared}) == 1


def test_a_dataset_without_images_is_told_in_one_sentence(main):
    with pytest.raises(SystemExit, match="patches has no images: tuning is for"):
        main("-d", "patches", "-s", "TV")


def test_a_solver_with_nothing_to_tune_is_told_in_one_sentence():
    command = [sys.executable, str(ROOT / "tools" / "tune.py")]
    command += ["-d", "simulated", "-s", "Denoiser"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "Denoiser has no search_space: nothing to tune." in done.stderr
