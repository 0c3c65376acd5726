"""Build a static site of results: an index, and a page per experiment.

    python tools/build_site.py [RESULTS ...] [-o FOLDER]

writes site/index.html and what it links, from the result files of your runs
(outputs/quick.parquet) or, without any, from those published in results/: tables of all
scores, the pictures (of results/, a detail of one), the configuration, and what is
known of the run. It needs no network to be read. The templates are in tools/pages.
"""

import argparse
import re
import shutil
import sys
from pathlib import Path

from benchopt.results import read_results
from jinja2 import Environment, FileSystemLoader

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmark_utils.scoring import (  # noqa: E402
    check_one_objective,
    of_present_code,
    unpacked,
)
from tools.build_readme import PAGES, markdown_table, read  # noqa: E402
from tools.pages.facts import facts_of, published  # noqa: E402
from tools.pages.filters import FILTERS  # noqa: E402
from tools.pages.pictures import details_of, groups_of, images_of  # noqa: E402
from tools.publish_results import slim  # noqa: E402

REPOSITORY = "https://github.com/benchopt/benchmark_inverse_problems"
TEMPLATES = ROOT / "tools" / "pages"
# The configurations of results that have another name.
CONFIGS = {
    "fire_set3c": ["fire_single", "fire_combined"],
    "fire_admm_bsd20": ["fire_admm"],
    "learning_operators_mri": ["learning_operators"],
    "learning_operators_blur": ["learning_operators"],
    "learning_operators_ct": ["learning_operators"],
}
SCORES = {
    "recovery": "Recovery of the true dictionary, 1 at best",
    "psnr": "PSNR (dB)",
    "psnr_kernel": "PSNR inside the kernel of A (dB)",
    "psnr_range": "PSNR outside of the kernel of A (dB)",
    "ssim": "SSIM, 1 at best",
    "lpips": "LPIPS, 0 at best",
    "nmse": "NMSE, 0 at best",
    "haarpsi": "HaarPSI, 1 at best",
}
BLOCK = re.compile(r"<!-- table (\w+) ([^>]+) -->")


def blocks():
    """{name: the options of its tables} in the README and the pages beside it."""
    found = {}
    for page in PAGES:
        for name, options in BLOCK.findall(page.read_text(encoding="utf-8")):
            found.setdefault(name, []).append(options.split())
    return found


def parameters(results):
    """What ``markdown_table`` is to put in columns: a parameter of the datasets."""
    names = results["dataset_name"]
    for column in results:
        is_parameter = column == "problem" or any(f"{column}=" in n for n in names)
        if is_parameter and results[column].nunique() == names.nunique():
            return column
    return "dataset_name"


def tables_of(results, of_readme):
    """The tables of the README, then those of the other scores: a list of dict."""
    columns = of_readme[0][1:] if of_readme else [parameters(results)]
    others = [[score, *columns] for score in SCORES if score in results]
    tables = {}
    for score, *options in [*of_readme, *others]:
        if results[score].notna().any():
            title = SCORES.get(score, score)
            tables.setdefault(title, markdown_table(results, score, *options))
    return [{"title": title, **split(table)} for title, table in tables.items()]


def split(markdown):
    """A table in Markdown as a header and rows, lists of texts."""
    lines = [line.strip("|").split("|") for line in markdown.splitlines()]
    header, _, *rows = [[cell.strip() for cell in line] for line in lines]
    return {"header": [header[0] or "solver", *header[1:]], "rows": rows}


def experiment(name, results, of_readme, folder, df=None):
    """All that the page of an experiment shows, but its configurations and its age.

    ``df`` is the DataFrame of benchopt that the results are of, for all its pictures.
    """
    tables = tables_of(results, of_readme)
    cells = " ".join(
        cell for table in tables for row in table["rows"] for cell in row[1:]
    )
    images = []
    if "per_image" in results:
        images = list(unpacked(results["per_image"].dropna())["image"].unique())
    pictures = details_of(results, *images[:1]) if df is None else images_of(df)
    return {
        "name": name,
        "n_solvers": results["solver_name"].nunique(),
        "n_problems": results["dataset_name"].nunique(),
        "tables": tables,
        "has_intervals": "±" in cells,
        "has_daggers": "†" in cells,
        "has_seeds": "[" in cells,
        "n_images": len(images),
        "has_seconds": " s)" in cells,
        "are_details": df is None,
        "groups": groups_of(name, results, pictures, folder),
        "facts": facts_of(results, images),
        "comments": [],
        "configs": {},
    }


def configs_of(name):
    """{file name: text} of the configurations of published results."""
    paths = [ROOT / "config" / f"{stem}.yml" for stem in CONFIGS.get(name, [name])]
    return {
        path.name: path.read_text(encoding="utf-8") for path in paths if path.exists()
    }


def comment(config):
    """What a configuration says of itself, in its first lines."""
    lines = re.match(r"(?:# .*\n)*", config)[0]
    return lines.replace("# ", "").replace("\n", " ").strip()


def published_experiments(folder):
    """What the pages of the files in results/ show, as the README orders them."""
    of_readme = blocks()
    names = [path.stem for path in sorted((ROOT / "results").glob("*.parquet"))]
    order = [*of_readme, *names]
    names.sort(key=order.index)
    found = []
    for name in names:
        results, configs = read(name), configs_of(name)
        e = experiment(name, results, of_readme.get(name, []), folder)
        e["published"] = published(name)
        e["is_older"] = not all(of_present_code(results))
        e["configs"], e["comments"] = configs, list(map(comment, configs.values()))
        found.append(e)
    if not found[0]["published"]:
        print("Without dates and commits: this is no clone with its history.")
    return found


def own_experiments(own, folder):
    """What the pages of {name: results of benchopt} show."""
    return [experiment(name, slim(df), [], folder, df) for name, df in own.items()]


def build(folder, own=None):
    """Write the site into a folder.

    ``own`` is {name: DataFrame of benchopt}; without it, the published results.
    """
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    experiments = own_experiments(own, folder) if own else published_experiments(folder)

    templates = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= FILTERS
    templates.globals["repository"] = REPOSITORY
    index = templates.get_template("index.html").render(
        experiments=experiments, are_published=not own
    )
    (folder / "index.html").write_text(index, encoding="utf-8")
    page = templates.get_template("experiment.html")
    for e in experiments:
        (folder / f"{e['name']}.html").write_text(page.render(e=e), encoding="utf-8")
    for asset in ("site.css", "site.js"):
        shutil.copy(TEMPLATES / asset, folder)
    print(f"Written: {folder / 'index.html'} and {len(experiments)} pages.")


def main(args=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "results",
        type=Path,
        nargs="*",
        help="parquet files of benchopt; those of results/ where none is given",
    )
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "site")
    args = parser.parse_args(args)
    if missing := [path for path in args.results if not path.is_file()]:
        parser.error(f"There is no file {missing[0]}.")
    names = [path.stem for path in args.results]
    if several := {name for name in names if names.count(name) > 1}:
        parser.error(f"Two files are called {min(several)}, and so would their pages.")
    if "index" in names:
        parser.error("A page called index would take the place of the site's own.")
    try:
        own = {path.stem: read_results(path) for path in args.results}
        for df in own.values():
            check_one_objective(df)
    except ValueError as error:
        parser.error(str(error))
    build(args.output, own)


if __name__ == "__main__":
    main()
