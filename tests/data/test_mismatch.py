"""What solvers are told may differ from what measured: y, and the scores, do not."""

import math

import numpy as np
import pytest
import torch
from conftest import BENCHMARK
from skimage.io import imsave

from benchmark_utils.common import NotApplicable
from benchmark_utils.physics import CT_PROBLEMS, MRI_PROBLEMS, PROBLEMS, noise_level
from benchmark_utils.physics.noise import variance
from benchmark_utils.physics.problems import make_problem
from benchmark_utils.solving import tuned
from benchmark_utils.tuning import TrainingData

ALL = {**PROBLEMS, **MRI_PROBLEMS, **CT_PROBLEMS}
CT = {"problem": "ct_sparse", "img_size": 32, "n_angles": 12, "n_train": 1}
MRI = {"problem": "multicoil_mri", "img_size": 64, "n_images": 1, "n_coils": 3}
# dataset, its parameters, what is told wrongly
CASES = {
    "noise": ("simulated", {"problem": "inpainting"}, {"told_noise": 2}),
    "photons": ("chest", {**CT, "noise": "low_dose"}, {"told_noise": 0.5}),
    "width": ("simulated", {"problem": "gaussian_deblurring"}, {"told_blur": 0.75}),
    "angle": ("simulated", {"problem": "motion_deblurring"}, {"told_rotation": 10}),
    "maps": ("brain", {**MRI, "n_train": 1}, {"map_error": 0.2}),
    "centre": ("chest", CT, {"centre_error": 1.5}),
}


@pytest.fixture(scope="module", params=CASES)
def case(request, get_data):
    """The data of the matched problem, those with a wrong strength, and this one."""
    dataset, parameters, wrong = CASES[request.param]
    matched, mismatched = (
        get_data(dataset, **parameters, **told) for told in ({}, wrong)
    )
    return matched, mismatched, wrong


def test_the_strength_is_a_part_of_the_name(case):
    matched, mismatched, wrong = case
    ((name, value),) = wrong.items()
    assert f"{name}={value}" in mismatched["problem"]
    assert name not in matched["problem"]
    assert mismatched["defaults"] == matched["defaults"]


def test_what_is_measured_is_that_of_the_matched_problem(case):
    matched, mismatched, _ = case
    for split in ("test", "train"):
        for ours, theirs in zip(mismatched[split], matched[split], strict=True):
            assert torch.equal(ours.x, theirs.x) and torch.equal(ours.y, theirs.y)


def test_solvers_are_told_something_wrong_and_see_nothing_right(case, get_objective):
    matched, mismatched, wrong = case
    seen = get_objective(mismatched).get_objective()
    for split in ("test", "train"):
        for told, right in zip(seen[split], matched[split], strict=True):
            assert told.measured_by is None
            level, true_level = (
                noise_level(batch.physics, batch.y) for batch in (told, right)
            )
            factor = wrong.get("told_noise", 1)
            assert level == pytest.approx(factor * true_level, rel=1e-4)
            Ax, true_Ax = (batch.physics.A(right.x) for batch in (told, right))
            assert (not torch.equal(Ax, true_Ax)) == ("told_noise" not in wrong)


def test_scores_are_those_of_what_measured(case, get_objective):
    matched, mismatched, _ = case
    x_hat = [0.9 * batch.x + 0.02 for batch in matched["test"]]
    ours, theirs = (
        get_objective(data).evaluate_result(x_hat, is_last=True)
        for data in (mismatched, matched)
    )
    assert ours == theirs
    assert math.isfinite(theirs["psnr_range"]) and math.isfinite(theirs["data_fit"])


def test_each_repetition_has_the_draws_of_the_matched_one(run):
    names = ["simulated", "simulated[told_noise=2]"]
    rows = run(["Adjoint"], names, n_repetitions=2)
    psnr = rows.groupby(["dataset_name", "idx_rep"])["objective_psnr"].last().unstack()
    assert len(psnr) == 2 and (psnr.iloc[0] == psnr.iloc[1]).all()
    assert psnr.iloc[0, 0] != psnr.iloc[0, 1]


