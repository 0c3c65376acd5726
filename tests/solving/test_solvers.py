"""Every solver on the five problems, and what the base class promises to them all."""

import math
from functools import cache
from itertools import pairwise

import pytest
import torch
from conftest import BENCHMARK
from operators import make_physics

from benchmark_utils.data.batches import Batch
from benchmark_utils.physics.data_term import data_term
from benchmark_utils.physics.problems import PROBLEMS
from benchmark_utils.priors import denoisers, load_compact
from benchmark_utils.scoring import metrics
from benchmark_utils.solving.networks import UsesNetworks

# What tables call each solver, with its default parameters but for the slow ones.
# Dictionaries are for vectors: tests/test_dictionary_solvers.py.
FEWER_ITERATIONS = {
    "DIP": {"n_iter": 150},
    "CDL supervised": {"n_steps": 20},
    "U-Net": {"n_steps": 20},
    "Self-supervised": {"n_steps": 20},
    "Unrolled": {"n_steps": 10, "n_iter": 3},
    "Fine-tuned": {"n_steps": 3, "n_iter": 2},
    "Bilevel": {"n_steps": 3, "n_iter": 30},
}
# Those of tomography are in test_ct.py, that of MRI in test_complex.py, and RAM, whose
# weights are downloaded, in test_ram.py.
ELSEWHERE = ("Filtered back-projection", "SIRT", "Learned primal-dual", "VarNet", "RAM")
LABELS = {
    solver.name: str(solver.get_instance(**FEWER_ITERATIONS.get(solver.name, {})))
    for solver in BENCHMARK.get_solvers()
    if not solver.name.startswith("Dictionary") and solver.name not in ELSEWHERE
}
SOLVERS = sorted(LABELS)
# A denoiser alone solves its own problem only; fixed points start from an image.
CURVES = [
    (solver, problem)
    for solver in SOLVERS
    for problem in PROBLEMS
    if solver not in ("Denoiser", "Fixed points") or problem == "denoising"
]
# These show what happens without a degradation, or without data: they may diverge.
DRIFTING = ("Restoration-PnP", "Fixed points")
RECONSTRUCTIONS = [curve for curve in CURVES if curve[0] not in DRIFTING]
INVERSE = "Pseudo-inverse[reg=0]"
# These claim to improve on what iterative solvers start from; a new solver need not.
PRIORS = (
    "CDL",
    "CDL supervised",
    "DIP",
    "DRP",
    "Denoiser",
    "FiRe-ADMM",
    "FiRe-HQS",
    "PnP-ADMM",
    "PnP-HQS",
    "PnP-PGD",
    "SHARP",
    "SNORE",
    "TV",
    "Wavelets",
)
# DIP has few iterations here. PnP-PGD and SHARP creep along what a blur dampens, and
# the atoms of CDL are cut out of a few blurred pixels.
UNCLAIMED = [
    ("DIP", "gaussian_deblurring"),
    ("DIP", "motion_deblurring"),
    ("DIP", "sr4"),
    ("PnP-PGD", "gaussian_deblurring"),
    ("PnP-PGD", "motion_deblurring"),
    ("SHARP", "motion_deblurring"),
    ("CDL", "motion_deblurring"),
    # On photographs, below: wavelets are too wide for 8x8 measurements, and the network
    # of SHARP knows photographs, not atoms.
    ("Wavelets", "sr4"),
    ("SHARP", "gaussian_deblurring"),
    ("SHARP", "sr4"),
]
CLAIMS = [c for c in CURVES if c[0] in PRIORS and c not in UNCLAIMED]
# Priors that only speak of what their degradation keeps leave the finest noise, and
# SNORE ends with a noise level of 0.02, far below that of the measurements. The atoms
# of CDL are cut out of the noise itself.
NOISE_IS_LEFT = ("CDL", "DRP", "FiRe-ADMM", "FiRe-HQS", "SHARP", "SNORE")


