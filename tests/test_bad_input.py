"""What goes wrong is said in one clear sentence, and the others go on."""

import math
import shutil

import pytest
import torch
from benchopt.results import read_results
from conftest import BENCHMARK, ROOT
from operators import make_physics
from preloaded import run_benchopt

from benchmark_utils.common import device
from benchmark_utils.data import images
from benchmark_utils.physics.problems import PROBLEMS
from benchmark_utils.priors import compact, published_weights, restoration

GOOD = "Pseudo-inverse"
NAN = """
def iterate(self, y, physics):
    yield physics.A_adjoint(y)
    yield y * float("nan")
    yield physics.A_adjoint(y)
"""
SMALL = """
def iterate(self, y, physics):
    yield y[..., :8, :8]
"""
CRASH = """
def iterate(self, y, physics):
    yield y
    raise RuntimeError("The method broke down.")
"""

BSD_SETS = "images must be one of bsd20, bsd68, bsds500-val, not "


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """No network, and no image set but the packaged ones: the empty data folder."""

    def fetch(folder):
        raise ConnectionError("no route to host")

    for key, source in images.SOURCES.items():
        monkeypatch.setitem(images.SOURCES, key, images.Source(source.home, fetch))
    monkeypatch.setattr(images, "data_folder", lambda key: tmp_path / key)
    return tmp_path


@pytest.fixture
def damaged_set3c(offline):
    """A copy of Set3C that is not Set3C."""
    (offline / "set3c").mkdir()
    for name in ("butterfly", "leaves", "starfish"):
        (offline / "set3c" / f"{name}.png").write_bytes(b"damaged")
    return offline / "set3c"


def said(capfd):
    """All that was printed so far, on one line."""
    return " ".join("\n".join(capfd.readouterr()).split())


def solvers_of(rows):
    return list(rows.solver_name.unique())


# Values of parameters, where they are read


@pytest.mark.parametrize(
    "problem, strength, value",
    [
        ("sr4", "factor", 0),
        ("sr4", "factor", -2),
        ("sr4", "factor", 2.5),
        ("sr4", "factor", "four"),
        ("gaussian_deblurring", "blur_std", 0),
        ("gaussian_deblurring", "blur_std", -1),
        ("gaussian_deblurring", "blur_std", 5),
        ("gaussian_deblurring", "blur_std", "wide"),
        ("motion_deblurring", "kernel", 0),
        ("motion_deblurring", "kernel", 9),
        ("inpainting", "missing", 1.5),
        ("inpainting", "missing", -0.1),
        ("inpainting", "missing", "half"),
        ("denoising", "noise_level", -0.1),
        ("denoising", "noise_level", "loud"),
    ],
)
def test_a_strength_without_meaning_is_refused_by_name(problem, strength, value):
    with pytest.raises(ValueError, match=strength):
        make_physics(problem, (3, 40, 40), torch.Generator(), **{strength: value})


def test_a_strength_of_another_problem_is_refused():
    with pytest.raises(ValueError, match="denoising has no blur_std"):
        make_physics("denoising", (3, 8, 8), torch.Generator(), blur_std=2.0)


@pytest.mark.parametrize("problem", ["gaussian_deblurring", "motion_deblurring", "sr4"])
def test_an_image_smaller_than_the_kernel_is_refused(problem):
    with pytest.raises(ValueError, match=r"8x8 pixels"):
        make_physics(problem, (3, 8, 8), torch.Generator())


def test_an_unknown_problem_is_answered_with_those_that_exist():
    with pytest.raises(ValueError) as error:
        make_physics("deblurring", (3, 8, 8), torch.Generator())
    assert "'deblurring'" in str(error.value)
    assert all(problem in str(error.value) for problem in PROBLEMS)


# Datasets: skipped with the reason


