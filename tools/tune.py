"""Tune the hyper-parameters of solvers: the same number of trials for every one.

    python tools/tune.py -d natural -s TV -s "PnP-HQS[denoiser=compact]" --trials 15
    python tools/tune.py -d "bsd[img_size=128,n_train=3,problem=sr4]" -s TV --trials 12

are two of the commands of config/tuned.yml, where each entry has its data and its
trials; given again, a command tunes again. It maximises with optuna (seeded) the mean
PSNR on the training images, problem by problem, and writes the best values to
config/tuned.yml, from where solvers take them. Methods that learn do so on one half of
them, and are scored on the other. The test images are never scored. A hyper-parameter
that is given ("PnP-HQS[reg=0.2]") is not tuned, and is recorded as it is; so are other
numbers ("TV[n_iter=50]"). What was tuned on other data, or with other trials or
numbers, is kept unless --replace is given.
"""

import argparse
import datetime
import sys
from pathlib import Path

import optuna
import torch
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchopt.benchmark import Benchmark  # noqa: E402
from benchopt.utils.run_context import RunContext  # noqa: E402

from benchmark_utils.common import NotApplicable, Unavailable, one_or_each  # noqa: E402
from benchmark_utils.common.device import check_device, resolved  # noqa: E402
from benchmark_utils.scoring import metrics  # noqa: E402
from benchmark_utils.solving import TUNED_FILE, read_tuned, solver_key  # noqa: E402


def mean_psnr(solver, data, batches):
    """PSNR (dB) of the last iterates on ``batches``; minus infinity on divergence."""
    skipped, reason = solver.skip(**data)
    if skipped:
        raise SystemExit(f"{solver} cannot be tuned: {reason}")
    solver.set_objective(**data)
    solver.pre_run_hook(None)

    def go_on():
        """Never stops; as in benchopt, the solver learns here that it diverged."""
        solver.get_result()
        return True

    solver.run(go_on)
    x_hat = solver.get_result()["x_hat"]
    psnrs = [
        metrics.psnr(ours, batch.x.to(ours.device))
        for ours, batch in zip(x_hat, batches)
    ]
    score = float(torch.cat(psnrs).mean())
    return score if score == score else float("-inf")


def labels(name, n):
    """What optuna calls the ``n`` values of a parameter."""
    return [name] if n == 1 else [f"{name}_{i}" for i in range(1, n + 1)]


def scored_half(images):
    """What is held out of a list of training images."""
    return images[1::2]


def hold_out_half(dataset):
    """Split the training images of ``dataset`` into its "train" and its "test"."""
    images = list(dataset.load("train").items())
    halves = {"train": dict(images[::2]), "test": dict(scored_half(images))}
    dataset.load = halves.__getitem__


def fixed_values(solver_class, options):
    """{hyper-parameter: value} of those that are given, as tuned.yml has them.

    A value is a number, or a list of them where several things share the parameter.
    """
    parameters = solver_class.get_instance(**options)._parameters
    fixed = {}
    for name, space in solver_class.search_space.items():
        given, n = parameters[name], space.n_values(parameters)
        if given == "tuned":
            continue
        try:
            values = one_or_each(name, given, n)
        except NotApplicable as error:
            raise SystemExit(str(error)) from None
        fixed[name] = values[0] if n == 1 else values
    return fixed


def key_of(solver_class, options):
    """How tuned.yml names a solver."""
    parameters = solver_class.get_instance(**options)._parameters
    return solver_key(solver_class.name, parameters, solver_class.search_space)


def other_numbers(solver_class, options):
    """{parameter: value} of the numbers that are given and that the key leaves out."""
    parameters = solver_class.get_instance(**options)._parameters
    return {
        name: value
        for name, value in sorted(parameters.items())
        if name not in solver_class.search_space
        and not isinstance(value, str | bool)
        and value != solver_class.parameters[name][0]
    }


def check_replaceable(solver_class, options, dataset, trials):
    """Exit rather than replace what was tuned on other data or with other trials."""
    try:
        dataset.check()
        images = list(dataset.load("train"))
    except (NotApplicable, Unavailable) as error:
        raise SystemExit(str(error)) from error
    if solver_class.learns():
        images = scored_half(images)
    fixed = sorted(fixed_values(solver_class, options))
    key = key_of(solver_class, options)
    entry = read_tuned().get(dataset.name, {}).get(dataset.problem, {}).get(key)
    if entry is None:
        return
    recorded = (
        entry["dataset"],
        sorted(entry["data"]),
        entry["trials"],
        entry.get("fixed", []),
        entry.get("numbers", {}),
    )
    numbers = other_numbers(solver_class, options)
    if recorded != (str(dataset), sorted(images), trials, fixed, numbers):
        given = ", ".join([*recorded[3], *recorded[4]])
        raise SystemExit(
            f"{key} was tuned otherwise for {dataset.problem} (on "
            f"{entry['dataset']}; images: {len(entry['data'])}, "
            f"trials: {entry['trials']}, given: {given or 'none'}): "
            "give --replace to put this in its place."
        )


