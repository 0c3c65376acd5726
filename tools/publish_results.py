"""Keep what pages show of a result file: final scores and a detail of a picture.

    python tools/publish_results.py outputs/natural.parquet natural
    python tools/publish_results.py outputs/fire_*.parquet fire_bsd20 --dataset bsd \
        --scores-only
    python tools/publish_results.py outputs/mri.parquet mri --scores-only --keep

writes results/natural.parquet: one row per dataset and solver, with the scores of each
image, the digests of the code that made it, of the tuned values that its solver may use
and of the repository, what is known of the run (machine, libraries, values), and the
centre of the first test image as PNG files.

benchopt never writes over a file: a second run makes natural_1.parquet, and the first
keeps its numbers. For that reason, results of other code than that of now are refused.
With --keep, the rows of results/ that the present code would give again stay, where the
files have no other; with --keep-older, all of them do, and the pages say that older
code made some.

Times are published where they can stand beside each other: one kind of hardware, one
number of threads, and a machine that had nothing else to do. Others are left out, and
the scores stay.
"""

import argparse
import io
import math
import re
import sys
from pathlib import Path

import pandas as pd
from benchopt.results import read_results
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "results"
sys.path.insert(0, str(ROOT))

from benchmark_utils.common.fingerprint import digest_of_repository  # noqa: E402
from benchmark_utils.scoring import (  # noqa: E402
    KEYS,
    check_one_objective,
    code_now,
    comparable_times,
    digests_now,
    final_scores,
    last_rows,
    of_present_code,
    packed,
    per_image_scores,
    recorded_code,
    values_from,
    with_final_results,
)

PICTURES = ["truth", "measurement", "reconstruction"]
DETAIL = 128

# What is left out where times cannot be compared.
TIMES = ["time", "fit_time"]


def detail(png, full_size):
    """The central DETAIL x DETAIL pixels, or all of a smaller image, as a PNG file."""
    image = Image.open(io.BytesIO(png)).resize(full_size, Image.Resampling.NEAREST)
    width, height = (min(side, DETAIL) for side in full_size)
    left, top = (full_size[0] - width) // 2, (full_size[1] - height) // 2
    buffer = io.BytesIO()
    image.crop((left, top, left + width, top + height)).save(buffer, "PNG")
    return buffer.getvalue()


def slim(df, with_pictures=True, strengths=()):
    """The rows to keep of a benchopt DataFrame.

    Parameters of the datasets are columns where they differ, or are in ``strengths``;
    pictures are those of the rows that have some.
    """
    rows = last_rows(df).drop_duplicates(KEYS).set_index(KEYS)
    table = final_scores(df).set_index(KEYS)
    parameters = rows.filter(like="p_dataset_")
    for column in parameters:
        # What differs between the datasets, to make tables of.
        name = column.removeprefix("p_dataset_")
        if name in {"problem", *strengths} or parameters[column].nunique() > 1:
            table[name] = parameters[column]
    now = digest_of_repository()
    codes = [
        (*digests_now(*key), now)
        if recorded_code(row) == code_now(row)
        else (recorded_code(row), None, recorded_code(row))
        for key, row in zip(rows.index, rows.to_dict("records"))
    ]
    table[["code", "tuned", "version"]] = pd.DataFrame(codes, index=rows.index)
    of_images = per_image_scores(df)
    if not of_images.empty:
        table["per_image"] = packed(of_images)
    if origins := values_from(df):
        table["values_from"] = pd.Series(origins)
    runs = rows["final_results"].map(
        lambda kept: kept.get("run") if isinstance(kept, dict) else None
    )
    if runs.notna().any():
        table["run"] = runs
    comparable, _ = comparable_times(rows["final_results"])
    table.loc[[not fine for fine in comparable], TIMES] = math.nan
    table["seconds"] = table["time"]
    pictured = with_final_results(rows, "truth") if with_pictures else rows[:0]
    for key, pictures in pictured["final_results"].items():
        full_size = Image.open(io.BytesIO(pictures["truth"][0])).size
        for kind in PICTURES:
            table.loc[key, kind] = detail(pictures[kind][0], full_size)
    return table.reset_index()


