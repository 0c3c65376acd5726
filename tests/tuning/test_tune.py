"""tools/tune.py makes the entries of tuned.yml that are missing or old, no others."""

import subprocess
import sys

import pytest
import torch
import yaml
from conftest import BENCHMARK, ROOT

from benchmark_utils.common import device
from benchmark_utils.solving import networks, tuned
from benchmark_utils.tuning import Job, TrainingData, job, report, search
from tools import tune


@pytest.fixture
def main(monkeypatch, tuned_file, tmp_path):
    """main(*arguments): what the command leaves in tuned.yml, from the empty one."""
    for name in ("TRIALS", "TRIALS_PER_VALUE"):
        monkeypatch.setattr(search, name, 2)

    def main(*arguments):
        folder = str(tmp_path / "trials")
        arguments = ["tune.py", "--device", "cpu", "--trials-in", folder, *arguments]
        monkeypatch.setattr(sys, "argv", arguments)
        tune.main()
        return yaml.safe_load(tuned.TUNED_FILE.read_text())

    return main


@pytest.fixture
def curves(monkeypatch):
    """The values that were tried, the first one the best: nothing is run."""
    seen = []

    def curve(self, values):
        seen.append(values)
        return [-len(seen)]

    monkeypatch.setattr(Job, "curve", curve)
    return seen


TV = ("-d", "simulated", "-s", "TV[n_iter=3]")
PNP = ("-d", "simulated", "-s", "PnP-ADMM[denoiser=compact]")


def only(entries, problem="denoising"):
    [entry] = entries["simulated"][problem].values()
    return entry


def test_an_entry_carries_all_that_made_it(main, capsys):
    entries = main(*TV)
    assert list(entries["simulated"]["denoising"]) == ["TV[n_iter=3]"]
    entry = only(entries)
    assert set(entry["parameters"]) == {"reg"}
    assert entry["score"] > 15
    assert (entry["protocol"], entry["trials"], entry["device"]) == (2, 4, "cpu")
    assert entry["data"] == ["train0 32x32+0+0", "train1 32x32+0+0"]
    assert entry["dataset"] == "simulated[problem=denoising]"
    assert set(entry["versions"]) == {"torch", "deepinv"}
    assert entry["seconds"] >= 0 and entry["seed"] > 0 and len(entry["code"]) == 12
    assert len(entry["ranges"]["reg"]) == 2
    said = capsys.readouterr().out
    assert "there are 2 training signals, and should be 10" in said
    assert "1 searches: about" in said and "trial 4 of 4:" in said


def test_methods_without_networks_have_no_precision(main, curves):
    assert "precision" not in only(main(*TV, "--bfloat16"))


def test_a_solver_with_networks_says_which(main, curves):
    [(name, digest)] = only(main(*PNP))["networks"].items()
    assert name == "compact_denoiser.safetensors" and len(digest) == 12


@pytest.mark.parametrize("slowness", [0.3, 9.6])
def test_a_processor_that_is_slow_in_bfloat16_is_said(
    slowness, main, curves, monkeypatch, capsys
):
    monkeypatch.setattr(tune, "slowness_of_bfloat16", lambda device: slowness)
    main(*PNP, "--bfloat16")
    said = "Here, bfloat16 is 10 times slower: leave it out." in capsys.readouterr().out
    assert said == (slowness > 1)


def test_the_slowness_of_bfloat16_is_measured():
    assert 0.01 < tune.slowness_of_bfloat16(torch.device("cpu")) < 1000


@pytest.mark.parametrize(
    "options, name", [((), "float32"), (["--bfloat16"], "bfloat16")]
)
def test_networks_tune_in_the_precision_that_is_asked_for(
    options, name, main, monkeypatch
):
    seen = set()
    load = networks.load_denoiser

    def spied(*args):
        denoiser = load(*args)
        seen.add(denoiser.precision)
        return denoiser

    monkeypatch.setattr(networks, "load_denoiser", spied)
    short = ("-s", "PnP-ADMM[denoiser=compact,n_iter=2]")
    assert only(main(*PNP[:2], *short, *options))["precision"] == name
    assert seen == {getattr(torch, name)}


def test_tuning_is_reproducible_and_beats_the_default_value(main, tmp_path):
    entry = only(main(*TV))
    (tmp_path / "tuned.yml").unlink()
    again = only(main(*TV, "--trials-in", str(tmp_path / "elsewhere")))
    different = {n for n in entry if entry[n] != again[n]}
    assert different <= {"seconds"}


