"""A function of one's own is scored like the solvers, in three lines."""

import math
import random
from contextlib import contextmanager

import deepinv as dinv
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from benchopt.results import read_results
from conftest import ROOT

from benchmark_utils.common.errors import NotApplicable
from benchmark_utils.common.modes import SEED
from benchmark_utils.scoring import evaluation
from benchmark_utils.scoring.evaluation import evaluate
from benchmark_utils.scoring.functions import looks_like_bytes
from benchmark_utils.scoring.report import Report
from benchmark_utils.solving.restore import restore


@pytest.fixture(scope="module")
def report():
    dataset = "natural[problem=inpainting,img_size=64]"
    report = evaluate(
        lambda y, physics: physics.A_dagger(y),
        dataset,
        name="Mine",
        against=["Pseudo-inverse[reg=0]", "Denoiser"],
        output="test_evaluation",
        device="cpu",
    )
    yield report
    report.results.unlink()
    report.page.unlink()


def test_the_same_function_gets_the_same_scores_as_the_solver(report):
    mine, theirs = (
        report.table.set_index("solver_name")
        .loc[["Mine", "Pseudo-inverse[reg=0]"]]
        .drop(columns=["dataset_name", "time", "fit_time"])
        .to_numpy(float)
    )
    assert mine == pytest.approx(theirs, rel=1e-4)


def test_the_results_and_the_page_hold_the_pictures(report):
    pictures = read_results(report.results)["final_results"].dropna()
    assert len(pictures) == 2
    assert all(p["reconstruction"][0].startswith(b"\x89PNG") for p in pictures)
    assert "Mine" in report.page.read_text()


def test_the_report_and_the_results_say_where_everything_ran(report):
    assert report.device == "cpu"
    names = read_results(report.results)["objective_name"].unique()
    assert list(names) == ["Inverse problems[device=cpu]"]


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="device must be auto, cpu, cuda"):
        evaluate(lambda y, physics: y, "simulated", device="gpu")


def test_the_report_is_a_small_table_with_the_best_marked(report):
    text = str(report)
    lines = {line.split()[0]: line for line in text.splitlines() if line}
    assert lines["Mine"].endswith(("*", "~"))
    assert "seed 0" in text and "natural img_size=64 inpainting" in text
    assert str(report.page) in text
    psnr = report.table.set_index("solver_name").psnr["Mine"]
    assert f"{psnr:.2f}" in lines["Mine"]


def test_the_report_says_what_was_skipped_and_why(report):
    ((_, solver),) = report.skipped
    assert solver == "Denoiser"
    assert "Denoiser on natural[img_size=64,problem=inpainting] skipped: " in str(
        report
    )


def test_the_report_has_the_scores_of_each_image(report):
    mine = report.scores.query("solver_name == 'Mine'")
    assert list(mine.image) == ["astronaut", "chelsea", "china", "coffee"]
    expected = report.table.set_index("solver_name").psnr["Mine"]
    assert mine.psnr.mean() == pytest.approx(expected, abs=1e-4)


def test_the_report_is_written_as_csv_and_latex(report, tmp_path):
    report.to_csv(tmp_path / "table.csv")
    written = pd.read_csv(tmp_path / "table.csv")
    assert list(written.solver_name) == list(report.table.solver_name)
    latex = report.to_latex()
    assert r"\toprule" in latex and r"\textbf{" in latex and r"img\_size=64" in latex


def test_the_figure_has_the_truth_the_measurement_and_the_solvers(report):
    figure = report.figure(image=1)
    titles = [axis.get_title() for axis in figure.axes]
    assert titles[:2] == ["chelsea", "measurement"]
    values = report.scores.query("solver_name == 'Mine' and image == 'chelsea'").psnr
    assert titles[2] == f"Mine\n{values.item():.2f} dB"
    plt.close(figure)