@pytest.mark.parametrize(
    "dataset, parameters, reason",
    [
        ("simulated", {"problem": "deblurring"}, "There is no problem 'deblurring'"),
        ("simulated", {"missing": 0.2}, "denoising has no missing"),
        (
            "simulated",
            {"problem": "sr4", "img_size": 30},
            "An image of 30x30 pixels cannot be downsampled by 4",
        ),
        ("simulated", {"problem": "sr4", "factor": 0}, "factor"),
        ("simulated", {"n_images": 0}, "n_images must be a whole number, 1 or more"),
        ("simulated", {"n_images": "two"}, "n_images must be a whole number"),
        ("simulated", {"n_images": None}, "n_images must be a whole number"),
        ("simulated", {"img_size": None}, "img_size must be a whole number, 8 or more"),
        ("simulated", {"img_size": 1}, "img_size must be a whole number, 8 or more"),
        ("natural", {"img_size": 513}, "astronaut has 512x512 pixels"),
        ("natural", {"img_size": 0}, "img_size"),
        ("natural", {"img_size": 32.5}, "img_size"),
        ("natural", {"img_size": "small"}, "img_size"),
        (
            "bsd",
            {"images": "bsd99"},
            BSD_SETS + "'bsd99'.",
        ),
        (
            "bsd",
            {"images": "natural-test"},
            BSD_SETS + "'natural-test'.",
        ),
        (
            "bsd",
            {"images": "bsds500-train"},
            BSD_SETS + "'bsds500-train'.",
        ),
        ("bsd", {}, "The image set bsd20 is not on this machine"),
        ("set3c", {}, "The image set set3c is not on this machine"),
        ("imagenet100", {}, "The image set imagenet100 is not on this machine"),
        ("imagenet100", {"n_images": "all"}, "n_images must be a whole number"),
        ("imagenet100", {"n_images": -1}, "n_images must be a whole number"),
        ("imagenet100", {"n_train": "all"}, "n_train must be a whole number"),
        ("bsd", {"n_train": -1}, "n_train must be a whole number, 0 or more, or None"),
        ("set3c", {"n_train": 2.5}, "n_train must be a whole number"),
    ],
)
def test_a_dataset_that_cannot_be_made_says_why_and_is_skipped(
    dataset, parameters, reason, offline, get_data
):
    data = get_data(dataset, **{"problem": "denoising", **parameters})
    assert reason in data["unavailable"]
    assert "\n" not in data["unavailable"]
    objective = BENCHMARK.get_benchmark_objective().get_instance(device="cpu")
    assert objective.skip(**data) == (True, data["unavailable"])


def test_offline_the_message_says_where_to_get_the_images(offline):
    with pytest.raises(images.Unavailable) as error:
        images.load_images("set3c")
    message = str(error.value)
    assert "could not be downloaded (ConnectionError)" in message
    assert images.SOURCES["set3c"].home in message
    assert "config_local.yml, as data_paths: {set3c:" in message


def test_a_download_that_lacks_a_file_names_it(offline, monkeypatch):
    source = images.Source("https://somewhere", lambda folder: None)
    monkeypatch.setitem(images.SOURCES, "set3c", source)
    with pytest.raises(images.Unavailable, match=r"set3c/butterfly\.png is missing"):
        images.load_images("set3c")


def test_a_damaged_image_is_named_and_never_used(damaged_set3c):
    with pytest.raises(images.Unavailable) as error:
        images.load_images("set3c")
    assert str(damaged_set3c / "butterfly.png") in str(error.value)
    assert "checksum" in str(error.value)
    assert "your own copy for one of a folder of data_paths" in str(error.value)


def test_no_image_asked_for_is_no_image_and_no_download(offline):
    assert images.load_images("bsds500-train", 0) == {}


