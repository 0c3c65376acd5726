"""After a change of code that all results share: which of them it leaves as they are.

    git worktree add /tmp/before COMMIT
    python tools/carry_over.py /tmp/before
    python tools/carry_over.py /tmp/before mri ct
    python tools/carry_over.py /tmp/before ct --within 0.001

COMMIT is that of the published rows, before the change. Each row that it would give
again, and that is of other code now, is run in short by both: the same problem, solver
and tuned values, on smaller images, with few iterations, few training images and steps,
and the first seed. Where the scores of all images are the same to the last digit, the
row is carried over: it gets the digest of the present code, and keeps its scores, its
times and the version that made it. The others are listed, for ``benchopt run``.

The folder needs the data that a run needs: its config_local.yml, or data/. A short run
is on the CPU, with the first repetition, and its last iterate is scored. It does not
see what is changed in late iterations alone, in large images alone, or on a GPU: where
the change is of that kind, run the rows again instead.

--within is for a change that sums in another order. It carries over what differs by so
little: PSNRs in dB, all else as a share of itself. Run some of the rows again, too:
many iterations may make more of it.
"""

import argparse
import json
import math
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "results"
KEYS = ["dataset_name", "solver_name"]
COLUMNS = [*KEYS, "code", "tuned"]

IMG_SIZE = 64
# What makes a run short, of the parameters that a dataset or a solver has.
FEWER = {"n_iter": 4, "n_steps": 2, "n_coding": 4, "n_signals": 200, "n_train": 12}


def shortened(found, given):
    """The parameters of a class, given some of them, for a run of a second or so."""
    few = {name: n for name, n in FEWER.items() if name in found.parameters}
    for name in few.keys() & given.keys():
        if isinstance(given[name], int):
            few[name] = min(few[name], given[name])
    if "img_size" in found.parameters:
        few["img_size"] = IMG_SIZE
    return given | few


class ShortRuns:
    """Runs of the code of a folder, which has been put in front of the path."""

    def __init__(self, root):
        from benchopt.benchmark import Benchmark

        self.benchmark = Benchmark(root, no_cache=True)
        self.objectives = {}

    def instance(self, kind, name):
        """An instance by its name in results, and its shortened one."""
        from benchmark_utils.scoring import present

        given = present.named(kind, name)
        return type(given).get_instance(**shortened(type(given), given._parameters))

    def objective(self, name):
        """The objective, with the data of a dataset."""
        from benchopt.utils.run_context import RunContext

        if name not in self.objectives:
            dataset = self.instance("dataset", name)
            RunContext().set_run_context("objective", dataset, "", 0, 0)
            objective = self.benchmark.get_benchmark_objective()
            objective = objective.get_instance(device="cpu")
            data = dataset.get_data()
            skipped, reason = objective.skip(**data)
            if skipped:
                return reason
            objective.set_data(**data)
            # Those of a dataset come one after the other.
            self.objectives = {name: objective}
        return self.objectives[name]

    def scores(self, dataset, solver):
        """The scores of a short run, as JSON; the sentence of its skip."""
        from benchopt.utils.run_context import RunContext

        objective = self.objective(dataset)
        if isinstance(objective, str):
            return objective
        instance = self.instance("solver", solver)
        RunContext().set_run_context("objective", "dataset", instance, 0, 0)
        seen = objective.get_objective()
        skipped, reason = instance.skip(**seen)
        if skipped:
            return reason
        instance.set_objective(**seen)
        instance.pre_run_hook(None)
        instance.run(lambda: True)
        found = instance.get_result() | {"fit_time": 0.0}
        scores = objective.evaluate_result(**found)
        kept = {name: value for name, value in scores.items() if name != "fit_time"}
        kept["per_image"] = objective.per_image
        kept["sum"] = [x.double().sum().item() for x in found["x_hat"]]
        if instance.learns():
            # Few of these are drawn in few steps, and all are in many.
            kept["train"] = [batch.y.double().sum().item() for batch in seen["train"]]
        if not all(map(math.isfinite, kept["sum"])):
            return "Its short run is not finite."
        return json.dumps(kept, default=str, sort_keys=True)


def without_seed(name):
    """The name of a solver in results, its seed being the first: one run for all."""
    name = re.sub(r"(?<=[\[,])seed=\d+,?", "", name)
    return name.replace(",]", "]").removesuffix("[]")


def write_short_runs(root, rows, output):
    """One line of JSON per row, with its digests and its scores by the code of root.

    ``rows`` are (dataset, solver, the digests that it was published with, or None).
    """
    sys.path.insert(0, str(root))
    import torch

    from benchmark_utils.scoring.present import digests_now

    torch.set_num_threads(1)
    runs, known = ShortRuns(root), {None: "It is older, or of other tuned values."}
    with Path(output).open("w") as file:
        for dataset, solver, published in rows:
            digests = digests_now(dataset, solver)
            key = dataset, without_seed(solver)
            if published and list(digests) != published:
                key = None
            if key not in known:
                try:
                    known[key] = runs.scores(*key)
                except Exception as error:  # Both codes may fail; the others go on.
                    known[key] = f"{type(error).__name__}: {error}"
            row = [dataset, solver, digests, known[key]]
            print(json.dumps(row), file=file, flush=True)