def report_of(psnr):
    """A report of two datasets; nothing is known of their images."""
    rows = [(d, s, v) for s, values in psnr.items() for d, v in values.items()]
    table = pd.DataFrame(rows, columns=["dataset_name", "solver_name", "psnr"])
    report = Report(table, None, None, "cpu")
    report.__dict__["scores"] = pd.DataFrame(columns=["dataset_name"])
    return report


def test_what_was_not_run_and_what_diverged_are_told_apart():
    report = report_of({"A": {"d": 30.0, "e": np.nan}, "B": {"d": 29.0}})
    lines = [line.split() for line in str(report).splitlines()]
    assert ["A", "30.00*", "diverged"] in lines
    assert ["B", "29.00", "-"] in lines


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        ({"dataset": "sr4"}, "There is no sr4 here, but "),
        ({"image": 99}, "image must be a number below"),
        ({"image": "china"}, "image must be a number below"),
    ],
)
def test_a_picture_that_is_not_there_is_said(arguments, sentence, report):
    with pytest.raises(ValueError, match=sentence):
        report.figure(**arguments)


def test_a_table_of_seconds_is_refused_and_the_fastest_is_marked(report):
    with pytest.raises(ValueError, match="There is no time here, but psnr"):
        report.to_latex("time")
    fastest = report.pivot("time").idxmin()
    marks = report.marks("time")
    assert all(marks.loc[solver, dataset] == "*" for dataset, solver in fastest.items())


def test_what_diverged_is_not_said_to_be_as_good_as_the_best(output):
    images = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))

    def diverges(y, physics):
        x = physics.A_adjoint(y).clone()
        return x.index_fill(0, torch.tensor([0]), torch.nan)

    physics = dinv.physics.Denoising(dinv.physics.GaussianNoise(0.1))
    report = evaluate(diverges, images=images, physics=physics, output=output)
    assert list(report.marks().iloc[:, 0]) == [""]
    assert "diverged~" not in str(report)


def test_a_solver_that_fails_beside_a_function_is_said(output, tmp_path):
    text = (ROOT / "solvers" / "pseudo_inverse.py").read_text()
    file = tmp_path / "broken.py"
    broken = text.replace("Pseudo-inverse", "Broken")
    file.write_text(broken.replace("yield", "raise ZeroDivisionError\n        yield"))
    report = evaluate(lambda y, _: y, "simulated", "Mine", [str(file)], output)
    ((_, solver),) = report.skipped
    assert solver == "Broken" and "Broken on simulated" in str(report)


# Images and operators given from Python

IMAGES = torch.rand(2, 3, 24, 20, generator=torch.Generator().manual_seed(0))


def blur(shape, generator):
    kernel = torch.rand((1, 1, 3, 3), generator=generator)
    return dinv.physics.BlurFFT(shape, kernel / kernel.sum())


@pytest.mark.parametrize(
    "images",
    [
        {"a": IMAGES[0], "b": IMAGES[1]},
        IMAGES,
        IMAGES.numpy().astype(float),
        list(IMAGES),
    ],
    ids=["dict", "tensor", "numpy", "list"],
)
def test_images_may_be_given_in_several_forms(images, output):
    report = evaluate(
        lambda y, physics: y, images=images, physics="denoising", output=output
    )
    error = (report.scores.psnr - 20).abs()
    assert len(error) == 2 and (error < 1).all()


def test_images_may_be_a_folder(output, tmp_path):
    np.save(tmp_path / "a.npy", IMAGES[0].numpy())
    report = evaluate(
        lambda y, physics: y, images=tmp_path, physics="denoising", output=output
    )
    assert list(report.scores.image) == ["a.npy"]