@pytest.fixture(scope="module")
def curve(run):
    """curve(solver, problem): its rows. Only the solvers that are asked for are run."""

    @cache
    def results(label):
        return run([label], [f"simulated[problem=[{','.join(PROBLEMS)}]]"])

    def curve(solver, problem):
        rows = results(LABELS.get(solver, solver))
        rows = rows[rows.dataset_name == f"simulated[problem={problem}]"]
        assert len(rows), f"{solver} has no row for {problem}"
        return rows

    return curve


@pytest.mark.parametrize("solver, problem", RECONSTRUCTIONS)
def test_scores_are_finite_and_nothing_diverges(solver, problem, curve):
    rows = curve(solver, problem)
    assert rows.objective_psnr.map(math.isfinite).all()
    assert rows.objective_data_fit.map(math.isfinite).all()
    assert (rows.objective_diverged == 0).all()


@pytest.mark.parametrize("solver, problem", CLAIMS)
def test_a_prior_improves_on_where_solvers_start_from(solver, problem, curve):
    ours, start = (
        curve(name, problem).objective_psnr.iloc[-1]
        for name in (solver, "Initial guess")
    )
    if problem != "denoising":
        assert ours > start
    elif solver in NOISE_IS_LEFT:
        # With the shipped sr2, DRP stays as close to y as that.
        assert ours > start - (0.01 if solver == "DRP" else 0)
    else:
        assert ours > start + 3


@pytest.mark.parametrize(
    "solver, problem",
    [("Wavelets", "sr4"), ("SHARP", "gaussian_deblurring"), ("SHARP", "sr4")],
)
def test_these_improve_on_where_they_start_from_on_photographs(solver, problem, run):
    side = 256 if solver == "Wavelets" else 64
    rows = run(
        ["Initial guess", solver], [f"natural[problem={problem},img_size={side}]"]
    )
    psnr = rows.groupby("solver_name").objective_psnr.last()
    (ours,) = psnr[psnr.index.str.startswith(solver)]
    assert ours > psnr["Initial guess"] + 0.05


@pytest.mark.parametrize("solver, problem", CURVES)
def test_costly_scores_are_on_the_last_row_alone(solver, problem, curve):
    rows = curve(solver, problem)
    scored = not rows.objective_diverged.iloc[-1]
    for score in ("objective_ssim", "objective_psnr_range"):
        assert rows[score].notna().tolist() == [False] * (len(rows) - 1) + [scored]
    # Without a problem that has a kernel, there is no such column.
    kernel = rows.get("objective_psnr_kernel", rows.objective_psnr * math.nan)
    has_kernel = bool(kernel.notna().iloc[-1])
    assert has_kernel == (scored and problem != "denoising")
    assert scored or solver in DRIFTING


@pytest.mark.parametrize("solver, problem", CURVES)
def test_times_and_iterations_increase_along_the_curve(solver, problem, curve):
    rows = curve(solver, problem)
    assert rows.time.is_monotonic_increasing and rows.time.iloc[0] > 0
    assert rows.stop_val.is_monotonic_increasing and rows.stop_val.is_unique
    assert rows.objective_n_network_calls.is_monotonic_increasing


@pytest.mark.parametrize("solver, problem", CURVES)
def test_the_last_row_alone_has_pictures(solver, problem, curve):
    *others, pictures = curve(solver, problem).final_results
    assert not any(isinstance(other, dict) for other in others)
    assert pictures["names"] == ["test0", "test1"]
    assert len(pictures["reconstruction"]) == 2


@pytest.mark.parametrize(
    "solver, calls",
    [
        ("PnP-HQS[n_iter=3]", 3),
        ("PnP-PGD[n_iter=4]", 4),
        ("PnP-ADMM[n_iter=5]", 5),
        ("TV[n_iter=5]", 0),
        ("PnP-HQS[denoiser=tv,n_iter=3]", 0),
        ("PnP-HQS[denoiser=equivariant,n_iter=2]", 16),
        ("SNORE[n_iter=3]", 3),
        ("FiRe-HQS[priors='denoiser+sr2+denoiser',n_iter=2]", 6),
        ("FiRe-HQS[priors='denoiser+sr2',gamma='0.5+0',n_iter=2]", 2),
        ("FiRe-ADMM[priors='denoiser+sr2+denoiser',n_iter=2]", 6),
        ("FiRe-ADMM[priors='denoiser+sr2',gamma='0.5+0',n_iter=2]", 2),
        ("Restoration-PnP[prior=denoiser,n_iter=3]", 3),
        ("SHARP[prior=denoiser,n_iter=3]", 3),
        ("DRP[prior=sr2,n_iter=2]", 2),
        ("Fixed points[prior=denoiser,n_iter=4]", 4),
    ],
)
def test_network_calls_are_counted_per_image(solver, calls, run):
    rows = run([solver], ["simulated[n_images=10]"])
    assert rows.objective_n_network_calls.iloc[-1] == calls