def test_tuned_values_are_borrowed_from_the_matched_problem(get_data, tuned_file):
    problems = ["ct_sparse", "ct_sparse[n_angles=12]"]
    entries = [{"TV": {"parameters": {"reg": reg}}} for reg in (1, 2)]
    tuned_file({"chest": dict(zip(problems, entries))})
    for n_angles, reg, problem in zip((60, 12), (1, 2), problems):
        data = get_data("chest", **{**CT, "n_angles": n_angles}, centre_error=3)
        found = tuned.tuned_parameters(
            "chest", data["problem"], "TV", defaults=data["defaults"]
        )
        assert found == ({"reg": reg}, f"borrowed from chest {problem}")


def test_what_is_tuned_is_the_matched_problem():
    (dataset_class,) = BENCHMARK.check_dataset_patterns(["chest"], class_only=True)
    wrong, right = (
        TrainingData(dataset_class.get_instance(**CT, **told))
        for told in ({"centre_error": 2, "told_noise": 2}, {})
    )
    assert wrong.problem == right.problem == "ct_sparse[n_angles=12]"
    (_, [ours]), (_, [theirs]) = (data.for_solver(False) for data in (wrong, right))
    assert torch.equal(ours.y, theirs.y)
    assert ours.physics.geometry == theirs.physics.geometry


# What is told


def told_and_right(problem, shape=(1, 48, 40), **strengths):
    problem = make_problem(problem, ALL, **strengths)
    right = problem.physics(shape, torch.Generator().manual_seed(0))
    return problem.told(right, torch.Generator().manual_seed(1), None), right