@pytest.mark.parametrize(
    "physics",
    [
        blur,
        blur((3, 24, 20), torch.Generator().manual_seed(0)),
        "gaussian_deblurring",
    ],
    ids=["function", "operator", "name"],
)
def test_the_operator_may_be_given_in_several_forms(physics, output):
    seen = []

    def function(y, physics):
        seen.append(float(physics.noise_model.sigma))
        return physics.A_adjoint(y)

    report = evaluate(
        function,
        images=torch.nn.functional.pad(IMAGES, (0, 8, 0, 8)),
        physics=physics
        if not isinstance(physics, dinv.physics.BlurFFT)
        else blur((3, 32, 28), torch.Generator().manual_seed(0)),
        noise_level=0.03,
        output=output,
        against="Pseudo-inverse",
    )
    assert seen == pytest.approx([0.03, 0.03])
    assert set(report.table.solver_name) == {"My method", "Pseudo-inverse"}
    assert (report.table.psnr > 5).all()


BOX = torch.nn.functional.pad(torch.full((12, 10), 0.8), (6, 8, 6, 6))
BROKEN = """
import deepinv as dinv

def make_physics(shape, generator):
    return undefined
"""


def test_two_datasets_of_one_name_are_refused_before_anything_is_run(tmp_path, output):
    for folder in ("A", "B"):
        (tmp_path / folder / "psf").mkdir(parents=True)
        np.save(tmp_path / folder / "psf" / "k.npy", np.ones((3, 3)))
    kernels = ",".join(str(tmp_path / name / "psf" / "k.npy") for name in "AB")
    calls = []
    with pytest.raises(NotApplicable, match="Two datasets are called simulated"):
        evaluate(
            lambda y, physics: calls.append(1) or y,
            f"simulated[problem=motion_deblurring,kernel=[{kernels}]]",
            output=output,
        )
    assert not calls


def test_a_bug_of_one_dataset_leaves_the_result_of_another(tmp_path, output, capfd):
    (tmp_path / "broken.py").write_text(BROKEN)
    problems = f"[denoising,{tmp_path / 'broken.py'}]"
    with pytest.raises(RuntimeError, match=r"has no result on .*other results are in"):
        evaluate(lambda y, _: y, f"simulated[problem={problems}]", output=output)
    assert "NameError" in capfd.readouterr().err


SLICES = {"a": BOX, "b": BOX.flip(1)}


@pytest.mark.parametrize("problem", ["mri", "ct_sparse"])
def test_slices_in_grey_are_for_mri_and_tomography(problem, output):
    report = evaluate(
        lambda y, physics: physics.A_adjoint(y),
        images=SLICES,
        physics=problem,
        against="TV[n_iter=30]",
        output=output,
    )
    psnr = report.table.set_index("solver_name").psnr
    assert psnr["TV[n_iter=30]"] > psnr["My method"] + 1
    assert {"nmse", "haarpsi"} <= set(report.table)


def test_complex_images_are_for_an_operator_of_the_user(output):
    x = torch.polar(IMAGES[0, 0], 3 * IMAGES[0, 1])
    report = evaluate(
        lambda y, physics: physics.A_adjoint(y),
        images={"a": x},
        physics=dinv.physics.MRI(mask=torch.ones(1, 1, *x.shape)),
        noise_level=0.01,
        output=output,
    )
    # Of magnitudes, noise across the phase is not seen.
    assert 39 < report.table.psnr.item() < 44


def test_a_module_is_evaluated_in_eval_mode_and_left_as_it_is(output):
    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.drop = torch.nn.Dropout(0.9)

        def forward(self, y, physics):
            return self.drop(y)

    network = Network().train()
    report = evaluate(network, "simulated", output=output)
    assert report.table.psnr.item() == pytest.approx(20, abs=0.5)
    assert network.training and network.drop.training