def tune(solver_class, options, dataset, trials, device="auto"):
    """Best parameters of a solver on the training images of one dataset and problem.

    Returns
    -------
    key, entry : the solver as tuned.yml names it, and what is recorded of it.
    """
    fixed = fixed_values(solver_class, options)
    space = {n: s for n, s in solver_class.search_space.items() if n not in fixed}
    context = RunContext().set_run_context
    context("tuning", dataset, solver_class.name, repetition=0, base_seed=0)
    data = dataset.get_data()
    if "unavailable" in data:
        raise SystemExit(data["unavailable"])
    if solver_class.learns():
        # What is learned from cannot tell how well it was learned.
        hold_out_half(dataset)
        data = dataset.get_data()
        batches = list(data["test"])
    else:
        batches, data["train"] = list(data["train"]), []
    data["test"] = [batch.without_truth() for batch in batches]
    data["device"] = resolved(device)

    parameters = solver_class.get_instance(**options)._parameters
    sizes = {name: s.n_values(parameters) for name, s in space.items()}

    def suggest(trial, name):
        """One value; a list of them where several things share the parameter."""
        s = space[name]
        drawn = [
            float(f"{trial.suggest_float(label, s.low, s.high, log=True):.3g}")
            for label in labels(name, sizes[name])
        ]
        return drawn[0] if sizes[name] == 1 else drawn

    def objective(trial):
        values = {name: suggest(trial, name) for name in space}
        solver = solver_class.get_instance(**{**options, **fixed, **values})
        context("tuning", dataset, solver, repetition=0, base_seed=0)
        trial.set_user_attr("values", values)
        return mean_psnr(solver, data, batches)

    sampler = optuna.samplers.GPSampler(seed=0, n_startup_trials=5)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.enqueue_trial(
        {
            label: s.default / sizes[name]
            for name, s in space.items()
            for label in labels(name, sizes[name])
        }
    )
    study.optimize(objective, n_trials=trials)
    entry = {
        "parameters": fixed | study.best_trial.user_attrs["values"],
        "score": round(study.best_value, 3),
        "trials": trials,
        "date": datetime.date.today().isoformat(),
        "dataset": str(dataset),
        "data": [name for batch in batches for name in batch.names],
        "device": data["device"].type,
    }
    if fixed:
        entry["fixed"] = sorted(fixed)
    if numbers := other_numbers(solver_class, options):
        entry["numbers"] = numbers
    return key_of(solver_class, options), entry


def save(dataset, problem, key, entry):
    """Add one entry to config/tuned.yml."""
    tuned = yaml.safe_load(TUNED_FILE.read_text()) if TUNED_FILE.exists() else {}
    tuned.setdefault(dataset, {}).setdefault(problem, {})[key] = entry
    TUNED_FILE.write_text(
        "# Written by tools/tune.py: mean PSNR (dB) on training images.\n"
        + yaml.safe_dump(tuned, sort_keys=True, default_flow_style=None, width=88)
    )


def single_values(options, skipped=()):
    """{parameter: value} from benchopt's {parameter: list of values}: the first."""
    return {
        name: values[0] if isinstance(values, list) else values
        for name, values in options.items()
        if name not in skipped
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-d", "--dataset", required=True)
    parser.add_argument("-s", "--solver", action="append", required=True)
    parser.add_argument("--trials", type=int, default=15)
    parser.add_argument(
        "--replace",
        action="store_true",
        help="what was tuned on other data, or with other trials",
    )
    parser.add_argument(
        "--device", default="auto", help="auto (a GPU if there is one), cpu or cuda"
    )
    args = parser.parse_args()
    try:
        check_device(args.device)
    except NotApplicable as error:
        raise SystemExit(str(error)) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)

    benchmark = Benchmark(ROOT)
    [(dataset_class, dataset_options)] = benchmark.check_dataset_patterns(
        [args.dataset]
    )
    if "problem" not in dataset_class.parameters:
        raise SystemExit(
            f"{dataset_class.name} has no images: tuning is for datasets of images."
        )
    problems = dataset_options["problem"]
    others = single_values(dataset_options, skipped=["problem"])
    jobs = []
    for solver_class, options in benchmark.check_solver_patterns(args.solver):
        if not getattr(solver_class, "search_space", None):
            raise SystemExit(
                f"{solver_class.name} has no search_space: nothing to tune."
            )
        options = single_values(options)
        if len(fixed_values(solver_class, options)) == len(solver_class.search_space):
            raise SystemExit(
                f"Every hyper-parameter of {solver_class.name} is given: nothing to "
                "tune."
            )
        for problem in problems if isinstance(problems, list) else [problems]:
            dataset = dataset_class.get_instance(problem=problem, **others)
            jobs.append((solver_class, options, dataset, args.trials))
    if not args.replace:
        for job in jobs:
            check_replaceable(*job)
    for job in jobs:
        key, entry = tune(*job, args.device)
        dataset = job[2]
        save(dataset.name, dataset.problem, key, entry)
        print(f"{args.dataset} {dataset.problem} {key}: {entry}", flush=True)


if __name__ == "__main__":
    main()