def image(*shape):
    return torch.rand(1, *shape, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("factor", [0.5, 2])
@pytest.mark.parametrize(
    "problem, strengths",
    [
        ("denoising", {}),
        ("sr4", {"noise_level": 0}),
        ("inpainting", {"noise": "poisson"}),
        ("gaussian_deblurring", {"noise": "poisson_gaussian"}),
        ("ct", {"noise": "low_dose", "n_angles": 4}),
    ],
)
def test_the_noise_that_is_told_has_so_many_times_the_deviation(
    problem, strengths, factor
):
    told, right = told_and_right(problem, told_noise=factor, **strengths)
    # At 0, the variance of Poisson's noise is another one.
    y = right.A(image(1, 48, 40)).clamp(min=0.5)
    torch.testing.assert_close(
        variance(told, y), factor**2 * variance(right, y), rtol=1e-5, atol=0
    )


def test_half_of_the_noise_of_a_sinogram_is_what_its_data_term_has(get_data):
    told, right = (
        get_data("chest", problem="ct", img_size=64, told_noise=factor)["test"][0]
        for factor in (0.5, 1.0)
    )
    assert noise_level(told.physics) == pytest.approx(0.5 * noise_level(right.physics))


@pytest.mark.parametrize("boundary", ["circular", "valid"])
def test_the_kernel_that_is_told_is_the_gaussian_of_the_other_width(boundary):
    options = {"boundary": boundary, "shape": (3, 48, 40)}
    told, right = told_and_right("gaussian_deblurring", told_blur=0.75, **options)
    other, _ = told_and_right("gaussian_deblurring", blur_std=1.5, **options)
    x = image(3, 48, 40)
    torch.testing.assert_close(told.A(x), other.A(x))
    torch.testing.assert_close(told.A_adjoint(right.A(x)), other.A_adjoint(right.A(x)))


@pytest.mark.parametrize("kernel", [1, 4])
@pytest.mark.parametrize("boundary", ["circular", "valid"])
def test_the_kernel_that_is_told_is_turned_counterclockwise(boundary, kernel):
    told, right = told_and_right(
        "motion_deblurring", told_rotation=90, boundary=boundary, kernel=kernel
    )
    turned = torch.rot90(right.filter, dims=(-2, -1))
    torch.testing.assert_close(told.filter, turned, rtol=0, atol=1e-5)
    little, _ = told_and_right("motion_deblurring", told_rotation=10, kernel=kernel)
    assert float(little.filter.sum()) == pytest.approx(1, abs=1e-5)
    assert float(little.filter.min()) >= 0
    assert float((little.filter - right.filter).norm()) > 0.05


def test_an_angle_of_a_measured_kernel_turns_it_too(tmp_path):
    path = tmp_path / "psf.png"
    line = np.zeros((9, 9), np.uint8)
    line[4] = 200
    imsave(path, line, check_contrast=False)
    told, _ = told_and_right("motion_deblurring", kernel=str(path), told_rotation=90)
    expected = torch.zeros(9, 9)
    expected[:, 4] = 1 / 9
    torch.testing.assert_close(told.filter[0, 0], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("problem", ["ct", "ct_limited", "ct_fan"])
def test_the_centre_that_is_told_is_seen_so_many_bins_away(problem):
    told, right = told_and_right(problem, n_angles=9, centre_error=3)
    x = torch.zeros(1, 1, 48, 40)
    x[..., 14:34, 10:30] = image(1, 20, 20)
    ours, theirs = (physics.norm * physics.A(x) for physics in (told, right))
    if problem != "ct_fan":
        torch.testing.assert_close(ours[..., 3:, :], theirs[..., :-3, :])
        assert float(ours[..., :3, :].abs().max()) == 0
    assert told.norm == pytest.approx(right.norm, rel=2e-3)


BAD = [
    ("denoising", {"told_noise": 0}, "told_noise must be a number above 0, not 0."),
    ("sr4", {"told_noise": "high"}, "told_noise must be a number above 0, not 'high'."),
    ("gaussian_deblurring", {"told_blur": -1}, "told_blur must be a number above 0"),
    (
        "gaussian_deblurring",
        {"told_blur": 3},
        "blur_std times told_blur must be a number above 0, 4 at most, not 6.0.",
    ),
    (
        "gaussian_deblurring",
        {"told_blur": 0.5, "kernel": "/my/psf.npy"},
        "with a kernel of a file, leave it out.",
    ),
    ("motion_deblurring", {"told_blur": 2}, "motion_deblurring has no told_blur."),
    (
        "motion_deblurring",
        {"told_rotation": math.nan},
        "told_rotation must be a number, not nan.",
    ),
    ("ct", {"centre_error": "left"}, "centre_error must be a number, not 'left'."),
    (
        "ct",
        {"centre_error": -32},
        "centre_error=-32 puts the centre of rotation outside of the detector: it must "
        "be less than half of its 63 bins.",
    ),
    ("multicoil_mri", {"map_error": -1}, "map_error must be a number, 0 or more"),
]


@pytest.mark.parametrize("problem, strengths, sentence", BAD)
def test_what_has_no_meaning_is_refused_in_a_sentence(problem, strengths, sentence):
    with pytest.raises(NotApplicable) as error:
        told_and_right(problem, **strengths)
    assert sentence in str(error.value)


def test_a_kernel_that_leaves_its_rectangle_is_refused_in_a_sentence(tmp_path):
    path = tmp_path / "psf.npy"
    corners = np.zeros((9, 9))
    corners[0, 0] = corners[-1, -1] = 1
    np.save(path, corners)
    with pytest.raises(NotApplicable) as error:
        told_and_right("motion_deblurring", kernel=str(path), told_rotation=45)
    assert "half of the kernel leaves its rectangle of 9x9 pixels" in str(error.value)


def test_a_dataset_says_what_is_wrong_and_the_others_go_on(get_data):
    data = get_data("chest", **CT, centre_error=100)
    assert "outside of the detector" in data["unavailable"]


def test_operators_of_users_have_a_noise_that_can_be_told_wrongly(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "import deepinv as dinv\n"
        "def make_physics(shape, generator):\n"
        "    noise = dinv.physics.GaussianNoise(0.1)\n"
        "    return dinv.physics.Denoising(noise_model=noise)\n"
    )
    problem = make_problem(str(path), told_noise=2)
    right = problem.physics((1, 16, 16), torch.Generator())
    told = problem.told(right, torch.Generator(), None)
    assert (noise_level(told), noise_level(right)) == pytest.approx((0.2, 0.1))