def test_nothing_is_printed_but_what_the_function_prints(output, capfd):
    def function(y, physics):
        print("here")
        return y

    report = evaluate(function, "simulated", output=output)
    assert capfd.readouterr().out == "here\nhere\n"
    assert "simulated[problem=denoising]" in report.log
    evaluate(function, "simulated", output=output, verbose=True)
    assert "simulated[problem=denoising]" in capfd.readouterr().out


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        ({"images": IMAGES, "dataset": "natural"}, "not both"),
        ({"dataset": "naturl"}, "naturl"),
        ({"dataset": "simulated", "against": ["TVV"]}, "TVV"),
        ({"images": IMAGES}, "physics is what measures the images"),
        ({"physics": "sr4", "dataset": "natural"}, "physics is for images"),
        ({"noise_level": 0.5, "dataset": "natural"}, "noise_level is for images"),
        ({"output": "y" * 200, "dataset": "natural"}, "of 150 bytes at most"),
        ({"output": "a\0b", "dataset": "natural"}, "output is the name of a file"),
        ({"against": [3], "dataset": "natural"}, "against is the name of a solver"),
        (
            {"images": IMAGES, "physics": dinv.physics.Denoising},
            r"physics is the class Denoising: give an operator, as Denoising\(",
        ),
        ({"images": "", "physics": "sr4"}, "images is empty: give the folder"),
        ({"images": 3, "physics": "sr4"}, "images must be"),
        ({"images": {}, "physics": "sr4"}, "images must be"),
        (
            {"images": IMAGES[0], "physics": "sr4"},
            r"24, 20\): one image is given",
        ),
        ({"images": "/no/folder", "physics": "sr4"}, "images=/no/folder is not there"),
        ({"images": 255 * IMAGES, "physics": "sr4"}, "look like 0..255"),
        ({"images": IMAGES, "physics": "no"}, "There is no problem 'no'"),
        ({"images": IMAGES, "physics": 3}, "physics is a int: it must be"),
        (
            {"images": IMAGES, "physics": dinv.physics.PhaseRetrieval(lambda x: x)},
            "physics is a PhaseRetrieval: it must be",
        ),
    ],
)
def test_images_and_physics_without_meaning_are_refused(arguments, sentence):
    with pytest.raises(NotApplicable, match=sentence):
        evaluate(lambda y, physics: y, **arguments)


def test_an_operator_of_several_images_has_a_part_for_each(output):
    mask = (torch.rand(2, 1, 24, 20, generator=torch.Generator()) > 0.5).float()
    physics = dinv.physics.Inpainting((3, 24, 20), mask=mask)
    report = evaluate(lambda y, p: y, images=IMAGES, physics=physics, output=output)
    missing = ((1 - mask) * IMAGES).square().mean((1, 2, 3))
    assert report.scores.psnr.to_numpy() == pytest.approx(-10 * missing.log10())


def test_measurements_of_one_shape_may_be_of_images_of_two_sizes(output):
    class Sketch(dinv.physics.LinearPhysics):
        def __init__(self, shape, generator):
            super().__init__(noise_model=dinv.physics.GaussianNoise(0.01))
            self.shape = shape
            matrix = torch.randn(50, math.prod(shape), generator=generator)
            self.register_buffer("matrix", matrix / 50**0.5)

        def A(self, x, **kwargs):
            return x.flatten(1) @ self.matrix.T

        def A_adjoint(self, y, **kwargs):
            return (y @ self.matrix).unflatten(1, self.shape)

    images = {f"{n}": torch.rand(1, n, n) for n in (8, 12)}
    report = evaluate(
        lambda y, p: p.A_adjoint(y), images=images, physics=Sketch, output=output
    )
    assert len(report.scores) == 2


def test_an_operator_for_other_images_is_said(output):
    wrong = blur((3, 8, 8), torch.Generator())
    with pytest.raises(RuntimeError, match=r"img_size=\(3, 8, 8\) for images of shape"):
        evaluate(lambda y, p: y, images=IMAGES, physics=wrong, output=output)


@pytest.fixture
def output():
    """The name of results, which are removed afterwards."""
    yield "test_evaluation_kept"
    for path in (ROOT / "outputs").glob("*test_evaluation_kept*"):
        path.unlink()