def test_a_run_goes_on_with_the_other_datasets(offline, run, capfd):
    datasets = [
        "simulated[problem=deblurring]",
        "set3c[problem=denoising]",
        "bsd[images=bsd99,problem=denoising]",
        "natural[problem=sr4,img_size=33]",
        "simulated[problem=inpainting,missing=half]",
        "simulated[img_size=None]",
        "imagenet100[problem=denoising,n_images=all]",
        "simulated",
    ]
    rows = run([GOOD], datasets)
    assert list(rows.dataset_name.unique()) == ["simulated[problem=denoising]"]
    output = said(capfd)
    for reason in (
        "Reason: There is no problem 'deblurring' for these images. The problems are: ",
        "Reason: The image set set3c is not on this machine",
        "Reason: images must be one of bsd20, bsd68, bsds500-val, not 'bsd99'.",
        "Reason: An image of 33x33 pixels cannot be downsampled by 4",
        "missing",
        "Reason: img_size must be a whole number, 8 or more, not None.",
        "Reason: n_images must be a whole number, 1 or more, or None, not 'all'.",
    ):
        assert reason in output
    assert "Traceback" not in output


# Solvers


def test_an_unknown_denoiser_is_skipped_with_the_list_of_those_that_exist(run, capfd):
    rows = run(["PnP-HQS[denoiser=median]", GOOD])
    assert solvers_of(rows) == [GOOD]
    output = said(capfd)
    assert "Reason: Unknown denoiser 'median'. The denoisers are: " in output
    assert "Traceback" not in output


