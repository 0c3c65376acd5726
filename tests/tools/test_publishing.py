"""What is published was made by the present code, or says that it was not."""

import json
import re
from copy import deepcopy

import pandas as pd
import pytest
from benchopt.results import save_results
from conftest import ROOT

from benchmark_utils.common.fingerprint import digest_of_repository
from benchmark_utils.scoring import (
    KEYS,
    decode,
    of_present_code,
    per_image_scores,
    present,
    unpacked,
)
from benchmark_utils.solving import tuned
from tools import publish_results
from tools.build_readme import PAGES
from tools.check_reproducibility import REFERENCE

NOW, OLD = digest_of_repository(), "0123456789ab"


@pytest.fixture(scope="module")
def computed(run):
    """The results of some solvers, whose parameters are not the same."""
    solvers = ["PnP-HQS[denoiser=tv,n_iter=1]", "TV[n_iter=1]", "TV[n_iter=1,reg=0.1]"]
    return run([*solvers, "Initial guess"], ["simulated[n_images=1]"])


@pytest.fixture
def rows(computed):
    return computed.copy()


@pytest.fixture
def publish(tmp_path, monkeypatch):
    """publish(rows, *options): the published table."""
    monkeypatch.setattr(publish_results, "RESULTS", tmp_path / "results")

    def publish(rows, *options):
        (tmp_path / "run.parquet").unlink(missing_ok=True)
        path = save_results(rows, tmp_path / "run.parquet")
        publish_results.main([str(path), "mine", *options])
        return pd.read_parquet(tmp_path / "results" / "mine.parquet")

    return publish


def forget():
    """Digests are found anew."""
    for found in (present.digests_now, present._dataset, present._solver):
        found.cache_clear()


@pytest.fixture
def with_tuned(monkeypatch):
    """with_tuned(entries): as if tuned.yml had these; digests are found anew."""

    def with_tuned(entries):
        monkeypatch.setattr(tuned, "read_tuned", lambda: entries)
        forget()

    yield with_tuned
    forget()


def change_code(rows, solver, code):
    """Results of a solver that other code made; with None, that do not say."""

    def change(kept, name):
        if not isinstance(kept, dict) or not name.startswith(solver):
            return kept
        del (kept := dict(kept))["code"]
        return kept if code is None else kept | {"code": code}

    columns = rows["final_results"], rows["solver_name"]
    return rows.assign(final_results=list(map(change, *columns)))


def test_results_of_the_present_code_are_published(publish, rows):
    table = publish(rows)
    assert list(table["version"]) == [NOW] * 4 and all(of_present_code(table))
    assert list(table["tuned"].isna()) == [False, False, True, True]
    assert all(picture.startswith(b"\x89PNG") for picture in table["reconstruction"])


def test_the_scores_of_each_image_are_published(publish, rows):
    scores = unpacked(publish(rows, "--scores-only")["per_image"])
    pd.testing.assert_frame_equal(scores, per_image_scores(rows))


def test_what_is_known_of_the_run_is_published(publish, rows):
    for text in publish(rows, "--scores-only")["run"]:
        assert {"date", "cpu", "threads", "versions", "values"} <= set(json.loads(text))


def test_where_values_come_from_is_published_where_it_is_known(publish, rows):
    kept = [
        {name: value for name, value in k.items() if name != "run"} if k else None
        for k in rows["final_results"]
    ]
    unknown = rows.assign(final_results=kept)
    assert not {"values_from", "run"} & set(publish(unknown, "--scores-only"))
    kept = [
        k | {"run": '{"values_from": "default"}'} if isinstance(k, dict) else None
        for k in rows["final_results"]
    ]
    table = publish(rows.assign(final_results=kept), "--scores-only")
    assert list(table["values_from"]) == ["default"] * 4