@pytest.mark.parametrize(
    "solver, dataset, calls",
    [
        ("U-Net[n_steps=1]", "simulated", 1),
        ("Unrolled[n_steps=1,n_iter=3]", "simulated", 3),
        ("Bilevel[n_steps=1]", "simulated", 0),
        ("VarNet[n_steps=1,n_iter=2]", "brain[img_size=32,n_images=1]", 2),
        # A primal and a dual network in each.
        (
            "Learned primal-dual[n_steps=1,n_iter=3]",
            "chest[img_size=32,n_angles=12]",
            6,
        ),
        # Two iterations: four calls of the network in the losses, then the image.
        ("Fine-tuned[loss=mc,n_steps=2,n_iter=1]", "simulated", 4),
    ],
)
def test_the_calls_of_trained_networks_are_counted_but_for_the_training(
    solver, dataset, calls, run
):
    rows = run([solver], [dataset])
    assert rows.objective_n_network_calls.iloc[-1] == calls


def test_a_grey_image_in_a_network_of_colours_is_one_call(get_data):
    (batch,) = get_data("simulated", n_images=1)["test"]
    network, calls = load_compact("denoiser", "cpu"), UsesNetworks()
    calls._networks = []
    calls.count_calls(network)
    network(batch.x[:, :1], 0.1)
    assert network.channels == 3 and calls._networks[0].n_images == 1


SEVERAL = ["Wavelets[n_iter=5]", "PnP-HQS[n_iter=2]", "TV[n_iter=5]"]


def test_a_second_run_in_another_order_gives_the_same_numbers(run):
    def scores(solvers):
        rows = run(solvers, ["simulated[problem=inpainting]"])
        rows = rows.drop(columns=["time", "final_results"]).filter(
            regex="^objective_(?!name|fit_time)|solver_name|stop_val"
        )
        return rows.set_index(["solver_name", "stop_val"]).sort_index()

    first, second = scores(SEVERAL), scores(SEVERAL[::-1])
    assert first.equals(second)


def test_repetitions_have_noise_of_their_own(run):
    rows = run([INVERSE], n_repetitions=2)
    last = rows.groupby("idx_rep").objective_psnr.last()
    assert last[0] != last[1]
    assert last[0] == pytest.approx(last[1], abs=1)


# What the base class promises


BRIGHTER = """
parameters = {"n_iter": [150]}
def iterate(self, y, physics):
    for k in range(self.n_iter):
        yield torch.full_like(y, (k + 1) / self.n_iter)
"""


def flat_psnr(data, value):
    errors = [(b.x - value).square().mean((1, 2, 3)).log10() for b in data["test"]]
    return float(-10 * torch.cat(errors).mean())


@pytest.mark.parametrize("n_iter", [1, 2, 10, 23, 24, 25, 150])
def test_the_curve_ends_with_the_last_iterate(n_iter, run, solver_file, get_data):
    solver = f"{solver_file('Brighter', BRIGHTER)}[n_iter={n_iter}]"
    rows = run([solver], max_runs=2, timeout=1e-6)
    data = get_data("simulated")
    assert rows.objective_psnr.iloc[-1] == pytest.approx(flat_psnr(data, 1.0), abs=1e-3)
    first = flat_psnr(data, 1 / n_iter)
    assert rows.objective_psnr.iloc[0] == pytest.approx(first, abs=1e-3)
    assert rows.objective_ssim.notna().sum() == 1