def test_wrong_weights_are_never_used(run, capfd, tmp_path, monkeypatch):
    folder = tmp_path / "weights"
    shutil.copytree(compact.WEIGHTS, folder)
    with (folder / "compact_denoiser.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"!")
    monkeypatch.setattr(compact, "WEIGHTS", folder)
    rows = run(["PnP-HQS", GOOD])
    assert solvers_of(rows) == [GOOD]
    output = said(capfd)
    assert "compact_denoiser.safetensors is not the file that this benchmark" in output
    assert "its checksum is wrong" in output
    assert "Traceback" not in output


def test_missing_weights_are_asked_for(run, capfd, tmp_path, monkeypatch):
    monkeypatch.setattr(compact, "WEIGHTS", tmp_path)
    rows = run(["PnP-HQS", GOOD])
    assert solvers_of(rows) == [GOOD]
    assert "compact_denoiser.safetensors are not in" in said(capfd)


def test_weights_that_cannot_be_downloaded_are_asked_for(
    run, capfd, tmp_path, monkeypatch
):
    def no_network(*args, **kwargs):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(published_weights, "data_folder", lambda key: tmp_path)
    monkeypatch.setattr(published_weights, "hf_hub_download", no_network)
    rows = run(["PnP-HQS[denoiser=drunet]", GOOD])
    assert solvers_of(rows) == [GOOD]
    output = said(capfd)
    assert "could not be downloaded (ConnectionError)" in output
    assert published_weights.FILES["drunet"].file in output
    assert "Traceback" not in output


def test_downloaded_weights_with_a_wrong_checksum_are_refused(
    run, capfd, tmp_path, monkeypatch
):
    path = tmp_path / published_weights.FILES["drunet"].file
    path.write_bytes(b"damaged")
    monkeypatch.setattr(published_weights, "data_folder", lambda key: tmp_path)
    rows = run(["PnP-HQS[denoiser=drunet]", GOOD])
    assert solvers_of(rows) == [GOOD]
    assert "its checksum is wrong" in said(capfd)


def test_nan_is_said_scored_and_harms_nobody_else(run, capfd, solver_file):
    rows = run([solver_file("Diverging", NAN), GOOD], ["simulated[n_images=1]"])
    assert solvers_of(rows) == ["Diverging", GOOD]
    diverging = rows[rows.solver_name == "Diverging"]
    assert diverging.objective_diverged.iloc[0] == 0
    assert diverging.objective_diverged.iloc[-1] == 1
    assert diverging.objective_psnr.notna().iloc[0]
    assert diverging.objective_psnr.isna().iloc[-1]
    assert rows[rows.solver_name == GOOD].objective_psnr.notna().all()
    assert "Diverging: NaN or infinite values" in said(capfd)


@pytest.mark.parametrize(
    "name, body, message",
    [
        ("Small", SMALL, "a solver yields one reconstruction per image, of its size"),
        ("Crash", CRASH, "The method broke down."),
    ],
    ids=["wrong shape", "exception"],
)
def test_a_solver_that_fails_says_it_and_the_others_go_on(
    name, body, message, run, capfd, solver_file
):
    rows = run([GOOD, solver_file(name, body), "TV[n_iter=3]"])
    assert solvers_of(rows) == [GOOD, "TV[n_iter=3]"]
    assert message in said(capfd)


@pytest.mark.parametrize("wavelet", ["cat", "bior2.2", "morl", 8])
def test_a_wavelet_that_is_not_orthogonal_is_skipped_with_the_families(
    wavelet, run, capfd
):
    rows = run([f"Wavelets[wavelet={wavelet}]", GOOD])
    assert solvers_of(rows) == [GOOD]
    output = said(capfd)
    assert (
        "Reason: wavelet must be an orthogonal one of PyWavelets, of the families "
        f"haar, db, sym, coif or dmey (db8, say), not {wavelet!r}."
    ) in output
    assert "Traceback" not in output


COUNT, POSITIVE = "must be a whole number, 1 or more", "must be a number above 0"


def test_a_parameter_without_meaning_is_refused_and_the_others_go_on(run, capfd):
    rows = run(["TV[n_iter=0]", "PnP-HQS[sigma_start=0]", GOOD])
    assert solvers_of(rows) == [GOOD]
    output = said(capfd)
    assert f"Reason: n_iter {COUNT}, not 0." in output
    assert f"Reason: sigma_start {POSITIVE}, not 0." in output
    assert "Traceback" not in output


@pytest.mark.parametrize(
    "name, parameters, reason",
    [
        ("TV", {"n_iter": 2.5}, f"n_iter {COUNT}, not 2.5."),
        ("DRP", {"n_cg": 0}, f"n_cg {COUNT}, not 0."),
        ("DRP", {"prior": None}, "DRP takes an SR prior (sr2 or sr3), not None."),
        ("PnP-HQS", {"reg": 0}, f"reg {POSITIVE}, not 0."),
        ("PnP-ADMM", {"reg": "a"}, f"reg {POSITIVE}, not 'a'."),
        ("FiRe-HQS", {"noise": "0.05"}, f"noise {POSITIVE}, not '0.05'."),
        ("FiRe-HQS", {"lambda_": -5}, "lambda_ must be a number, 0 or more, not -5."),
        ("FiRe-HQS", {"gamma": None}, "gamma must be a number, not None."),
        ("FiRe-HQS", {"gamma": "a"}, "gamma must be a number, not 'a'."),
        ("FiRe-HQS", {"strength": 2}, "strength must be between 0 and 1, not 2."),
        ("FiRe-HQS", {"priors": None}, "Unknown prior 'None'."),
        ("TV", {"n_iter": None}, f"n_iter {COUNT}, not None."),
        ("TV", {"step": 0}, f"step {POSITIVE}, not 0."),
        ("SNORE", {"step": "a"}, f"step {POSITIVE}, not 'a'."),
        ("SHARP", {"step": -1}, f"step {POSITIVE}, not -1."),
        ("Wavelets", {"levels": 2.5}, f"levels {COUNT}, not 2.5."),
        ("DIP", {"layers": 1}, "layers must be a whole number, 2 or more, not 1."),
        ("DIP", {"lr": 0}, f"lr {POSITIVE}, not 0."),
        ("CDL", {"atom_size": 0}, f"atom_size {COUNT}, not 0."),
        ("CDL", {"atom_size": 33}, "Atoms of 33x33 pixels do not fit in an image of 3"),
        (
            "CDL",
            {"n_atoms": 500},
            "500 atoms of 12x12 pixels cannot be cut out of ",
        ),
        ("CDL supervised", {"atom_size": 33}, "Atoms of 33x33 pixels do not fit in an"),
        ("CDL supervised", {"low": -1}, "low must be a number, 0 or more, not -1."),
    ],
)
def test_a_parameter_without_meaning_has_its_sentence(
    name, parameters, reason, get_data
):
    (solver_class,) = BENCHMARK.check_solver_patterns([name], class_only=True)
    data = {**get_data("simulated", problem="inpainting"), "device": "cpu"}
    skipped, said = solver_class.get_instance(**parameters).skip(**data)
    assert skipped and said.startswith(reason)


WEIGHTS = [
    str(solver.get_instance(**{name: 0}))
    for solver in BENCHMARK.get_solvers()
    for name, space in getattr(solver, "search_space", {}).items()
    if getattr(space, "may_be_zero", False)
]


def test_no_weight_at_all_has_a_meaning(run):
    rows = run(WEIGHTS, ["simulated[problem=inpainting]"])
    last = rows.groupby("solver_name", sort=False).last()
    assert sorted(last.index) == sorted(WEIGHTS)
    assert last.objective_psnr.map(math.isfinite).all()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_a_device_that_is_not_there_is_said(run, capfd):
    devices = ["cuda", "cpu"]
    rows = run([GOOD], objectives=[f"Inverse problems[device={d}]" for d in devices])
    assert list(rows.p_obj_device.unique()) == ["cpu"]
    output = said(capfd)
    assert "Reason: device=cuda was asked for, but torch sees no CUDA device" in output
    assert "Traceback" not in output


def test_what_is_no_device_is_said_and_the_others_go_on(run, capfd):
    devices = ["0", "gpu", "cpu"]
    rows = run([GOOD], objectives=[f"Inverse problems[device={d}]" for d in devices])
    assert list(rows.p_obj_device.unique()) == ["cpu"]
    output = said(capfd)
    for asked in ("0", "'gpu'"):
        sentence = "device must be auto, cpu, cuda or, with its quotes, 'cuda:1', not "
        assert f"Reason: {sentence}{asked}." in output
    assert "Traceback" not in output


def test_on_a_login_node_the_device_is_said_and_left_to_the_jobs(get_data, monkeypatch):
    objective = BENCHMARK.get_benchmark_objective()
    monkeypatch.setattr(device, "is_distributed_frontal", lambda: True)
    data = get_data("simulated")
    assert objective.get_instance(device="cuda").skip(**data) == (False, None)
    skipped, reason = objective.get_instance(device="auto").skip(**data)
    assert skipped and "[device=cuda]" in reason


@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_a_cuda_device_that_is_there_is_taken(device, get_data, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    objective = BENCHMARK.get_benchmark_objective().get_instance(device=device)
    assert objective.skip(**get_data("simulated")) == (False, None)


def test_a_cuda_device_beyond_the_last_is_said(get_data, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    objective = BENCHMARK.get_benchmark_objective().get_instance(device="cuda:9")
    skipped, reason = objective.skip(**get_data("simulated"))
    assert skipped
    assert reason.startswith("device=cuda:9 was asked for, but the last CUDA device")
    assert reason.endswith("cuda:1.")


# Scores


@pytest.fixture(scope="module")
def reason_of(get_data):
    """reason_of(anomaly, dataset, **parameters): why the objective is skipped."""

    def reason_of(anomaly, dataset="simulated", **parameters):
        objective = BENCHMARK.get_benchmark_objective().get_instance(
            device="cpu", anomaly=anomaly
        )
        return objective.skip(**get_data(dataset, **parameters))[1]

    return reason_of


@pytest.mark.parametrize("anomaly", ["derain", "denoiser+derain", "denoiser + sr2"])
def test_an_unknown_prior_of_the_scores_is_answered_with_those_that_exist(
    anomaly, reason_of
):
    reason = reason_of(anomaly)
    assert repr(anomaly) in reason and "Unknown prior" in reason
    assert all(task in reason for task in restoration.RESTORERS["compact"])


def test_scores_by_priors_that_do_not_take_the_signals_are_refused(reason_of):
    assert "16 pixels or more" in reason_of("denoiser+motion", img_size=8)
    assert "joined by" in reason_of(7)


def test_scores_by_priors_whose_weights_are_missing_are_refused(
    reason_of, tmp_path, monkeypatch
):
    monkeypatch.setattr(compact, "WEIGHTS", tmp_path)
    assert "compact_denoiser.safetensors are not in" in reason_of("denoiser")


@pytest.mark.parametrize(
    "dataset, parameters, kind",
    [
        ("brain", {"img_size": 32, "n_images": 1}, "complex images"),
        ("synthetic_dictionary", {"n_signals": 8, "n_train": 8}, "vectors"),
    ],
)
def test_signals_that_priors_cannot_score_are_called_what_they_are(
    dataset, parameters, kind, reason_of
):
    reason = reason_of("denoiser", dataset, **parameters)
    assert f"for real images, and these signals are {kind}." in reason


@pytest.mark.parametrize("anomaly", ["", "denoiser", "denoiser+sr2"])
def test_known_priors_of_the_scores_are_taken(anomaly, reason_of):
    assert reason_of(anomaly) is None


def test_an_unknown_prior_of_the_scores_is_said_before_any_solver_runs(run, capfd):
    objectives = [f"Inverse problems[anomaly={name}]" for name in ("derain", "sr2")]
    rows = run([GOOD], objectives=objectives)
    assert list(rows.p_obj_anomaly.unique()) == ["sr2"]
    output = said(capfd)
    assert "Reason: anomaly='derain': Unknown prior 'derain'. The priors are" in output
    assert "Traceback" not in output


# From the command line, as a user meets it


@pytest.mark.parametrize("method", ["check", "setup"])
def test_an_error_that_is_not_a_refusal_is_a_bug_with_its_traceback(
    method, run, capfd, solver_file
):
    body = f"""
def {method}(self):
    raise ValueError("operands could not be broadcast together")
def iterate(self, y, physics):
    yield y
"""
    rows = run([GOOD, solver_file("Bug", body)])
    assert solvers_of(rows) == [GOOD]
    captured = capfd.readouterr()
    assert "Traceback" in captured.err
    assert "operands could not be broadcast together" in captured.err
    assert "skip" not in captured.out


def test_a_run_from_the_command_line_keeps_all_that_could_be_computed(
    tmp_path, solver_file
):
    benchmark = tmp_path / "benchmark"
    for part in ("benchmark_utils", "datasets", "solvers"):
        shutil.copytree(ROOT / part, benchmark / part)
    shutil.copy(ROOT / "objective.py", benchmark)
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for name in ("butterfly", "leaves", "starfish"):
        (damaged / f"{name}.png").write_bytes(b"damaged")
    (benchmark / "config.yml").write_text(f"data_paths: {{set3c: {damaged}}}\n")

    options = ["--no-plot", "--output", "all", "-n", "1", "--timeout", "1"]
    for dataset in ("set3c[problem=denoising]", "simulated"):
        options += ["-d", dataset]
    for solver in (GOOD, solver_file("Diverging", NAN), solver_file("Crash", CRASH)):
        options += ["-s", str(solver)]
    result = run_benchopt("run", benchmark, *options, cwd=ROOT)
    assert result.returncode == 1
    rows = read_results(benchmark / "outputs" / "all.parquet")
    assert set(solvers_of(rows)) == {GOOD, "Diverging"}
    assert list(rows.dataset_name.unique()) == ["simulated[problem=denoising]"]
    assert str(damaged / "butterfly.png") in result.stdout
    assert "its checksum is wrong" in result.stdout
    assert "The method broke down." in result.stderr
    assert not (benchmark / "data").exists()
