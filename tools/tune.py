"""Tune the hyper-parameters of solvers: one protocol, the same effort for every value.

    python tools/tune.py --config config/quick.yml
    python tools/tune.py -d natural -s TV -s "PnP-HQS[denoiser=compact]"
    python tools/tune.py --report

The first makes the entries of config/tuned.yml that the runs of quick.yml lack, or that
are of an older protocol, of other networks or of another search space. Solvers take
their values from there. A search maximises the mean PSNR over ten crops or more of
training images (methods that learn do so on one half of the images, and are scored on
the other; the test images are never scored), in 10 + 10 n trials for n values, the
published ones first. The number of iterations is the best point of the mean curve, or
the first one within 0.01 dB of it. A value that ends on a bound widens its range once.
What is given ("PnP-HQS[reg=0.2]") is not tuned. Stopped, the same command goes on where
it was. --bfloat16 is faster where the processor multiplies in it; scores move by
hundredths of a dB.
"""

import argparse
import sys
import time
from pathlib import Path

import click
import torch
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchopt.benchmark import Benchmark  # noqa: E402
from benchopt.utils.parametrized_name_mixin import product_param  # noqa: E402
from benchopt.utils.run_context import RunContext  # noqa: E402

from benchmark_utils.common import NotApplicable, Unavailable  # noqa: E402
from benchmark_utils.common.device import check_device, resolved  # noqa: E402
from benchmark_utils.solving import tuned  # noqa: E402
from benchmark_utils.solving.progress import duration  # noqa: E402
from benchmark_utils.tuning import N_CROPS, Job, TrainingData, report, save  # noqa: E402


def jobs_of(benchmark, datasets, solvers, *where):
    """The ``Job`` of each dataset, problem and solver; says which do not apply."""
    jobs = {}
    for dataset_class, several in benchmark.check_dataset_patterns(datasets):
        for parameters in product_param(several):
            dataset = dataset_class.get_instance(**parameters)
            RunContext().set_run_context("tuning", dataset, "", 0, 0)
            data = TrainingData(dataset)
            try:
                # Once: images that are not there are not fetched for each solver.
                data.for_solver(learns=False)
            except (NotApplicable, Unavailable) as error:
                print(f"{data.name} {data.problem}: left out. {error}")
                continue
            for solver_class, others in benchmark.check_solver_patterns(solvers):
                for options in product_param(others):
                    job = Job(data, solver_class, options, *where)
                    try:
                        job.check()
                    except (NotApplicable, Unavailable) as error:
                        print(f"{job}: left out. {error}")
                    else:
                        jobs.setdefault(str(job), job)
    return list(jobs.values())


def is_wanted(job, replace):
    """Whether its entry is to be made; says why, or why not."""
    if reason := job.reason():
        print(f"{job}: {reason}")
    elif replace:
        print(f"{job}: replaced on demand")
    elif other := job.other_data():
        print(f"{job}: kept, though of {other}. --replace tunes it on these.")
        return False
    else:
        print(f"{job}: up to date")
        return False
    return True


def show(job, search, trial):
    """One line for a trial: its score, the best one, the time to go."""
    values = ", ".join(f"{name}={value}" for name, value in trial.values.items())
    print(
        f"{job}: trial {trial.number} of {search.n_trials}: {trial.score:.2f} dB at "
        f"{values}; best {search.best.value:.2f}; {duration(search.to_go)} to go",
        flush=True,
    )


def tune_all(jobs, folder):
    """Make and save the entries of these jobs, the first trial of each one first."""
    searches = []
    for job in jobs:
        if not job.space:
            save(job, job.entry(), folder)
            continue
        if (n := len(job.names())) < N_CROPS:
            print(f"{job}: there are {n} training signals, and should be {N_CROPS}.")
        search = job.search()
        trials = search.trials()
        if trial := next(trials, None):
            show(job, search, trial)
        searches.append((job, search, trials))
    if searches:
        to_go = duration(sum(search.to_go for _, search, _ in searches))
        print(f"{len(searches)} searches: about {to_go}, and half more at most.")
    for job, search, trials in searches:
        for trial in trials:
            show(job, search, trial)
        if search.best.value == float("-inf"):
            print(f"{job}: every trial diverged; nothing is written.")
            continue
        save(job, entry := job.entry(search), folder)
        bounds = f"; on a bound: {', '.join(on)}" if (on := search.on_bound()) else ""
        print(f"{job}: {entry['parameters']}, {entry['score']} dB{bounds}", flush=True)


def slowness_of_bfloat16(device):
    """The time of a convolution in bfloat16 over that in float32."""
    image = torch.zeros(1, 64, 128, 128, device=device)
    seconds = []
    for precision in (torch.float32, torch.bfloat16):
        layer = torch.nn.Conv2d(64, 64, 3, device=device, dtype=precision)
        with torch.inference_mode():
            for _ in range(2):
                start = time.perf_counter()
                float(layer(image.to(precision)).sum())
        # The first run warms up.
        seconds.append(time.perf_counter() - start)
    return seconds[1] / seconds[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("-d", "--dataset", action="append", help="as for benchopt run")
    add("-s", "--solver", action="append", help="as for benchopt run")
    add("--config", type=Path, help="the datasets and solvers of a run")
    add("--replace", action="store_true", help="tune what is up to date too")
    add("--device", default="auto", help="auto (a GPU if there is one), cpu or cuda")
    add("--bfloat16", action="store_true", help="networks compute in bfloat16")
    add("--file", type=Path, help="the entries, in place of config/tuned.yml")
    add("--trials-in", type=Path, default=ROOT / "outputs" / "tuning", metavar="FOLDER")
    add("--report", action="store_true", help="what the entries say of themselves")
    args = parser.parse_args()
    benchmark, config = Benchmark(ROOT), {}
    for path in (args.config, args.file and args.file.parent):
        if path and not path.exists():
            parser.error(f"{path} is not there.")
    if args.file:
        tuned.TUNED_FILE = args.file.resolve()
    if args.report:
        return print("\n".join(report(benchmark.get_solvers())))
    if args.config:
        config = yaml.safe_load(args.config.read_text()) or {}
    datasets = args.dataset or config.get("dataset")
    solvers = args.solver or config.get("solver")
    if not datasets or not solvers:
        parser.error("give datasets (-d) and solvers (-s), or a --config with both.")
    try:
        check_device(args.device)
        device, folder = resolved(args.device), args.trials_in
        precision = torch.bfloat16 if args.bfloat16 else torch.float32
        if args.bfloat16 and (slowness := slowness_of_bfloat16(device)) > 1.5:
            print(f"Here, bfloat16 is {slowness:.0f} times slower: leave it out.")
        jobs = jobs_of(benchmark, datasets, solvers, device, folder, precision)
        tune_all([job for job in jobs if is_wanted(job, args.replace)], folder)
    except (NotApplicable, click.BadParameter) as error:
        raise SystemExit(str(error)) from error
    except KeyboardInterrupt:
        raise SystemExit("Stopped: the same command goes on from here.") from None
    if not jobs:
        raise SystemExit("Nothing is tuned: no solver applies.")


if __name__ == "__main__":
    main()