def test_a_curve_of_many_points_is_not_cut(run, solver_file):
    solver = f"{solver_file('Brighter', BRIGHTER)}[n_iter=6000]"
    rows = run([solver], ["simulated[n_images=1]"], max_runs=100)
    assert len(rows) > 100
    assert rows.stop_val.iloc[-1] >= 6000
    assert rows.objective_ssim.notna().iloc[-1]


LEARNED = """
def learn(self, train):
    assert all(batch.x is not None for batch in train)
    assert all(batch.x is None for batch in self.batches)
    self.mean = torch.cat([batch.x for batch in train]).mean(0)
    torch.linalg.svd(torch.rand(200, 200))
def iterate(self, y, physics):
    yield self.mean.expand_as(y)
"""


def test_a_learned_solver_sees_the_pairs_of_train_and_its_learning_is_timed_apart(
    run, solver_file, get_data
):
    rows = run([solver_file("Learned", LEARNED)], ["simulated[n_images=10]"])
    last = rows.iloc[-1]
    assert last.objective_fit_time > 1e-4
    assert last.objective_fit_time > 0.5 * last.time
    data = get_data("simulated", n_images=10)
    mean = torch.cat([batch.x for batch in data["train"]]).mean(0)
    assert last.objective_psnr == pytest.approx(flat_psnr(data, mean), abs=1e-3)


UNEVEN = """
parameters = {"n_iter": [5]}
def iterate(self, y, physics):
    for k in range(self.n_iter if len(y) == 8 else 2):
        yield torch.full_like(y, k / 10)
"""


def test_a_batch_that_ends_early_keeps_its_last_iterate(run, solver_file, get_data):
    rows = run([solver_file("Uneven", UNEVEN)], ["simulated[n_images=10]"])
    long, short = get_data("simulated", n_images=10)["test"]
    expected = 8 * flat_psnr({"test": [long]}, 0.4) + 2 * flat_psnr(
        {"test": [short]}, 0.1
    )
    assert rows.objective_psnr.iloc[-1] == pytest.approx(expected / 10, abs=1e-3)


STOCHASTIC = """
def iterate(self, y, physics):
    yield torch.rand(y.shape, generator=self.generator)
"""


def test_random_draws_are_the_same_in_each_run_and_differ_between_repetitions(
    run, solver_file
):
    solver = solver_file("Stochastic", STOCHASTIC)
    first, second = (run([solver], n_repetitions=2).objective_psnr for _ in range(2))
    assert first.equals(second)
    assert first.iloc[0] != first.iloc[-1]


IN_PLACE = """
def iterate(self, y, physics):
    yield y.mul_(0.5)
"""


def test_a_solver_that_works_in_place_changes_its_own_measurements_alone(
    run, solver_file, get_data
):
    rows = run([solver_file("InPlace", IN_PLACE)])
    data = get_data("simulated")
    # Once: to warm the solver up does not change what it restores afterwards.
    (batch,) = data["test"]
    psnr = float(metrics.psnr(batch.y / 2, batch.x).mean())
    assert rows.objective_psnr.iloc[-1] == pytest.approx(psnr, abs=1e-3)
    # y is what was measured, and not what the solver made of it: A y / 2 - y = -y / 2.
    fit = float((batch.y / 2).square().mean() / 2)
    assert rows.objective_data_fit.iloc[-1] == pytest.approx(fit, rel=1e-4)


DRAWS_AGAIN = """
def iterate(self, y, physics):
    noise = physics.noise_model
    noise.reset_rng()
    yield y - noise(torch.zeros_like(y))
"""


def test_a_solver_cannot_draw_the_noise_of_the_measurements_again(
    run, solver_file, get_data
):
    rows = run([solver_file("DrawsAgain", DRAWS_AGAIN)])
    (batch,) = get_data("simulated")["test"]
    # Noise that is independent of that of y adds to it: 3 dB less.
    psnr = float(metrics.psnr(batch.y, batch.x).mean())
    assert rows.objective_psnr.iloc[-1] == pytest.approx(psnr - 3, abs=0.3)


SIMULATES = """
def iterate(self, y, physics):
    noise = physics.noise_model(torch.zeros_like(y)) / physics.noise_model.sigma
    own = torch.randn(y.shape, generator=self.generator)
    yield (noise - own).abs()
"""