def test_a_function_that_fails_beside_solvers_is_told_so(output):
    with pytest.raises(RuntimeError, match=r"^Mine has no result on simulated"):
        evaluate(
            lambda y, physics: 1 / 0, "simulated", "Mine", "Pseudo-inverse", output
        )
    results = read_results(ROOT / "outputs" / f"{output}.parquet")
    assert list(results["solver_name"].unique()) == ["Pseudo-inverse"]


def test_a_function_that_fails_on_one_dataset_is_told_which(output):
    datasets = ["simulated[problem=[denoising,sr4]]"]
    with pytest.raises(RuntimeError, match=r"no result on simulated\[problem=sr4\]:"):
        evaluate(lambda y, physics: y, datasets, output=output)


def test_a_function_may_differentiate(output):
    def descent(y, physics):
        x = torch.zeros_like(y, requires_grad=True)
        (physics.A(x) - y).square().sum().backward()
        return x - 0.5 * x.grad

    report = evaluate(
        descent, "simulated[noise_level=0]", output=output, requires_grad=True
    )
    assert report.table["psnr"].item() > 100


# What a function returns

RETURNED = {
    "None": (lambda x: None, "TypeError: the function returned None, and not a tensor"),
    "tuple": (lambda x: (x, x), "returned a tuple, and not a tensor of floats of the"),
    "bytes": (lambda x: (255 * x).byte(), "returned a tensor of uint8, and not a tens"),
    "0..255": (lambda x: 255 * x, "looks like 0..255: results are in [0, 1]"),
    "size": (
        lambda x: x[..., :8],
        "of shape (2, 3, 32, 8) where the images have shape",
    ),
    "one": (
        lambda x: x[0],
        "a tensor of float32 of shape (3, 32, 32) where the images",
    ),
}


@pytest.mark.parametrize("case", RETURNED)
def test_a_function_is_told_what_it_must_return(case, output):
    convert, sentence = RETURNED[case]
    with pytest.raises(RuntimeError, match="Nothing was evaluated") as error:
        evaluate(lambda y, physics: convert(y), "simulated", output=output)
    assert sentence in str(error.value)
    assert error.value.__cause__ is not None


def test_a_function_that_differentiates_without_saying_so_is_told(output):
    def descent(y, physics):
        x = torch.zeros_like(y, requires_grad=True)
        (physics.A(x) - y).square().sum().backward()
        return x.grad

    with pytest.raises(RuntimeError, match=r"evaluate\(..., requires_grad=True\)"):
        evaluate(descent, "simulated", output=output)


@pytest.mark.parametrize(
    "x, expected",
    [
        (torch.linspace(0, 255, 48), True),
        (torch.linspace(-20, 290, 48), True),
        (torch.linspace(0, 1, 48), False),
        (torch.linspace(-0.5, 1.5, 48), False),
        (torch.linspace(-200, 200, 48), False),
        (torch.linspace(0, 1e4, 48), False),
        (torch.linspace(0, 255, 48) * torch.nan, False),
    ],
)
def test_what_diverges_is_not_taken_for_bytes(x, expected):
    assert looks_like_bytes(x.reshape(1, 3, 4, 4)) == expected


PROBLEMS = "simulated[problem=[denoising,gaussian_deblurring,sr4],img_size=40]"
SCORES = ["dataset_name", "psnr", "ssim", "psnr_range"]


@pytest.fixture(scope="module")
def expected():
    """The scores of A^T y, and of its rivals, with nothing odd."""
    return table_of(lambda y, physics: physics.A_adjoint(y))


def table_of(function, requires_grad=False):
    report = evaluate(
        function,
        PROBLEMS,
        "Mine",
        ["TV[n_iter=3]", "PnP-HQS[n_iter=2]"],
        "test_evaluation_modes",
        requires_grad,
    )
    remove("test_evaluation_modes")
    return report.table.set_index("solver_name")[SCORES]