@pytest.mark.parametrize("code", [OLD, None])
def test_results_of_other_code_are_refused_unless_asked_for(
    code, publish, rows, capsys, tmp_path
):
    rows = change_code(rows, "PnP-HQS", code)
    with pytest.raises(SystemExit):
        publish(rows)
    message = " ".join(capsys.readouterr().err.split())
    assert "1 of these 4 results were made by other code" in message
    assert "PnP-HQS[denoiser=tv" in message and "--any-version" in message
    assert not list((tmp_path / "results").glob("*"))
    table = publish(rows, "--any-version")
    assert list(table["version"]) == [code or "unknown"] + [NOW] * 3
    assert of_present_code(table) == [False] + [True] * 3


def test_results_of_a_solver_that_is_not_here_are_refused(publish, rows, capsys):
    file = rows["file_solver"].replace("solvers/tv.py", "solvers/gone.py")
    with pytest.raises(SystemExit):
        publish(rows.assign(file_solver=file))
    message = " ".join(capsys.readouterr().err.split())
    assert "TV" in message and "is not of this repository" in message


def test_results_with_other_tuned_values_are_refused(
    publish, rows, capsys, monkeypatch
):
    other = {"natural": {"denoising": {"TV": {"parameters": {"reg": 3.0}}}}}
    monkeypatch.setattr(tuned, "read_tuned", lambda: other)
    with pytest.raises(SystemExit):
        publish(rows)
    message = " ".join(capsys.readouterr().err.split())
    # One has its own value of reg.
    assert "2 of these 4 results" in message and "--any-version" in message


# Rows that stay


def test_rows_of_the_present_code_stay_beside_new_ones(publish, rows):
    first = publish(rows, "--scores-only").set_index(KEYS)
    anew = rows[rows["solver_name"].str.startswith("TV")]
    both = publish(anew.assign(objective_psnr=1.0), "--scores-only", "--keep")
    both = both.set_index(KEYS)
    is_new = [solver.startswith("TV") for _, solver in both.index]
    assert set(both.index) == set(first.index) and sum(is_new) == 2
    assert (both.loc[is_new, "psnr"] == 1.0).all()
    kept = both.index[[not new for new in is_new]]
    assert (both.loc[kept, "psnr"] == first.loc[kept, "psnr"]).all()
    assert not publish(anew, "--scores-only")["solver_name"].str.match("PnP").any()


def test_rows_that_stay_keep_their_place_and_the_strengths_of_all(run, publish):
    datasets = ["simulated[problem=inpainting,n_images=1,missing=[0.3,0.5,0.7]]"]
    rows = run(["TV[n_iter=1,reg=0.1]"], datasets)
    first = publish(rows, "--scores-only")
    anew = rows[rows["dataset_name"].str.contains("missing=0.7")]
    both = publish(anew, "--scores-only", "--keep")
    pd.testing.assert_frame_equal(both, first[both.columns])
    assert sorted(both["missing"]) == [0.3, 0.5, 0.7]


def test_a_strength_with_values_of_two_kinds_is_text(run, publish):
    dataset = "brain[problem=mri,img_size=32,n_images=1,masks=[2,per_image]]"
    rows = run(["Adjoint"], [dataset])
    text = rows.assign(p_dataset_masks=rows["p_dataset_masks"].map(str))
    first = publish(text, "--scores-only")
    anew = rows[rows["dataset_name"].str.contains("masks=2")]
    anew = anew.assign(p_dataset_masks=anew["p_dataset_masks"].astype(int))
    both = publish(anew, "--scores-only", "--keep")
    assert list(both["masks"]) == list(first["masks"]) == ["2", "per_image"]


def test_some_rows_may_have_pictures_and_do_not_lose_them(publish, rows, capsys):
    publish(rows, "--scores-only")
    anew = rows[rows["solver_name"].str.startswith("TV")]
    both = publish(anew, "--keep")
    has_one = both["reconstruction"].notna()
    assert list(has_one) == list(both["solver_name"].str.startswith("TV"))
    others = rows[~rows["solver_name"].str.startswith("TV")]
    kept = publish(others, "--scores-only", "--keep")
    assert list(kept["reconstruction"].notna()) == list(has_one)
    with pytest.raises(SystemExit):
        publish(rows, "--scores-only", "--keep")
    assert "publish them without --scores-only" in capsys.readouterr().err


def test_a_small_image_is_shown_whole(publish, rows):
    truth = decode(publish(rows)["truth"].iloc[0])
    assert truth.shape[:2] == (32, 32) and truth.mean() > 0.1