def test_simulated_measurements_repeat_no_other_draw_of_a_solver(run, solver_file):
    rows = run([solver_file("Simulates", SIMULATES)])
    # Were they the same draws, the result would be 0, and the PSNR that of a black one.
    # The difference of two independent ones has a variance of 2.
    assert rows.objective_psnr.iloc[-1] < 0


SIMULATES_IN_FIT = """
def learn(self, train):
    self.simulated = [batch.physics(batch.x) for batch in [*train, *train]]
def iterate(self, y, physics):
    first, *_ = self.simulated
    again = self.simulated[len(self.simulated) // 2]
    assert torch.equal(first, again)
    yield first.mean() + torch.zeros_like(y)
"""


def test_what_is_simulated_from_training_signals_has_a_seed(run, solver_file):
    solver = solver_file("SimulatesInFit", SIMULATES_IN_FIT)
    first, second = (run([solver]).objective_psnr.iloc[-1] for _ in range(2))
    assert first == second


REUSES = """
snapshots = (1, 2)
def iterate(self, y, physics):
    x = torch.zeros_like(y)
    for _ in range(3):
        x += 0.2
        yield x
"""


def test_snapshots_are_what_the_iterates_were(run, solver_file):
    pictures = run([solver_file("Reuses", REUSES)]).final_results.iloc[-1]
    first, second = (pictures["snapshots"][k][0] for k in (1, 2))
    last = pictures["reconstruction"][0]
    assert len({first, second, last}) == 3


WARM = """
def setup(self):
    self.n_warm_ups = 0
def warm_up(self):
    self.n_warm_ups += 1
    super().warm_up()
def iterate(self, y, physics):
    yield torch.full_like(y, float(self.n_warm_ups))
"""


def test_each_problem_is_warmed_up_once(run, solver_file, get_data):
    datasets = ["simulated", "simulated[n_images=3]"]
    rows = run([solver_file("Warm", WARM)], datasets)
    last = rows.groupby("dataset_name", sort=False).objective_psnr.last()
    for psnr, n_images in zip(last, (2, 3), strict=True):
        expected = flat_psnr(get_data("simulated", n_images=n_images), 1.0)
        assert psnr == pytest.approx(expected, abs=1e-3)


GRADIENT = """
requires_grad = True
def iterate(self, y, physics):
    x = torch.zeros_like(y).requires_grad_()
    (physics.A(x) - y).square().sum().div(2).backward()
    yield (x - x.grad).detach()
"""


def test_a_solver_may_ask_for_gradients(run, solver_file):
    rows = run([solver_file("Gradient", GRADIENT), INVERSE])
    last = rows.groupby("solver_name").objective_psnr.last()
    assert last["Gradient"] == pytest.approx(last[INVERSE], abs=1e-4)


# Plug-and-play without a prior: what remains is known


@pytest.fixture
def identity(monkeypatch):
    """A denoiser named "identity", which changes nothing."""
    monkeypatch.setitem(
        denoisers.DENOISERS, "identity", lambda device: lambda x, sigma: x
    )


@pytest.fixture(params=["gaussian_deblurring", "sr4", "inpainting"])
def batch(request):
    generator = torch.Generator().manual_seed(0)
    physics = make_physics(request.param, (3, 32, 28), generator)
    x = torch.rand((2, 3, 32, 28), generator=generator)
    return Batch(y=physics(x), physics=physics)


def prox(batch, z, gamma):
    return batch.physics.prox_l2(z, batch.y, gamma)


def assert_reconstructions(actual, expected):
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-3)


def test_hqs_without_a_prior_iterates_the_prox(identity, batch, get_iterates):
    # alpha_k = reg noise^2 / sigma_k^2 with sigma_k = 0.1, 0.04, 0.016.
    options = {"sigma_start": 0.1, "end_ratio": 1.6, "reg": 0.5, "n_iter": 3}
    iterates = get_iterates("PnP-HQS", batch, denoiser="identity", **options)
    for k, sigma in enumerate([0.04, 0.016]):
        expected = prox(batch, iterates[k], sigma**2 / (0.5 * 0.01**2))
        assert_reconstructions(iterates[k + 1], expected)