def same(table, expected, tolerance=1e-5):
    assert list(table.index) == list(expected.index)
    assert list(table.dataset_name) == list(expected.dataset_name)
    numbers = (
        t.drop(columns="dataset_name").to_numpy(float) for t in (table, expected)
    )
    assert next(numbers) == pytest.approx(next(numbers), abs=tolerance)


@pytest.mark.parametrize(
    "convert, tolerance",
    [
        (lambda x: x.double(), 1e-5),
        (lambda x: x.half(), 0.01),
        (lambda x: x.bfloat16(), 0.2),
        (lambda x: x.numpy(), 1e-5),
        (lambda x: x.double().numpy()[..., ::-1][..., ::-1], 1e-5),
    ],
    ids=["float64", "float16", "bfloat16", "numpy", "numpy float64"],
)
def test_a_result_of_any_precision_has_the_scores_of_float32(
    convert, tolerance, expected
):
    table = table_of(lambda y, physics: convert(physics.A_adjoint(y)))
    same(table, expected, tolerance)


# What is global to torch


def sets_the_default_dtype(y, physics):
    torch.set_default_dtype(torch.float64)
    return physics.A_adjoint(y)


def sets_the_grad_mode(y, physics):
    torch.set_grad_enabled(False)
    return physics.A_adjoint(y)


@pytest.mark.parametrize("allowed", [True, False])
def test_the_precision_of_the_callers_gpu_is_put_back(allowed):
    """Solvers turn TF32 off, and the caller's own training goes on after them."""
    backends = torch.backends.cuda.matmul, torch.backends.cudnn
    before = [backend.allow_tf32 for backend in backends]
    physics = dinv.physics.Denoising(dinv.physics.GaussianNoise(0.1))
    try:
        for backend in backends:
            backend.allow_tf32 = allowed
        restore(torch.rand(1, 3, 16, 16), physics, "TV", n_iter=1, verbose=False)
        assert [backend.allow_tf32 for backend in backends] == [allowed, allowed]
    finally:
        for backend, was_allowed in zip(backends, before):
            backend.allow_tf32 = was_allowed


@pytest.mark.parametrize("function", [sets_the_default_dtype, sets_the_grad_mode])
def test_what_a_function_sets_does_not_move_its_rivals(function, expected):
    same(table_of(function, requires_grad=True), expected)
    assert torch.get_default_dtype() == torch.float32
    assert torch.is_grad_enabled()


@contextmanager
def float64_by_default():
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize(
    "mode",
    [
        float64_by_default,
        torch.inference_mode,
        torch.no_grad,
        lambda: torch.autocast("cpu", torch.bfloat16),
        lambda: torch.device("meta"),
    ],
    ids=["float64", "inference mode", "no grad", "autocast", "device"],
)
def test_what_the_caller_has_set_changes_no_number(mode, expected):
    with mode():
        before = torch.get_default_dtype(), torch.is_inference_mode_enabled()
        before += (torch.is_grad_enabled(), torch.is_autocast_enabled("cpu"))
        table = table_of(lambda y, physics: physics.A_adjoint(y))
        after = torch.get_default_dtype(), torch.is_inference_mode_enabled()
        after += (torch.is_grad_enabled(), torch.is_autocast_enabled("cpu"))
    assert after == before
    same(table, expected)


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad])
def test_a_function_may_differentiate_whatever_the_caller_has_set(mode, output):
    def descent(y, physics):
        x = torch.zeros_like(y, requires_grad=True)
        (physics.A(x) - y).square().sum().backward()
        return x - 0.5 * x.grad

    with mode():
        report = evaluate(
            descent, "simulated[noise_level=0]", output=output, requires_grad=True
        )
    assert report.table["psnr"].item() > 100