def test_rows_that_the_present_code_would_not_give_again_go(publish, rows, with_tuned):
    publish(rows, "--scores-only")
    anew = rows[rows["solver_name"] == "Initial guess"]
    with_tuned({"natural": {"denoising": {"TV": {"parameters": {"reg": 3.0}}}}})
    all_of_them = publish(anew, "--scores-only", "--keep-older")
    left = publish(anew, "--scores-only", "--keep")
    # The other two have tuned values.
    assert list(left["solver_name"]) == ["TV[n_iter=1,reg=0.1]", "Initial guess"]
    older = dict(zip(all_of_them["solver_name"], of_present_code(all_of_them)))
    assert len(older) == 4 and sorted(older.values()) == [False, False, True, True]
    assert older["Initial guess"]


@pytest.mark.parametrize(
    "dataset, problem, stays",
    [
        ("natural", "sr4", True),
        ("natural", "denoising", False),
        ("natural", "denoising[noise_level=0.2]", False),
        ("bsd", "denoising", False),
    ],
)
def test_values_tuned_for_other_problems_leave_a_row_as_it_is(
    dataset, problem, stays, publish, rows, with_tuned
):
    anew = rows[rows["solver_name"] == "TV[n_iter=1]"]
    table = publish(anew, "--scores-only")
    entries = deepcopy(tuned.read_tuned())
    entries[dataset].setdefault(problem, {})["TV"] = {"parameters": {"reg": 3.0}}
    with_tuned(entries)
    assert of_present_code(table) == [stays]


def test_the_code_of_a_row_is_that_of_the_files_that_it_depends_on(
    publish, rows, monkeypatch
):
    table = publish(
        rows[rows["solver_name"] == "TV[n_iter=1,reg=0.1]"], "--scores-only"
    )
    assert of_present_code(table) == [True]
    solver = present.named("solver", "TV")
    monkeypatch.setattr(type(solver), "code_digest", lambda self: OLD)
    forget()
    assert of_present_code(table) == [False]
    forget()


def test_times_of_rows_that_stay_are_of_the_same_machine_or_left_out(publish, idle):
    assert publish(idle, "--scores-only")["seconds"].notna().all()
    anew = idle[idle["solver_name"].str.startswith("TV")]
    same = publish(anew, "--scores-only", "--keep")
    assert len(same) == 4 and same["seconds"].notna().all()
    elsewhere = change_machine(anew, "TV", cpu="another")
    both = publish(elsewhere, "--scores-only", "--keep")
    assert len(both) == 4 and both["seconds"].isna().all()


@pytest.mark.parametrize(
    "dataset, solver",
    [
        ("simulated[n_images=1]", "Gone"),
        ("gone", "TV"),
        ("simulated[gone=1]", "TV"),
        # Names leave out what is the default.
        ("simulated[n_images=1]", "TV[n_iter=tuned]"),
    ],
)
def test_rows_whose_names_are_not_known_are_of_other_code(dataset, solver):
    row = {"dataset_name": dataset, "solver_name": solver, "code": None, "tuned": None}
    assert of_present_code(pd.DataFrame([row])) == [False]


def test_results_of_two_objectives_are_not_averaged(publish, rows, capsys):
    devices = [f"Restore[device={device}]" for device in ("cpu", "cuda")]
    twice = [rows.assign(objective_name=device) for device in devices]
    with pytest.raises(SystemExit):
        publish(pd.concat(twice), "--scores-only")
    assert "have several objectives (Restore[device=cpu]," in capsys.readouterr().err


def test_results_without_pictures_are_published_by_their_scores_alone(
    publish, rows, capsys
):
    rows = rows.assign(
        final_results=[
            {"code": kept["code"]} if isinstance(kept, dict) else None
            for kept in rows["final_results"]
        ]
    )
    with pytest.raises(SystemExit):
        publish(rows)
    assert "no pictures of images: add --scores-only" in capsys.readouterr().err
    assert list(publish(rows, "--scores-only")["version"]) == [NOW] * 4