def test_admm_without_a_prior_iterates_the_prox(identity, batch, get_iterates):
    options = {"sigma": 0.02, "reg": 0.5, "n_iter": 4}
    iterates = get_iterates("PnP-ADMM", batch, denoiser="identity", **options)
    for z, z_next in pairwise(iterates):
        assert_reconstructions(z_next, prox(batch, z, 0.02**2 / (0.5 * 0.01**2)))


def test_pgd_without_a_prior_descends_the_gradient(identity, batch, get_iterates):
    options = {"sigma": 0.02, "step": 0.5, "n_iter": 4}
    iterates = get_iterates("PnP-PGD", batch, denoiser="identity", **options)
    # ||A||^2 is 1 for kernels that sum to 1, over factor^2 for super-resolution.
    norm = 1 / 16 if batch.y.shape[-1] == 7 else 1.0
    physics = batch.physics
    for x, x_next in pairwise(iterates):
        gradient = physics.A_adjoint(physics.A(x) - batch.y)
        assert_reconstructions(x_next, x - 0.5 / norm * gradient)


@pytest.mark.parametrize("reg, sigma, gamma", [(2.0, 0.8, 0.16), (32.0, 1.28, 1.0)])
def test_pgd_relaxes_its_denoiser_by_what_the_gradient_step_demands(
    reg, sigma, gamma, monkeypatch, get_iterates
):
    """gamma sigma^2 = reg step noise^2; sigma is raised rather than gamma above 1."""
    told = []

    def half(x, sigma):
        told.append(sigma)
        return 0.5 * x

    monkeypatch.setitem(denoisers.DENOISERS, "half", lambda device: half)
    physics = make_physics(
        "denoising", (3, 16, 16), torch.Generator(), noise_level=0.32
    )
    batch = Batch(y=torch.rand(1, 3, 16, 16), physics=physics)
    options = {"denoiser": "half", "sigma": 0.1, "reg": reg, "step": 0.5, "n_iter": 2}
    first, second = get_iterates("PnP-PGD", batch, **options)
    assert told == pytest.approx([sigma] * 2)
    z = first - 0.5 * (first - batch.y)
    torch.testing.assert_close(second, (1 - 0.5 * gamma) * z)


def test_admm_keeps_the_gap_between_the_data_and_the_prior(
    monkeypatch, batch, get_iterates
):
    monkeypatch.setitem(
        denoisers.DENOISERS, "half", lambda device: lambda x, sigma: 0.5 * x
    )
    options = {"denoiser": "half", "sigma": 0.02, "reg": 0.5, "n_iter": 4}
    z = data_term(batch.physics, batch.y).initial_guess()
    u = torch.zeros_like(z)
    for ours in get_iterates("PnP-ADMM", batch, **options):
        x = prox(batch, z - u, 0.02**2 / (0.5 * 0.01**2))
        z = 0.5 * (x + u)
        u = u + x - z
        assert_reconstructions(ours, z)


@pytest.mark.parametrize("solver", ["PnP-HQS", "PnP-PGD", "PnP-ADMM"])
def test_the_denoiser_is_told_the_noise_levels_of_the_schedule(
    solver, monkeypatch, get_iterates
):
    told = []

    def recorded(x, sigma):
        told.append(sigma)
        return x

    monkeypatch.setitem(denoisers.DENOISERS, "recorded", lambda device: recorded)
    physics = make_physics(
        "denoising", (3, 16, 16), torch.Generator(), noise_level=0.32
    )
    batch = Batch(y=torch.rand(1, 3, 16, 16), physics=physics)
    options = {"denoiser": "recorded", "n_iter": 3, "reg": 0.5}
    if solver == "PnP-HQS":
        # 0.025 is for noise 0.01.
        options |= {"sigma_start": 0.025, "end_ratio": 0.15625}
        expected = [0.2, 0.1, 0.05]
    else:
        # It is for noise 0.01, and grows as the power 0.6 of it.
        options |= {"sigma": 0.07}
        expected = [0.56] * 3
    if solver == "PnP-PGD":
        options["step"] = 0.5
    get_iterates(solver, batch, **options)
    assert told == pytest.approx(expected)
