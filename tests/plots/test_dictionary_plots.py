"""The plots that dictionaries asked for: recovery, sweep and atoms."""

from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
import torch
from benchopt.plotting.helpers import update_plot_data_style
from conftest import BENCHMARK

from benchmark_utils.physics import CT_PROBLEMS, MRI_PROBLEMS, PROBLEMS
from benchmark_utils.scoring.pictures import atom_sheet, decode, png
from benchmark_utils.scoring.results import with_gaps, without

PLOTS = {plot._get_name(): plot for plot in BENCHMARK.get_plots()}
NAN = float("nan")


def table(*ends):
    """Result rows from the ends of curves, dicts: dataset, solver and other columns.

    Each curve has an earlier point with other scores, which is not to be seen; rows
    come last first.
    """
    rows = []
    for end in ends:
        last = {
            "objective_name": "Restore",
            "dataset_name": end["dataset"],
            "solver_name": end.get("solver", "A"),
            "idx_rep": 0,
            "stop_val": 10,
            "time": 1.0,
            "final_results": None,
            **{k: v for k, v in end.items() if k not in ("dataset", "solver")},
        }
        first = {k: 99.0 if "objective_" in k else v for k, v in last.items()}
        first |= {"objective_name": last["objective_name"], "stop_val": 0}
        rows = [last, first | {"final_results": None}, *rows]
    return pd.DataFrame(rows)


def plot_and_metadata(kind, df, **options):
    options = {"objective": "Restore"} | options
    return PLOTS[kind].plot(df, **options), PLOTS[kind].get_metadata(df, **options)


def points(traces):
    """{label: [(x, y), ...]}"""
    return {
        trace["label"]: list(zip(trace["x"], trace["y"], strict=True))
        for trace in traces
    }


IMAGE = {
    "dataset": "natural[problem=inpainting]",
    "p_dataset_problem": "inpainting",
    "objective_psnr": 30.0,
}


# -- names and curves -----------------------------------------------------------------


def test_a_name_without_a_parameter_keeps_the_others():
    assert without("d[dim=9,m=8,n=1]", "m") == "d[dim=9,n=1]"
    assert without("d[m=8,n=1]", "m") == "d[n=1]"
    assert without("d[dim=9,n=1]", "m") == "d[dim=9,n=1]"
    assert without("m", "m") == "m"


def test_a_curve_has_a_gap_where_a_value_is_not_finite():
    assert with_gaps(np.array([1.0, NAN, -np.inf, 2.0])) == [1, None, None, 2]


# -- recovery -------------------------------------------------------------------------


def learned(m, n_operators, recovery, expected=1.0, data="", **columns):
    """The end of a run on signals seen through matrices of m rows."""
    parameters = f"{data}m={m},n_operators={n_operators},operator=sensing"
    return {
        "dataset": f"dictionary[{parameters}]",
        "p_dataset_m": m,
        "p_dataset_n_operators": n_operators,
        "objective_psnr": 30.0,
        "objective_recovery": recovery,
        "objective_recovery_oracle": expected,
        **columns,
    }


def recovery(df, **options):
    """{label: points} of the solvers and of the references, and the metadata."""
    traces, metadata = plot_and_metadata("recovery", df, **options)
    shown = points(traces)
    references = {k: v for k, v in shown.items() if k.startswith("sqrt")}
    return {k: shown[k] for k in shown if k not in references}, references, metadata


def test_a_curve_per_solver_and_number_of_operators_goes_by_growing_m():
    curves, _, metadata = recovery(
        table(
            learned(16, 1, 0.9),
            learned(8, 1, 0.5),
            learned(12, 1, 0.7),
            learned(8, 3, 0.6),
            learned(12, 3, 0.8),
            learned(12, 3, 1.0, solver="B[lam=1]"),
        )
    )
    assert curves == {
        "A, 1 operator": [(8, 0.5), (12, 0.7), (16, 0.9)],
        "A, 3 operators": [(8, 0.6), (12, 0.8)],
        "B lam=1, 3 operators": [(12, 1.0)],
    }
    assert metadata["title"] == "Restore\nData: dictionary operator=sensing"
    assert metadata["scale"] == "linear"