def test_the_global_generators_are_seeded_and_put_back(output):
    drawn = []

    def draws(y, physics):
        numbers = torch.rand(()).item(), np.random.rand(), random.random()  # noqa: NPY002
        drawn.append(numbers)
        return y

    states = []
    for seed in (7, 8):
        for generator in (torch.manual_seed, np.random.seed, random.seed):
            generator(seed)
        numpy_before = np.random.get_state()[1].tolist()  # noqa: NPY002
        before = torch.get_rng_state(), numpy_before, random.getstate()
        evaluate(draws, "simulated", output=output)
        assert torch.equal(torch.get_rng_state(), before[0])
        assert np.random.get_state()[1].tolist() == before[1]  # noqa: NPY002
        assert random.getstate() == before[2]
        states.append(before)
    assert len(drawn) == 4  # The warm-up and the run, twice.
    assert len(set(drawn)) == 1
    torch.manual_seed(SEED)
    assert drawn[0][0] == torch.rand(()).item()


# Arguments


@pytest.fixture
def dummy_outputs():
    yield
    remove("test_evaluation_names")


def remove(name):
    for path in (ROOT / "outputs").iterdir():
        if name in path.name:
            path.unlink()


@pytest.mark.parametrize("suffix", ["a b", "é", "a:b", "100%", "v1.parquet"])
def test_the_page_that_is_named_exists(suffix, dummy_outputs):
    report = evaluate(
        lambda y, physics: y,
        "simulated",
        "Mine",
        output=f"test_evaluation_names {suffix}",
    )
    assert report.page.exists() and "Mine" in report.page.read_text()
    expected = f"test_evaluation_names {suffix.removesuffix('.parquet')}.parquet"
    assert report.results.name == expected


def test_versions_in_names_are_told_apart(dummy_outputs):
    results = [
        evaluate(
            lambda y, physics: y, "simulated", output=f"test_evaluation_names_v1.{i}"
        ).results.name
        for i in (0, 1)
    ]
    assert results == [f"test_evaluation_names_v1.{i}.parquet" for i in (0, 1)]


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        ({"output": ""}, "output is the name of a file, of 150 bytes at most, not ''"),
        ({"output": " "}, "output is the name of a file"),
        ({"output": ".hidden"}, "output is the name of a file"),
        ({"output": ".."}, "output is the name of a file"),
        ({"output": None}, "output is a name, and the file goes to outputs/: not None"),
        (
            {"output": "a/b"},
            "output is a name, and the file goes to outputs/: not 'a/b'",
        ),
        ({"dataset": []}, r"dataset is the name of one, .* not \[\]"),
        ({"dataset": ""}, "dataset is the name of one"),
        ({"dataset": None}, "dataset is the name of one"),
        ({"dataset": ["simulated", 3]}, "dataset is the name of one"),
        ({"name": None}, "name is what to call the function, not None"),
        ({"name": ""}, "name is what to call the function"),
        ({"against": 3}, "against is the name of a solver, .* not 3"),
        ({"function": "TV"}, "function is what is called with y and physics, not 'TV'"),
    ],
)
def test_an_argument_without_meaning_is_refused_before_anything_runs(
    arguments, sentence, monkeypatch
):
    monkeypatch.setattr(evaluation, "_run_benchmark", None)
    with pytest.raises(NotApplicable, match=sentence):
        evaluate(**({"function": lambda y, p: y, "dataset": "simulated"} | arguments))


@pytest.mark.parametrize("name", ["TV", "tv", "TV[n_iter=3]"])
def test_the_name_of_a_solver_is_refused(name):
    with pytest.raises(ValueError, match="choose another name"):
        evaluate(lambda y, physics: y, "simulated", name)


def test_the_name_of_a_rival_is_refused(tmp_path):
    text = (evaluation.ROOT / "solvers/adjoint.py").read_text()
    assert '"Adjoint"' in text
    (rival := tmp_path / "rival.py").write_text(text.replace("Adjoint", "My method"))
    with pytest.raises(NotApplicable, match=r"My method is a solver .* of against"):
        evaluate(lambda y, physics: y, "simulated", against=str(rival))
