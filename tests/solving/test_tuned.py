"""Solvers use the values that were tuned, and say where they are from."""

import pytest
from conftest import BENCHMARK

from benchmark_utils.solving import tuned
from benchmark_utils.solving.search import Choice, Iterations, Range
from benchmark_utils.tuning.job import PROTOCOL, protocol_of


def entry(value, **others):
    return {"parameters": {"reg": value}, "score": 1.0, **others}


@pytest.fixture
def solver(get_data):
    """solver(name, data: the parameters of the dataset, **options): after ``skip``."""

    def make(name="TV", data=None, **options):
        [found] = BENCHMARK.check_solver_patterns([name], class_only=True)
        made = found.get_instance(**options)
        made.received = {**get_data("simulated", **(data or {})), "device": "cpu"}
        assert made.skip(**made.received) == (False, None)
        return made

    return make


def test_tuned_values_are_used_by_default_and_explicit_ones_override(
    solver, tuned_file
):
    tuned_file({"simulated": {"denoising": {"TV": entry(0.123)}}})
    found, given = solver(), solver(reg=0.5)
    assert (found.reg, found.values) == (0.123, {"reg": 0.123})
    assert (given.reg, given.values) == (0.5, {"reg": 0.5})
    assert (found.values_from, given.values_from) == ("tuned", "given")


def test_without_an_entry_the_values_are_the_default(solver, tuned_file):
    found = solver()
    assert found.values == {n: s.default for n, s in found.search_space.items()}
    assert found.values_from == "default"


def test_results_carry_the_values_and_where_they_are_from(
    solver, tuned_file, get_objective
):
    tuned_file({"simulated": {"denoising": {"Pseudo-inverse": entry(0.02)}}})
    found = solver("Pseudo-inverse")
    found._run_context = None
    found.get_seed = lambda **kwargs: 0
    found.set_objective(**found.received)
    found.pre_run_hook(None)
    found.run(lambda: True)
    result = found.get_result()
    assert (result["values"], result["values_from"]) == ({"reg": 0.02}, "tuned")
    data = {k: v for k, v in found.received.items() if k != "device"}
    assert get_objective(data).evaluate_result(**result)["psnr"] > 10


@pytest.mark.parametrize(
    "strengths, value, values_from",
    [
        ({}, 1, "tuned"),
        ({"missing": 0.5}, 1, "tuned"),
        ({"missing": 0.8}, 2, "tuned"),
        ({"missing": 0.7}, 2, "borrowed from simulated inpainting[missing=0.8]"),
        ({"missing": 0.3}, 1, "borrowed from simulated inpainting"),
        ({"noise_level": 0.05}, 3, "tuned"),
        ({"noise_level": 0.2}, 3, "tuned"),
        ({"noise_level": 0.011}, 1, "tuned"),
        ({"noise_level": 0.05, "missing": 0.8}, 2, "tuned"),
        ({"noise": "poisson"}, 1, "borrowed from simulated inpainting"),
    ],
)
def test_strengths_have_entries_of_their_own_or_borrow_the_nearest(
    strengths, value, values_from, solver, tuned_file
):
    problems = {
        "inpainting": {"TV": entry(1)},
        "inpainting[missing=0.8]": {"TV": entry(2)},
        "inpainting[noise_level=0.05]": {"TV": entry(3)},
    }
    tuned_file({"natural": {"inpainting": {"TV": entry(4)}}, "simulated": problems})
    found = solver(data={"problem": "inpainting", **strengths})
    assert (found.reg, found.values_from) == (value, values_from)


def test_another_strength_of_the_same_dataset_is_nearer_than_another_dataset(
    tuned_file,
):
    sr4 = {"natural": {"sr4[factor=2]": {"TV": entry(1)}, "sr4": {"TV": entry(2)}}}
    tuned_file({"bsd": {"sr4[factor=3]": {"TV": entry(3)}}, **sr4})
    nearest = tuned.tuned_parameters(
        "natural", "sr4[factor=3]", "TV", defaults={"factor": 4}
    )
    assert nearest == ({"reg": 2}, "borrowed from natural sr4")
    nearest = tuned.tuned_parameters("set3c", "sr4", "TV")
    assert nearest == ({"reg": 3}, "borrowed from bsd sr4[factor=3]")
    assert tuned.tuned_parameters("bsd", "denoising", "TV") == ({}, "default")
    assert tuned.tuned_parameters("bsd", "sr4", "PnP-HQS") == ({}, "default")


def test_options_that_were_not_tuned_borrow_from_the_same_prior(tuned_file):
    keys = [
        "FiRe[average=True,networks=compact,priors=deblur]",
        "FiRe[average=True,networks=compact,priors=sr2]",
        "FiRe[average=False,networks=compact,priors=sr2]",
        "FiRe[average=False,n_iter=8,networks=compact,priors=sr2]",
    ]
    tuned_file({"bsd": {"sr4": {key: entry(i) for i, key in enumerate(keys)}}})

    def borrowed(key):
        return tuned.tuned_parameters("bsd", "sr4", key)

    for i, options in [
        (1, "average=True,networks=published"),
        (2, "average=False,networks=published"),
        (3, "average=False,n_iter=8,networks=published"),
    ]:
        source = f"borrowed from bsd sr4, {keys[i]}"
        assert borrowed(f"FiRe[{options},priors=sr2]") == ({"reg": i}, source)
        assert borrowed(keys[i]) == ({"reg": i}, "tuned")
    assert borrowed("FiRe[average=True,priors=deblur+sr2]") == ({}, "default")