def test_the_reference_is_a_dashed_line_through_its_values_where_one_is_below_1():
    _, references, _ = recovery(
        table(
            learned(8, 1, 0.5, 0.25),
            learned(12, 1, 0.5, 0.75),
            learned(20, 1, 0.5, 1.0),
            learned(8, 2, 0.5, 0.5),
            learned(12, 2, 0.5, 1.0),
            learned(8, 5, 0.5, 1.0),
            learned(12, 5, 0.5, 1.0),
        )
    )
    label = "sqrt(rank / n), 1 operator"
    assert references.keys() == {label, "sqrt(rank / n), 2 operators"}
    line = references[label]
    drawn = [point for point in line if point != (None, None)]
    assert drawn[0] == (8, 0.25) and drawn[-1] == (20, 1.0)
    x, y = np.transpose(drawn)
    np.testing.assert_allclose(y, np.interp(x, [8, 12, 20], [0.25, 0.75, 1.0]))
    # A dash is two points and a gap.
    assert len(line) == 3 * (len(drawn) // 2)
    assert set(line[2::3]) == {(None, None)}
    dashes = x[1::2] - x[::2]
    gaps = x[2::2] - x[1:-1:2]
    np.testing.assert_allclose(dashes, gaps[0])


def test_colours_tell_numbers_of_operators_apart_and_markers_solvers():
    df = table(
        *(
            learned(m, n, 0.5, 0.5, solver=solver)
            for m in (8, 12)
            for n in (1, 2)
            for solver in "AB"
        )
    )
    traces, _ = plot_and_metadata("recovery", df)
    style = {t["label"]: (t["color"], t["marker"]) for t in traces}
    a1, b1, a2 = (
        style[label] for label in ("A, 1 operator", "B, 1 operator", "A, 2 operators")
    )
    assert a1[0] == b1[0] == style["sqrt(rank / n), 1 operator"][0] != a2[0]
    assert a1[1] == a2[1] != b1[1]


def test_with_one_number_of_operators_solvers_have_their_colours_of_other_plots():
    df = table(*(learned(m, 1, 0.5, solver=s) for m in (8, 12) for s in "AB"))
    traces, _ = plot_and_metadata("recovery", df)
    styles = [(trace["color"], trace["marker"]) for trace in traces]
    expected = [PLOTS["pareto"].get_style(solver) for solver in "AB"]
    assert styles == [(style["color"], style["marker"]) for style in expected]
    assert styles[0][0] != styles[1][0]


def test_repetitions_are_averaged_and_one_without_a_score_leaves_a_gap():
    curves, references, _ = recovery(
        table(
            learned(8, 1, 0.5, 0.6),
            learned(8, 1, 0.75, 0.7, idx_rep=1),
            learned(12, 1, 0.5, 0.8),
            learned(12, 1, NAN, 0.8, idx_rep=1),
        )
    )
    assert curves == {"A, 1 operator": [(8, 0.625), (12, None)]}
    (line,) = references.values()
    assert line[0] == pytest.approx((8, 0.65))


def test_data_that_differ_by_more_than_m_have_curves_of_their_own():
    curves, references, metadata = recovery(
        table(
            *(learned(m, 1, 0.5) for m in (8, 12)),
            *(learned(m, 1, 0.25, 0.5, data="dim=9,") for m in (8, 12)),
            learned(8, 1, 0.1, 0.1, data="dim=7,"),
        )
    )
    one, two = "dictionary operator=sensing", "dictionary dim=9 operator=sensing"
    assert curves == {
        f"A, 1 operator, {one}": [(8, 0.5), (12, 0.5)],
        f"A, 1 operator, {two}": [(8, 0.25), (12, 0.25)],
    }
    assert references.keys() == {f"sqrt(rank / n), 1 operator, {two}"}
    assert set(metadata["title"].split("Data: ")[1].split(", ")) == {one, two}


def test_images_solvers_without_dictionary_and_other_objectives_are_not_shown():
    df = table(
        IMAGE,
        *(learned(m, 1, 0.5) for m in (8, 12)),
        *(learned(m, 1, NAN, NAN, solver="No dictionary") for m in (8, 12)),
        learned(20, 1, 0.5, objective_name="Other"),
    )
    curves, _, _ = recovery(df)
    assert curves == {"A, 1 operator": [(8, 0.5), (12, 0.5)]}


@pytest.mark.parametrize(
    "ends",
    [
        [IMAGE],
        [learned(8, 1, 0.5), learned(8, 2, 0.5)],
        [learned(m, 1, 0.5, objective_name="Other") for m in (8, 12)],
        [{"dataset": f"d[m={m}]", "p_dataset_m": m} for m in (8, 12)],
    ],
)
def test_without_several_m_recovery_is_empty_and_says_how_to_have_curves(ends):
    traces, metadata = plot_and_metadata("recovery", table(*ends))
    assert traces == []
    assert "run synthetic_dictionary with several m" in metadata["title"]


# -- sweep ----------------------------------------------------------------------------


def swept(strength, value, problem="inpainting", data="natural", more="", **columns):
    """The end of a run on a problem of this strength, named as datasets name it."""
    scores = {"psnr": 30.0, "psnr_kernel": 31.0, "psnr_range": 40.0}
    given = "" if value is None else f"{strength}={value},"
    return {
        "dataset": f"{data}[{more}{given}problem={problem}]",
        "p_dataset_problem": problem,
        f"p_dataset_{strength}": value,
        **{f"objective_{name}": score for name, score in scores.items()},
        **columns,
    }


def sweep(df, problem="inpainting", score="psnr", **options):
    """{label: points} and the metadata."""
    traces, metadata = plot_and_metadata(
        "sweep", df, problem=problem, score=score, **options
    )
    return points(traces), metadata


def problems(df):
    return PLOTS["sweep"].options["problem"](df)


def test_a_curve_per_solver_goes_by_growing_strength():
    df = table(
        swept("missing", 0.5, objective_psnr=25.0),
        swept("missing", 0.2, objective_psnr=28.0),
        swept("missing", 0.8, objective_psnr=21.0),
        swept("missing", 0.5, objective_psnr=26.0, solver="B"),
    )
    curves, metadata = sweep(df)
    assert curves == {"A": [(0.2, 28), (0.5, 25), (0.8, 21)], "B": [(0.5, 26)]}
    assert metadata["title"] == "Restore\nData: natural inpainting"
    assert metadata["xlabel"] == "Share of missing pixels"
    assert metadata["ylabel"] == "PSNR (dB)" and metadata["scale"] == "linear"


def test_the_error_inside_ker_a_is_apart_from_the_error_outside():
    df = table(*(swept("missing", value) for value in (0.2, 0.5)))
    kernel, of_kernel = sweep(df, score="psnr_kernel")
    outside, of_range = sweep(df, score="psnr_range")
    assert kernel["A"] == [(0.2, 31), (0.5, 31)]
    assert outside["A"] == [(0.2, 40), (0.5, 40)]
    assert of_kernel["ylabel"] == "PSNR in ker A (dB)"
    assert of_range["ylabel"] == "PSNR outside of ker A (dB)"


@pytest.mark.parametrize(
    "strength, problem, default",
    [
        ("missing", "inpainting", 0.5),
        ("blur_std", "gaussian_deblurring", 2.0),
        ("noise_level", "denoising", 0.1),
        ("noise_level", "sr4", 0.01),
        ("factor", "sr4", 4),
    ],
)
def test_the_strength_that_was_not_given_is_at_its_default(strength, problem, default):
    df = table(swept(strength, None, problem), swept(strength, 5, problem))
    curves, metadata = sweep(df, problem)
    assert curves["A"] == [(default, 30), (5, 30)]
    assert metadata["xlabel"]


@pytest.mark.parametrize("problem", PROBLEMS | MRI_PROBLEMS | CT_PROBLEMS)
def test_every_strength_that_is_a_number_can_be_swept_over(problem):
    its_class = (PROBLEMS | MRI_PROBLEMS | CT_PROBLEMS)[problem]
    numbers = [field.name for field in fields(its_class) if field.type in (int, float)]
    assert "noise_level" in numbers and "gain" in numbers
    for strength in numbers:
        df = table(*(swept(strength, value, problem) for value in (2, 3)))
        assert problems(df) == [problem]


def test_only_problems_of_which_a_strength_takes_several_values_are_offered():
    df = table(
        *(swept("missing", value) for value in (0.2, 0.5)),
        *(swept("blur_std", value, "gaussian_deblurring") for value in (1.0, 3.0)),
        swept("noise_level", None, "denoising"),
        swept("factor", 2, "sr4"),
        *(
            {"dataset": f"vectors[missing={value}]", "p_dataset_missing": value}
            for value in (0.2, 0.5)
        ),
    )
    assert sorted(problems(df)) == ["gaussian_deblurring", "inpainting"]


def test_the_label_tells_what_differs_between_sweeps_and_that_alone():
    def both(**options):
        return [swept("missing", value, **options) for value in (0.2, 0.5)]

    two_datasets = table(*both(), *both(data="bsd"))
    assert set(problems(two_datasets)) == {"natural inpainting", "bsd inpainting"}
    two_sizes = table(*both(more="img_size=64,"), *both(more="img_size=32,"))
    expected = {"img_size=64 inpainting", "img_size=32 inpainting"}
    assert set(problems(two_sizes)) == expected
    curves, metadata = sweep(two_sizes, "img_size=32 inpainting")
    assert len(curves["A"]) == 2
    assert metadata["title"].endswith("natural img_size=32 inpainting")
    assert problems(table(*both(more="img_size=64,"))) == ["inpainting"]


def test_two_strengths_of_the_same_data_are_two_sweeps():
    df = table(
        swept("missing", None, objective_psnr=25.0),
        swept("missing", 0.8, objective_psnr=20.0),
        swept("noise_level", 0.2, objective_psnr=15.0),
    )
    assert set(problems(df)) == {"inpainting missing", "inpainting noise_level"}
    assert sweep(df, "inpainting missing")[0]["A"] == [(0.5, 25), (0.8, 20)]
    assert sweep(df, "inpainting noise_level")[0]["A"] == [(0.01, 25), (0.2, 15)]


def test_what_was_learned_from_goes_by_the_number_of_images_and_of_masks():
    df = table(*(swept("n_train", value) for value in (1, 10, 200)))
    curves, metadata = sweep(df)
    assert curves["A"] == [(1, 30), (10, 30), (200, 30)]
    assert metadata["scale"] == "semilog-x"
    df = table(*(swept("masks", value) for value in (5, 1)))
    assert sweep(df)[0]["A"] == [(1, 30), (5, 30)]


def test_a_strength_in_words_has_no_curve():
    df = table(*(swept("masks", value, "mri") for value in ("shared", "per_image")))
    # It is a part of the names of files.
    assert problems(df) == ["none"]
    options = {"objective": "objective", "problem": "none", "score": "psnr"}
    title = PLOTS["sweep"].get_metadata(df, **options)["title"]
    assert "No curve here: run a problem with several values of its strength" in title


def test_repetitions_are_averaged():
    df = table(
        swept("missing", 0.2, objective_psnr=20.0),
        swept("missing", 0.2, objective_psnr=30.0, idx_rep=1),
        swept("missing", 0.5, objective_psnr=20.0),
    )
    assert sweep(df)[0]["A"] == [(0.2, 25), (0.5, 20)]


def test_a_solver_that_diverged_has_a_gap_and_is_named_in_the_title():
    df = table(
        *(swept("missing", value) for value in (0.2, 0.8)),
        swept("missing", 0.5, objective_psnr=NAN, objective_psnr_kernel=NAN),
        *(swept("missing", value, solver="B") for value in (0.2, 0.5, 0.8)),
    )
    for score in ("psnr", "psnr_kernel"):
        curves, metadata = sweep(df, score=score)
        assert [y for _, y in curves["A"]].index(None) == 1
        assert len(curves["B"]) == 3
        assert metadata["title"].endswith("Diverged where there is no point: A")


def test_an_exact_result_is_a_gap_that_the_title_does_not_call_diverged():
    values = {0.2: 20.0, 0.5: np.inf, 0.8: 20.0}
    df = table(*(swept("missing", v, objective_psnr=p) for v, p in values.items()))
    curves, metadata = sweep(df, score="psnr")
    assert [y for _, y in curves["A"]] == [20, None, 20]
    assert metadata["title"].endswith("Exact where there is no point: A")
    assert "Diverged" not in metadata["title"]


def test_a_problem_without_a_kernel_has_no_curve_of_it():
    df = table(
        *(
            swept("noise_level", value, "denoising", objective_psnr_kernel=NAN)
            for value in (0.05, 0.2)
        )
    )
    assert sweep(df, "denoising", "psnr_kernel")[0] == {}
    assert len(sweep(df, "denoising", "psnr")[0]["A"]) == 2
    without_column = df.drop(columns="objective_psnr_kernel")
    assert sweep(without_column, "denoising", "psnr_kernel")[0] == {}


@pytest.mark.parametrize(
    "ends",
    [
        [IMAGE],
        [learned(8, 1, 0.5), learned(12, 1, 0.5)],
        [swept("missing", 0.5), swept("missing", 0.2, data="bsd")],
        [swept("missing", None), swept("missing", 0.5)],
        [swept("missing", value, "unknown") for value in (None, 0.5)],
    ],
)
def test_without_a_sweep_there_is_one_option_and_an_empty_plot_that_says_so(ends):
    df = table(*ends)
    (option,) = problems(df)
    curves, metadata = sweep(df, option)
    assert curves == {}
    assert "several values of its strength" in metadata["title"]


def test_scores_of_another_objective_are_not_shown():
    df = table(*(swept("missing", v, objective_name="Other") for v in (0.2, 0.5)))
    assert sweep(df)[0] == {}
    assert len(sweep(df, objective="Other")[0]["A"]) == 2


# -- atoms ----------------------------------------------------------------------------


def sheet(seed):
    generator = torch.Generator().manual_seed(seed)
    return png(atom_sheet(torch.randn((9, 3, 8, 8), generator=generator)))


def kept(solver, final_results, **columns):
    end = {"dataset": "d[problem=sr4]", "solver": solver}
    return end | {"final_results": final_results} | columns


def atoms(df, dataset="d[problem=sr4]", **options):
    """{label: image} and the metadata; nothing where the sentence is that."""
    shown, metadata = plot_and_metadata("atoms", df, dataset=dataset, **options)
    if shown[0]["label"].startswith("No atoms here"):
        shown = shown[1:]
    return {picture["label"]: picture["image"] for picture in shown}, metadata


def test_the_sheet_of_each_solver_that_has_atoms_is_shown_enlarged():
    df = table(
        kept("CDL[reg=1]", {"names": ["cat"], "atoms": sheet(0)}),
        kept("TV", {"names": ["cat"]}),
        kept("Vectors", {"atoms": sheet(1)}),
        kept("None", None),
    )
    shown, metadata = atoms(df)
    assert shown.keys() == {"CDL reg=1", "Vectors"}
    assert metadata["title"] == "d sr4: learned atoms"
    for seed, label in enumerate(["CDL reg=1", "Vectors"]):
        image, picture = shown[label], decode(sheet(seed)) / 255
        factor = image.shape[1] // picture.shape[1]
        assert image.shape[1] >= 400
        enlarged = picture.repeat(factor, 0).repeat(factor, 1)
        np.testing.assert_array_equal(image, enlarged)


def test_atoms_are_those_of_the_first_repetition():
    df = table(
        kept("A", {"atoms": sheet(1)}, idx_rep=1),
        kept("A", {"atoms": sheet(0)}, idx_rep=0),
    )
    shown, _ = atoms(df)
    first, _ = atoms(table(kept("A", {"atoms": sheet(0)})))
    np.testing.assert_array_equal(shown["A"], first["A"])


def test_without_atoms_no_sheet_is_shown():
    df = table(kept("A", {"atoms": sheet(0)}), IMAGE)
    assert atoms(df)[0].keys() == {"A"}
    assert atoms(df, IMAGE["dataset"])[0] == {}
    assert atoms(df, objective="Other")[0] == {}
    assert atoms(table(IMAGE).drop(columns="final_results"), IMAGE["dataset"])[0] == {}


# -- a real run -----------------------------------------------------------------------


def test_the_three_plots_show_what_a_real_run_writes(run):
    signals = "dim=9,n_atoms=9,n_signals=40,n_train=10,n_operators=1"
    df = run(
        ["Dictionary oracle", "TV[n_iter=2]", "CDL[n_steps=1,n_coding=1,atom_size=4]"],
        [
            f"synthetic_dictionary[m=[3,6],{signals}]",
            "simulated[problem=inpainting,missing=[0.2,0.4]]",
        ],
    )
    kinds = ("recovery", "sweep", "atoms")
    plots = {kind: PLOTS[kind]._get_all_plots(df)[0] for kind in kinds}
    pages = update_plot_data_style(plots)

    (page,) = pages["recovery"].values()
    curves = points(page["data"])
    oracle = curves.pop("Dictionary oracle, 1 operator")
    np.testing.assert_allclose(oracle, [(3, 1), (6, 1)], rtol=1e-5)
    reference = curves.pop("sqrt(rank / n), 1 operator")
    assert reference[0] == pytest.approx((3, (3 / 9) ** 0.5))
    assert not curves

    page = pages["sweep"]["sweep_Inverse problems_inpainting_psnr_kernel"]
    curves = points(page["data"])
    assert len(curves) == 2
    assert all([x for x, _ in curve] == [0.2, 0.4] for curve in curves.values())

    pictures = [page["data"] for page in pages["atoms"].values()]
    labels = sorted(picture["label"].split()[0] for (picture,) in pictures)
    assert labels == ["CDL", "CDL", "No", "No"]
    for (picture,) in pictures:
        assert picture["image"].startswith("data:image/png")