def test_what_is_up_to_date_is_not_tuned_again_unless_asked_for(main, curves, capsys):
    first = main(*TV)
    n_trials = len(curves)
    assert main(*TV) == first and len(curves) == n_trials
    assert "TV[n_iter=3]: up to date" in capsys.readouterr().out
    main(*TV, "--replace")
    # The trials are the same, and are kept.
    assert "replaced on demand" in capsys.readouterr().out


def change(tuned_file, entries, **changes):
    for name, value in changes.items():
        if value is None:
            del only(entries)[name]
        else:
            only(entries)[name] = value
    tuned_file(entries)


@pytest.mark.parametrize(
    "changes, reason",
    [
        ({"networks": {"compact_denoiser.safetensors": "0" * 12}}, "other networks"),
        ({"networks": None}, "other networks"),
        ({"protocol": None}, "an older protocol"),
        ({"ranges": {"sigma": [1, 2]}}, "another search space"),
    ],
)
def test_an_entry_of_other_networks_protocol_or_ranges_is_replaced_by_itself(
    changes, reason, main, curves, tuned_file, capsys
):
    entries = main(*PNP)
    change(tuned_file, entries, **changes, parameters={"sigma": 9})
    replaced = only(main(*PNP))
    assert f"an entry of {reason}" in capsys.readouterr().out
    assert replaced["parameters"] != {"sigma": 9}
    assert replaced["networks"] != {"compact_denoiser.safetensors": "0" * 12}


def test_complex_images_are_tuned_by_their_magnitudes_as_they_are_scored(
    main, tuned_file, capsys, monkeypatch
):
    of_magnitudes = []
    monkeypatch.setattr(
        job.metrics, "psnr", lambda x, truth: of_magnitudes.append(x) or torch.ones(1)
    )
    mri = ("-d", "brain[img_size=32,n_train=1]", "-s", "TV[n_iter=2]")
    entries = main(*mri)
    assert {x.shape[1] for x in of_magnitudes} == {1}
    [entry] = entries["brain"]["mri"].values()
    assert entry.pop("scored") == "magnitudes"
    tuned_file(entries)
    main(*mri)
    assert "an entry of another score" in capsys.readouterr().out
    # The trials of another score count for nothing.
    n_scored = len(of_magnitudes)
    monkeypatch.setattr(Job, "_what_is_scored", lambda self: "phases")
    main(*mri)
    assert len(of_magnitudes) > n_scored


def test_a_schedule_from_before_its_lengths_shared_the_trials_is_tuned_anew(
    main, curves, tuned_file, capsys
):
    of_schedule = (*PNP[:2], "-s", "PnP-HQS")
    entries = main(*of_schedule)
    assert only(entries)["protocol"] == 3
    change(tuned_file, entries, protocol=2)
    assert only(main(*of_schedule))["protocol"] == 3
    assert "an entry of an older protocol" in capsys.readouterr().out


def test_other_networks_are_searched_anew(main, curves, monkeypatch):
    main(*PNP)
    n_trials = len(curves)
    monkeypatch.setattr(job.Job, "__init__", with_other_networks(job.Job.__init__))
    assert only(main(*PNP))["networks"] == {"other": "1"}
    assert len(curves) == 2 * n_trials


def with_other_networks(init):
    def changed(self, *args):
        init(self, *args)
        self.networks = {"other": "1"}

    return changed


def test_what_was_tuned_on_other_data_is_replaced_on_demand_alone(main, curves, capsys):
    before = main(*TV)
    other = ("-d", "simulated[n_images=1]", *TV[2:])
    assert main(*other) == before
    n_trials = len(curves)
    said = capsys.readouterr().out
    assert "kept, though of 2 other signals of simulated[problem=denoising]" in said
    assert len(only(main(*other, "--replace"))["data"]) == 1
    # The trials on other data count for nothing.
    assert len(curves) == 2 * n_trials


def test_methods_without_anything_to_tune_have_entries_that_say_so(main, curves):
    given = "TV[reg=0.3,n_iter=3]"
    names = ["Initial guess", "Denoiser[denoiser=tv]", given]
    command = [part for name in names for part in ("-s", name)]
    entries = main("-d", "simulated", *command)["simulated"]["denoising"]
    assert set(entries) == {*names[:2], "TV[n_iter=3,reg=0.3]"}
    for entry in entries.values():
        assert (entry["parameters"], entry["note"]) == ({}, "nothing to tune")
    assert not curves
    dictionaries = main(
        *("-d", "patches[n_signals=20,n_train=20]"),
        *("-s", "Dictionary learning", "-s", "Dictionary supervised"),
    )
    assert len(dictionaries["patches"]["masks"]) == 2