def with_kept(table, published, older=False):
    """The published rows, those of the table in place of them, and its other ones.

    Those that no longer hold are left out, unless ``older``.

    Raises
    ------
    ValueError
        Rows without pictures would take the place of rows with some.
    """
    # A strength with values of two kinds (5, "per_image") is published as text.
    for name in table.columns.intersection(published.columns).difference(KEYS):
        if published[name].map(lambda value: isinstance(value, str)).any():
            table[name] = table[name].map(str, na_action="ignore")
    is_replaced = published.set_index(KEYS).index.isin(table.set_index(KEYS).index)
    if "truth" not in table and has_pictures(published[is_replaced]).any():
        raise ValueError(
            "Rows that these would replace have pictures: publish them without "
            "--scores-only."
        )
    others = published[~is_replaced]
    kept = others if older else others[of_present_code(others)]
    if lost := len(others) - len(kept):
        print(f"Left out: {lost} rows that the present code would not give again.")
    # Tables have the columns in the order of the rows.
    keys = published[KEYS].itertuples(index=False, name=None)
    places = {key: i for i, key in enumerate(keys)}
    both = pd.concat([table, kept])
    both.index = [
        places.get(key, len(places))
        for key in both[KEYS].itertuples(index=False, name=None)
    ]
    both = both.sort_index(kind="stable").reset_index(drop=True)
    known = both["run"].dropna() if "run" in both else []
    if not all(comparable_times([{"run": text} for text in known])[0]):
        both[[*TIMES, "seconds"]] = math.nan
    return both


def has_pictures(published):
    """Whether each row has a picture; results/ may have them of some rows alone."""
    if "truth" not in published:
        return pd.Series(False, index=published.index)
    return published["truth"].notna()


def check_version(df):
    """Raise ``ValueError`` for rows that the code of now would not have made."""
    rows = [(row, code_now(row)) for row in last_rows(df).to_dict("records")]
    if elsewhere := [row for row, code in rows if code is None]:
        first = elsewhere[0]
        raise ValueError(
            f"{first['solver_name']} on {first['dataset_name']} is not of this "
            "repository, and its code cannot be compared: move its file to solvers/ or "
            "datasets/ and run it again, or accept it with --any-version."
        )
    stale = [row for row, code in rows if recorded_code(row) != code]
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
    parser.add_argument(
        "--keep",
        action="store_true",
        help="keep what results/ has beside these rows and is of the present code",
    )
    parser.add_argument(
        "--keep-older",
        action="store_true",
        help="the same, and what is of older code too",
    )
    arguments = parser.parse_args(argv)
    if not re.fullmatch(r"\w[\w-]*", arguments.name):
        parser.error(f"{arguments.name!r} is no name of a file in results/.")
    target = RESULTS / f"{arguments.name}.parquet"
    target.parent.mkdir(exist_ok=True)
    if missing := [path for path in arguments.results if not path.is_file()]:
        parser.error(f"There is no file {missing[0]}.")
    try:
        df = pd.concat(map(read_results, arguments.results), ignore_index=True)
    except ValueError as error:
        parser.error(str(error))
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
    published = pd.DataFrame()
    if (arguments.keep or arguments.keep_older) and target.exists():
        published = pd.read_parquet(target)
    table = slim(df, not arguments.scores_only, published.columns)
    if len(published):
        try:
            table = with_kept(table, published, arguments.keep_older)
        except ValueError as error:
            parser.error(str(error))
    table.to_parquet(target)
    for reason in comparable_times(ends["final_results"])[1]:
        print(f"Without times: {reason}")
    print(f"Written: {target}")


if __name__ == "__main__":
    main()