def test_a_file_that_is_not_there_is_said(capsys):
    with pytest.raises(SystemExit):
        publish_results.main(["nowhere.parquet", "mine"])
    assert "There is no file nowhere.parquet" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["../mine", "a/b", "", ".hidden"])
def test_the_name_is_that_of_a_file_in_results(name, capsys):
    with pytest.raises(SystemExit):
        publish_results.main(["nowhere.parquet", name])
    assert f"{name!r} is no name of a file in results/" in capsys.readouterr().err


# Times


def change_machine(rows, solver, **changes):
    """Results of a solver that another machine made; without changes, of none."""

    def change(kept, name):
        if not isinstance(kept, dict) or not name.startswith(solver):
            return kept
        kept = dict(kept)
        record = json.loads(kept.pop("run"))
        return kept | {"run": json.dumps(record | changes)} if changes else kept

    columns = rows["final_results"], rows["solver_name"]
    return rows.assign(final_results=list(map(change, *columns)))


@pytest.fixture
def idle(rows):
    return change_machine(rows, "", load=0.5, cores=2)


def test_times_of_one_idle_machine_are_published(publish, idle):
    table = publish(idle)
    assert (table["seconds"] == table["time"]).all() and (table["time"] > 0).all()


@pytest.mark.parametrize(
    "changes, reason",
    [
        ({"load": 2.6}, "2 rows began on a busy machine."),
        ({}, "2 rows do not say what machine they were made on."),
    ],
)
def test_times_of_a_busy_or_unknown_machine_are_left_out(
    changes, reason, publish, idle, capsys
):
    table = publish(change_machine(idle, "TV", **changes)).set_index("solver_name")
    assert f"Without times: {reason}" in capsys.readouterr().out
    for name, row in table.iterrows():
        missing = row[["time", "fit_time", "seconds"]].isna()
        assert missing.all() if name.startswith("TV") else not missing.any()
    assert table["psnr"].notna().all()


@pytest.mark.parametrize(
    "changes", [{"threads": 64}, {"cpu": "another"}, {"device": "cuda", "gpu": "H100"}]
)
def test_times_of_several_machines_are_left_out(changes, publish, idle, capsys):
    table = publish(change_machine(idle, "TV", **changes))
    message = capsys.readouterr().out
    assert "Without times: Hardware or numbers of threads differ" in message
    assert table["seconds"].isna().all() and table["psnr"].notna().all()


# The committed results


def is_of_present_code(name):
    return all(of_present_code(pd.read_parquet(ROOT / "results" / f"{name}.parquet")))


def test_pages_name_those_of_their_results_that_older_code_made():
    for page in PAGES:
        text = page.read_text()
        shown = set(re.findall(r"<!-- (?:table|scores) (\w+) ", text))
        older = {name for name in shown if not is_of_present_code(name)}
        said = "".join(
            re.findall(r"<!-- versions -->(.*?)<!-- end -->", text, re.DOTALL)
        )
        assert set(re.findall(r"`(\w+)`", said)) == older, page.name


def test_the_results_of_natural_are_of_the_present_code_and_come_back(run):
    assert is_of_present_code("natural")
    published = pd.read_parquet(ROOT / "results" / "natural.parquet").set_index(KEYS)
    # Those that take seconds; the quick run has them all, on a part of the images.
    problems = "natural[problem=[denoising,gaussian_deblurring]]"
    rows = run(["Pseudo-inverse", "TV", "PnP-ADMM"], [problems])
    found = rows.groupby(KEYS)["objective_psnr"].last()
    assert len(found) == 6
    difference = found - published["psnr"].reindex(found.index)
    assert difference.abs().max() < 0.001


def test_natural_is_published_of_all_that_the_quick_run_has():
    published = pd.read_parquet(ROOT / "results" / "natural.parquet")
    quick = pd.read_csv(REFERENCE)
    quick = quick[quick["dataset_name"].str.startswith("natural[")]
    of_centres = quick["dataset_name"].str.replace("img_size=128,", "")
    assert set(zip(of_centres, quick["solver_name"])) == set(
        zip(published["dataset_name"], published["solver_name"])
    )