def test_strengths_have_entries_of_their_own(main, curves):
    strengths = "simulated[problem=inpainting,missing=[0.5,0.8],noise_level=0.05]"
    entries = main("-d", strengths, *TV[2:])["simulated"]
    noise = "noise_level=0.05"
    assert set(entries) == {
        f"inpainting[{noise}]",
        f"inpainting[missing=0.8,{noise}]",
    }


def test_all_the_runs_of_a_config_are_tuned(main, curves, tmp_path, capsys):
    config = tmp_path / "config.yml"
    config.write_text(
        yaml.safe_dump(
            {
                "dataset": [{"simulated": {"problem": ["denoising", "inpainting"]}}],
                "solver": ["Denoiser[denoiser=tv]", {"TV": {"n_iter": [3, 4]}}],
                "output": "none",
            }
        )
    )
    entries = main("--config", str(config))["simulated"]
    both = {"TV[n_iter=3]", "TV[n_iter=4]"}
    assert set(entries["inpainting"]) == both
    assert set(entries["denoising"]) == both | {"Denoiser[denoiser=tv]"}
    said = capsys.readouterr().out
    assert "Denoiser[denoiser=tv]: left out. A denoiser alone solves the den" in said
    assert "4 searches" in said


def test_a_command_that_was_stopped_goes_on(main, monkeypatch, capsys, tmp_path):
    values = only(main(*TV, "--trials-in", str(tmp_path / "whole")))["parameters"]
    (tmp_path / "tuned.yml").unlink()
    tuned.read_tuned.cache_clear()
    capsys.readouterr()
    curve, seen = Job.curve, []

    def stopping(self, values):
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(values)
        return curve(self, values)

    with monkeypatch.context() as patch:
        patch.setattr(Job, "curve", stopping)
        with pytest.raises(SystemExit, match="the same command goes on from here"):
            main(*TV)
    assert "trial 2 of 4" in capsys.readouterr().out
    assert only(main(*TV))["parameters"] == values
    said = capsys.readouterr().out
    assert "trial 3 of 4" in said and "trial 2 of 4" not in said


def test_solvers_and_problems_have_seeds_of_their_own():
    def seed(name, problem):
        [dataset] = BENCHMARK.check_dataset_patterns(["simulated"], class_only=True)
        [solver] = BENCHMARK.check_solver_patterns([name], class_only=True)
        data = TrainingData(dataset.get_instance(problem=problem))
        return Job(data, solver, {}, device.resolved("cpu"), None).seed

    names, problems = ("TV", "Wavelets", "PnP-HQS"), ("denoising", "sr4")
    seeds = {seed(name, problem) for name in names for problem in problems}
    assert len(seeds) == 6
    assert seed("TV", "sr4") == seed("TV", "sr4")


def test_images_that_are_not_there_are_asked_for_once(main, monkeypatch, capsys):
    asked = []

    def load(self, split):
        asked.append(split)
        raise FileNotFoundError(2, "not there", "images")

    [dataset] = BENCHMARK.check_dataset_patterns(["simulated"], class_only=True)
    monkeypatch.setattr(dataset, "load", load)
    monkeypatch.setattr(tune, "Benchmark", lambda root: BENCHMARK)
    monkeypatch.setattr(BENCHMARK, "get_datasets", lambda: [dataset])
    with pytest.raises(SystemExit, match="no solver applies"):
        main(*TV, "-s", "Wavelets", "-s", "Initial guess")
    assert asked == ["train"]
    said = capsys.readouterr().out
    assert said.count("simulated denoising: left out. The dataset simulated reads") == 1


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        ((*TV, "--device", "gpu"), "device must be auto, cpu, cuda"),
        (("-d", "simulated", "-s", "Tv2"), "did not match any solver"),
        (("-d", "simulated[n_images=two]", "-s", "TV"), "no solver applies"),
        (("-d", "patches[n_signals=9,n_train=9]", "-s", "TV"), "no solver applies"),
        (("-d", "simulated", "-s", "PnP-HQS[reg=low]"), "no solver applies"),
    ],
)
def test_what_cannot_be_tuned_is_said_in_a_sentence(arguments, sentence, main, curves):
    with pytest.raises(SystemExit, match=sentence):
        main(*arguments)


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (("-d", "simulated"), "give datasets (-d) and solvers (-s), or a --config"),
        (("--config", "none.yml"), "none.yml is not there."),
        ((*TV, "--file", "none/tuned.yml"), "none is not there."),
    ],
)
def test_a_command_that_lacks_something_is_told_what(
    arguments, sentence, main, curves, capsys
):
    with pytest.raises(SystemExit):
        main(*arguments)
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    "solver, reason",
    [
        ("PnP-HQS[reg=low]", "reg must be a number above 0, not 'low'"),
        (
            "FiRe-HQS[priors='denoiser+sr2',gamma='0.1+0.2+0.3']",
            "gamma must be a number, or 2 of them, not '0.1",
        ),
    ],
)
def test_given_values_that_are_none_are_said(solver, reason, main, curves, capsys):
    with pytest.raises(SystemExit):
        main("-d", "simulated", "-s", solver)
    assert reason in capsys.readouterr().out


