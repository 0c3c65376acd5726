"""Which published results the present code would not give again, and what runs them.

    python tools/stale_results.py
    python tools/stale_results.py mri ct

prints, for each file of results/ or for those that are named, the datasets and solvers
of such rows, as ``benchopt run`` takes them. Once they have run,
``tools/publish_results.py --keep`` puts the new rows beside those that still hold.
"""

import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import pandas as pd  # noqa: E402

from benchmark_utils.scoring import of_present_code  # noqa: E402

RESULTS = ROOT / "results"


def as_given(name):
    """A name as an option of ``benchopt run``: what has a plus is put in quotes."""
    return '"' + re.sub(r"=([^,\]]*\+[^,\]]*)", r"='\1'", name) + '"'


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="of files of results/; all by default")
    names = parser.parse_args(argv).names
    known = sorted(path.stem for path in RESULTS.glob("*.parquet"))
    if unknown := set(names).difference(known):
        parser.error(f"results/ has no {min(unknown)}, but {', '.join(known)}.")
    for name in names or known:
        results = pd.read_parquet(RESULTS / f"{name}.parquet")
        stale = results[[not fine for fine in of_present_code(results)]]
        print(f"{name}: {len(stale)} of {len(results)} rows")
        for dataset, rows in stale.groupby("dataset_name", sort=False):
            solvers = " -s ".join(map(as_given, rows["solver_name"]))
            print(f"  -d {as_given(dataset)} -s {solvers}")


if __name__ == "__main__":
    main()