def test_the_name_of_a_solver_holds_all_that_is_given():
    def key(name, **options):
        [found] = BENCHMARK.check_solver_patterns([name], class_only=True)
        return tuned.solver_key(found.get_instance(**options))

    assert key("TV") == "TV"
    assert key("TV", n_iter=50, step=1.0) == "TV[n_iter=50,step=1]"
    assert key("TV", n_iter=200, step=0.02) == "TV"
    assert key("TV", reg=0.25) == "TV[reg=0.25]"
    assert key("PnP-ADMM", denoiser="tv") == "PnP-ADMM[denoiser=tv]"
    fire = key("FiRe-HQS", priors="denoiser+sr2", gamma=[0.5, 0.25])
    assert "gamma=0.5+0.25" in tuned.parse_key(fire)[1]


def test_values_tuned_with_other_networks_are_borrowed(solver, tuned_file):
    pnp = solver("PnP-ADMM")
    networks, key = pnp.weights({3}), "PnP-ADMM[denoiser=compact]"
    assert list(networks) == ["compact_denoiser.safetensors"]
    assert (
        list(pnp.weights({1})) == list(pnp.weights({2})) == ["compact_grey.safetensors"]
    )
    assert {*pnp.weights({1, 3})} == {*pnp.weights()} == {*networks, *pnp.weights({1})}
    values = {name: space.default for name, space in pnp.search_space.items()}
    other = "borrowed from simulated denoising, other networks"
    for known, source in [
        (networks, "tuned"),
        (dict.fromkeys(networks, "0" * 12), other),
        ({}, other),
    ]:
        found = {"parameters": values, "networks": known}
        tuned_file({"simulated": {"denoising": {key: found}}})
        assert solver("PnP-ADMM").values_from == source


def test_an_entry_that_lacks_a_value_leaves_it_at_its_default(solver, tuned_file):
    key = "PnP-ADMM[denoiser=tv]"
    tuned_file({"simulated": {"denoising": {key: {"parameters": {"sigma": 0.1}}}}})
    found = solver("PnP-ADMM", denoiser="tv")
    others = [name for name in found.search_space if name != "sigma"]
    assert found.sigma == 0.1
    for name in others:
        assert found.values[name] == found.search_space[name].default
    said = f"borrowed from simulated denoising, default {' and '.join(others)}"
    assert found.values_from == said


def test_a_change_of_an_entry_counts_for_those_who_use_it_alone(tuned_file):
    patches, random = "CDL[init=patches]", "CDL[init=random]"
    entries = {patches: entry(1), random: entry(2), "TV": entry(3)}

    def states(sr4, others=None):
        tuned_file({"bsd": {"sr4": sr4, "sr4[factor=2]": others or {}}})
        return [tuned.tuned_state(key) for key in (patches, random, "TV", "TV[step=1]")]

    before = states(entries)

    def changed(*after):
        return [old != new for old, new in zip(before, states(*after))]

    assert changed(entries) == [False, False, False, False]
    assert changed({**entries, patches: entry(5)}) == [True, False, False, False]
    assert changed({**entries, "TV": entry(5)}) == [False, False, True, True]
    assert changed({**entries, "TV[step=1]": entry(5)}) == [False, False, False, True]
    assert changed(entries, {"TV": entry(5)}) == [False, False, True, True]
    networks = {**entries, patches: entry(1, networks={"a.safetensors": "1"})}
    assert changed(networks) == [True, False, False, False]
    noted = {**entries, "TV": entry(3, seconds=8, date="today")}
    assert changed(noted) == [False, False, False, False]


SPACES = {s.name: s.search_space for s in BENCHMARK.get_solvers()}


def committed():
    return [
        (key, entry)
        for problems in tuned.read_tuned().values()
        for solvers in problems.values()
        for key, entry in solvers.items()
    ]


def test_every_committed_value_lies_in_its_search_space():
    assert committed()
    for key, entry in committed():
        name, options = tuned.parse_key(key)
        given = {option.split("=")[0] for option in options}
        space = {n: s for n, s in SPACES[name].items() if n not in given}
        if entry.get("protocol") == protocol_of(space):
            assert set(entry["parameters"]) == set(space)
        for parameter, values in entry["parameters"].items():
            known, wider = space[parameter], entry.get("widened", {})
            for value in values if isinstance(values, list) else [values]:
                if isinstance(known, Range):
                    low, high = wider.get(parameter, (known.low, known.high))
                    assert low * 0.99 <= value <= high * 1.01
                elif isinstance(known, Iterations):
                    assert 1 <= value <= known.maximum
                else:
                    assert isinstance(known, Choice) and value in known.values


# Before the present protocol, they were tuned on crops of their own.
SLOW = {"CDL", "CDL supervised"}
LEARN = {s.name for s in BENCHMARK.get_solvers() if s.learns()}


def test_all_solvers_were_tuned_on_the_same_signals_of_a_problem():
    for problems in tuned.read_tuned().values():
        for solvers in problems.values():
            for is_new, apart in ((True, LEARN), (False, SLOW)):
                signals = {
                    tuple(entry["data"])
                    for key, entry in solvers.items()
                    if tuned.parse_key(key)[0] not in apart
                    and (entry.get("protocol", 0) >= PROTOCOL) == is_new
                    and "data" in entry
                }
                assert len(signals) <= 1


def test_all_solvers_had_as_many_trials_as_they_have_values():
    for key, entry in committed():
        if entry.get("protocol", 0) < PROTOCOL or "trials" not in entry:
            continue
        space = SPACES[tuned.parse_key(key)[0]]
        n_values = sum(
            len(v) if isinstance(v, list) else 1
            for name, v in entry["parameters"].items()
            if not isinstance(space[name], Iterations)
        )
        trials = 10 + 10 * n_values if n_values else 1
        trials += trials // 2 * ("widened" in entry)
        # One more is that of the values that were there before.
        assert entry["trials"] in (trials, trials + 1)