def test_a_search_that_always_diverges_writes_nothing(main, monkeypatch, capsys):
    monkeypatch.setattr(Job, "curve", lambda self, values: [float("nan")])
    with pytest.raises(FileNotFoundError):
        main(*TV)
    assert "every trial diverged; nothing is written" in capsys.readouterr().out


def test_a_random_solver_makes_the_same_draws_whatever_its_values(
    solver_file, tuned_file, tmp_path
):
    body = """
parameters = {"reg": ["tuned"], "n_iter": ["tuned"]}
from benchmark_utils.solving import Iterations, Range
search_space = {"reg": Range(0.1, 1.0, 0.5), "n_iter": Iterations(2, 4)}
def iterate(self, y, physics):
    for i in range(self.n_iter):
        yield y + 0.1 * torch.randn(y.shape, generator=self.generator)
"""
    [(solver_class, _)] = BENCHMARK.check_solver_patterns([str(solver_file("R", body))])
    [dataset] = BENCHMARK.check_dataset_patterns(["simulated"], class_only=True)
    data = TrainingData(dataset.get_instance(problem="denoising"))
    made = Job(data, solver_class, {}, device.resolved("cpu"), tmp_path)
    made.search()
    first, second = (made.curve({"reg": r, "n_iter": 4}) for r in (0.2, 0.8))
    assert len(first) == 4 and first == second


def test_the_report_counts_what_is_wrong(tuned_file):
    range_ = {"ranges": {"reg": [0.01, 1.0]}, "protocol": 2}
    default = 0.2
    tuned_file(
        {
            "a": {
                "sr4": {
                    "TV[n_iter=3]": {
                        "parameters": {"reg": 1.0},
                        "seconds": 5,
                        **range_,
                    },
                    "TV[n_iter=4]": {
                        "parameters": {"reg": 1.0},
                        "seconds": 6,
                        **range_,
                    },
                    "TV[n_iter=5]": {
                        "parameters": {"reg": 0.9},
                        **range_,
                        "widened": {"reg": [0.01, 10.0]},
                    },
                    "TV": {"parameters": {"reg": default}},
                    "Initial guess": {
                        "parameters": {},
                        "note": "nothing to tune",
                        "protocol": 2,
                    },
                },
                "mri": {
                    "Wavelets": {"parameters": {"reg": 0.7}, **range_},
                    "Pseudo-inverse": {
                        "parameters": {"reg": 0.7},
                        "scored": "magnitudes",
                        **range_,
                    },
                },
            }
        }
    )
    lines = report(BENCHMARK.get_solvers())
    assert lines == [
        "7 entries, 1 of them with nothing to tune.",
        "2 of 6 tuned values are on a bound (33%).",
        "  a sr4 TV[n_iter=3]: reg=1.0",
        "  a sr4 TV[n_iter=4]: reg=1.0",
        "1 entries are the untouched default.",
        "  a sr4 TV",
        "1 groups of entries of one solver and problem have one optimum.",
        "  a sr4: TV[n_iter=3], TV[n_iter=4]",
        "1 entries are of an older protocol.",
        "  a sr4 TV",
        "1 entries are of another score, and not of magnitudes.",
        "  a mri Wavelets",
        "11 seconds of tuning; 4 entries do not say theirs.",
    ]


def test_the_command_says_what_it_is_for():
    command = [sys.executable, str(ROOT / "tools" / "tune.py"), "--report"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 and "seconds of tuning" in done.stdout
