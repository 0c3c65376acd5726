"""Keep what pages show of a result file: final scores and a detail of a picture.

    python tools/publish_results.py outputs/quick.parquet natural
    python tools/publish_results.py outputs/fire_*.parquet fire_bsd20 --dataset bsd \
        --scores-only

writes results/natural.parquet: one row per dataset and solver, with the scores of each
image, the version of the repository, what is known of the run (machine, libraries,
values), and the centre of the first test image as PNG files.

benchopt never writes over a file: a second run makes quick_1.parquet, and quick.parquet
keeps its numbers. For that reason, results of other code than that of now are refused.
Each row carries a digest of what its objective, dataset and solver import, of the
weights they load and of the tuned values; it is computed anew here, from the parameters
of the row. A row stays good as long as nothing that it depends on has changed, so that
its cached results need no second computation; the version that is written is the digest
of the whole repository, which all the rows that pass agree with, and which is the same
in all clones of a commit.

Times are published where they can stand beside each other: one kind of hardware, one
number of threads, and a machine that had nothing else to do. Others are left out, and
the scores stay.
"""

import argparse
import io
import math
import sys
from functools import cache
from pathlib import Path

import pandas as pd
from benchopt.benchmark import Benchmark
from benchopt.results import read_results
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "results"
sys.path.insert(0, str(ROOT))

from benchmark_utils.common.fingerprint import (  # noqa: E402
    Fingerprinted,
    code_of_run,
    digest_of_repository,
)
from benchmark_utils.scoring import (  # noqa: E402
    KEYS,
    check_one_objective,
    comparable_times,
    final_scores,
    last_rows,
    packed,
    per_image_scores,
    values_from,
    with_final_results,
)

PICTURES = ["truth", "measurement", "reconstruction"]
DETAIL = 128

# What is left out where times cannot be compared.
TIMES = ["time", "fit_time"]


def detail(png, full_size):
    """The central DETAIL x DETAIL pixels, at the scale of the image, as a PNG file."""
    image = Image.open(io.BytesIO(png)).resize(full_size, Image.Resampling.NEAREST)
    left, top = ((side - DETAIL) // 2 for side in full_size)
    buffer = io.BytesIO()
    image.crop((left, top, left + DETAIL, top + DETAIL)).save(buffer, "PNG")
    return buffer.getvalue()


def slim(df, with_pictures=True):
    """The rows to keep of a benchopt DataFrame."""
    rows = last_rows(df).drop_duplicates(KEYS).set_index(KEYS)
    table = final_scores(df).set_index(KEYS)
    parameters = rows.filter(like="p_dataset_")
    for column in parameters:
        # What differs between the datasets, to make tables of.
        if column == "p_dataset_problem" or parameters[column].nunique() > 1:
            table[column.removeprefix("p_dataset_")] = parameters[column]
    now = digest_of_repository()
    table["version"] = [
        now if recorded_code(row) == code_now(row) else recorded_code(row)
        for row in rows.to_dict("records")
    ]
    of_images = per_image_scores(df)
    if not of_images.empty:
        table["per_image"] = packed(of_images)
    if origins := values_from(df):
        table["values_from"] = pd.Series(origins)
    records = rows["final_results"].map(
        lambda kept: kept.get("run") if isinstance(kept, dict) else None
    )
    if records.notna().any():
        table["run"] = records
    comparable, _ = comparable_times(rows["final_results"])
    table.loc[[not fine for fine in comparable], TIMES] = math.nan
    table["seconds"] = table["time"]
    for key, row in rows.iterrows() if with_pictures else ():
        pictures = row["final_results"]
        full_size = Image.open(io.BytesIO(pictures["truth"][0])).size
        for kind in PICTURES:
            table.loc[key, kind] = detail(pictures[kind][0], full_size)
    return table.reset_index()


def recorded_code(row):
    """The digest of the code that made a row; "unknown" where it carries none."""
    kept = row.get("final_results")
    return kept.get("code", "unknown") if isinstance(kept, dict) else "unknown"


def code_now(row):
    """The digest that the row would carry today; None if its code is not here."""
    found = {
        kind: instance_of(row, kind, classes) for kind, classes in all_classes().items()
    }
    if None in found.values():
        return None
    return code_of_run(found["obj"], found["dataset"], found["solver"].code_digest())


@cache
def all_classes():
    benchmark = Benchmark(ROOT)
    return {
        "dataset": benchmark.get_datasets(),
        "solver": benchmark.get_solvers(),
        "obj": [benchmark.get_benchmark_objective()],
    }


def instance_of(row, kind, classes):
    """The objective, dataset or solver of a row, with its parameters, or None."""
    file = Path(row["file_objective" if kind == "obj" else f"file_{kind}"]).name
    for found in classes:
        if found._module_filename.name == file and issubclass(found, Fingerprinted):
            columns = {name: f"p_{kind}_{name}" for name in found.parameters}
            return found.get_instance(
                **{name: row[column] for name, column in columns.items()}
            )
    return None


def check_version(df):
    """Raise ``ValueError`` for rows that the code of now would not have made."""
    rows = last_rows(df).to_dict("records")
    stale = [row for row in rows if recorded_code(row) != code_now(row)]
    if stale:
        first = stale[0]
        raise ValueError(
            f"{len(stale)} of these {len(rows)} results were made by other code than "
            f"that of now, the first of them {first['solver_name']} on "
            f"{first['dataset_name']}: give the file of the last run, which may end in "
            "_1 or more, or accept them with --any-version."
        )


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "results", type=Path, nargs="+", help="parquet files of benchopt"
    )
    parser.add_argument("name", help="of the file to write in results/")
    parser.add_argument("--dataset", help="keep this dataset alone")
    parser.add_argument("--scores-only", action="store_true", help="no pictures")
    parser.add_argument(
        "--any-version",
        action="store_true",
        help="take results of older code",
    )
    arguments = parser.parse_args(argv)
    target = RESULTS / f"{arguments.name}.parquet"
    target.parent.mkdir(exist_ok=True)
    if missing := [path for path in arguments.results if not path.is_file()]:
        parser.error(f"There is no file {missing[0]}.")
    df = pd.concat(
        [read_results(path) for path in arguments.results], ignore_index=True
    )
    if arguments.dataset is not None:
        df = df[df["dataset_name"].str.split("[").str[0] == arguments.dataset]
        if df.empty:
            parser.error(f"These results have no dataset {arguments.dataset}.")
    try:
        check_one_objective(df)
        if not arguments.any_version:
            check_version(df)
    except ValueError as error:
        parser.error(str(error))
    ends = last_rows(df)
    if not arguments.scores_only and len(with_final_results(ends, "truth")) < len(ends):
        parser.error("These results have no pictures of images: add --scores-only.")
    slim(df, not arguments.scores_only).to_parquet(target)
    for reason in comparable_times(ends["final_results"])[1]:
        print(f"Without times: {reason}")
    print(f"Written: {target}")


if __name__ == "__main__":
    main()