def short_runs(root, rows):
    """{(dataset, solver): (digests, scores)} by the code of a folder."""
    with tempfile.TemporaryDirectory() as folder:
        asked, output = Path(folder) / "rows.json", Path(folder) / "scores.json"
        asked.write_text(json.dumps(rows))
        command = [sys.executable, __file__, str(root), "--rows", asked, output]
        environment = {**os.environ, "BENCHMARK_CACHE": folder}
        subprocess.run(command, check=True, env=environment)
        lines = map(json.loads, output.read_text().splitlines())
        return {(d, s): (tuple(digests), scores) for d, s, digests, scores in lines}


def agree(before, now, within=0.0):
    """Whether two short runs have the same scores, or differ by ``within`` at most.

    In dB for a PSNR; all else, by such a share of itself.
    """
    if not within or before == now:
        return before == now
    before, now = json.loads(before), json.loads(now)
    if before.keys() != now.keys():
        return False
    for scores in (before, now):
        # Vectors have no scores of each.
        of_images = json.loads(scores.pop("per_image") or "{}")
        scores |= {f"{name} of images": values for name, values in of_images.items()}
    return before.keys() == now.keys() and all(
        _are_close(before[name], now[name], within, in_dB=name.startswith("psnr"))
        for name in before
    )


def _are_close(a, b, within, in_dB):
    if isinstance(a, float) and isinstance(b, float):
        both_nan = math.isnan(a) and math.isnan(b)
        absolute, relative = (within, 0.0) if in_dB else (0.0, within)
        return both_nan or math.isclose(a, b, rel_tol=relative, abs_tol=absolute)
    if isinstance(a, list) and isinstance(b, list):
        pairs = zip(a, b)
        return len(a) == len(b) and all(
            _are_close(*pair, within, in_dB) for pair in pairs
        )
    return a == b


def carried_over(results, before, now, within=0.0):
    """The results with the digests of the present code, where both codes agree.

    Returns
    -------
    DataFrame, and the list of (dataset, solver, why) of those that are not carried.
    """
    results, others = results.astype({"code": object, "tuned": object}), []
    for i, row in results.iterrows():
        key = row["dataset_name"], row["solver_name"]
        if key not in before:
            continue
        (_, tuned), scores = before[key]
        if not is_run(scores):
            others.append((*key, scores))
            continue
        digests, scores_now = now[key]
        if not is_run(scores_now):
            others.append((*key, f"Now: {scores_now}"))
        elif digests[1] != tuned:
            others.append((*key, "Its tuned values are others."))
        elif not agree(scores, scores_now, within):
            others.append((*key, "Its short runs differ."))
        else:
            results.loc[i, ["code", "tuned"]] = digests
    return results, others


def is_run(scores):
    """Whether there are scores, and not a sentence in their place."""
    return scores.startswith("{")


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("before", type=Path, help="a folder with the code of the rows")
    parser.add_argument("names", nargs="*", help="of files of results/; all by default")
    parser.add_argument("--within", type=float, default=0.0, help="dB; 0 by default")
    parser.add_argument("--rows", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.rows:
        asked, output = args.rows
        rows = json.loads(Path(asked).read_text())
        return write_short_runs(args.before.resolve(), rows, output)
    if not (args.before / "objective.py").is_file():
        parser.error(f"{args.before} is no folder of this benchmark.")
    sys.path.insert(0, str(ROOT))
    from benchmark_utils.scoring import of_present_code

    names = args.names or sorted(path.stem for path in RESULTS.glob("*.parquet"))
    files = {name: pd.read_parquet(RESULTS / f"{name}.parquet") for name in names}
    stale = pd.concat(
        results.loc[[not fine for fine in of_present_code(results)], COLUMNS]
        for results in files.values()
    )
    # Rows whose values are all given have no digest of tuned ones.
    stale = stale.astype(object).where(stale.notna(), None)
    rows = stale.drop_duplicates(KEYS).sort_values(KEYS)
    rows = [[d, s, [code, values]] for d, s, code, values in rows.to_numpy().tolist()]
    before = short_runs(args.before, rows)
    now = short_runs(ROOT, [[*key, None] for key in before if is_run(before[key][1])])
    for name, results in files.items():
        carried, others = carried_over(results, before, now, args.within)
        changed = (carried["code"] != results["code"]).sum()
        print(f"{name}: {changed} of {len(results)} rows are carried over.")
        for dataset, solver, why in others:
            print(f"  left: {dataset}, {solver}: {why}")
        if changed:
            carried.to_parquet(RESULTS / f"{name}.parquet", index=False)
    return None


if __name__ == "__main__":
    main()
