"""Rerun config/quick.yml and compare every score with the committed reference.

    python tools/check_reproducibility.py            # fails where a score has moved
    python tools/check_reproducibility.py --update   # accept the new numbers

The reference is config/quick_reference.csv: PSNR, PSNR inside of ker A, and SSIM. A
difference of more than 0.05 dB (0.002 of SSIM), a row that is missing or a row that is
new makes it fail, and each is named.
"""

import argparse
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
from benchopt.results import read_results

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmark_utils.scoring import KEYS, final_scores  # noqa: E402

CONFIG = ROOT / "config" / "quick.yml"
REFERENCE = ROOT / "config" / "quick_reference.csv"
TOLERANCES = {"psnr": 0.05, "psnr_kernel": 0.05, "ssim": 0.002}


def run(config, results, *options):
    """Run a configuration with benchopt: the scores, a row per dataset and solver.

    Everything is computed anew: numbers from the cache would agree with themselves.
    """
    command = [sys.executable, "-m", "benchopt", "run", str(ROOT), "--no-plot"]
    command += ["--no-cache", "--config", str(config), "--output", str(results)]
    command += options
    subprocess.run(command, check=True)
    scores = final_scores(read_results(results)).set_index(KEYS)
    return scores.reindex(columns=[*TOLERANCES])


def differences(scores, reference):
    """One sentence for each score that is not as in the reference."""
    messages = []
    for row in reference.index.union(scores.index):
        name = " ".join(row)
        if row not in scores.index:
            messages.append(f"{name}: not in this run.")
        elif row not in reference.index:
            messages.append(f"{name}: not in the reference.")
        else:
            messages += [
                f"{name}: {score} {scores.loc[row, score]:.3f}; the reference: "
                f"{reference.loc[row, score]:.3f}."
                for score in reference
                if not agree(scores.loc[row, score], reference.loc[row, score], score)
            ]
    return messages


def agree(value, expected, score):
    """Whether two scores are the same; both are missing where nothing is lost."""
    if score != "psnr" and math.isnan(value) and math.isnan(expected):
        return True
    return abs(value - expected) <= TOLERANCES[score]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--update", action="store_true", help="rewrite the reference")
    arguments, options = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        scores = run(CONFIG, Path(folder) / "quick.parquet", *options)
    if arguments.update:
        scores.round(4).to_csv(REFERENCE)
        return
    reference = pd.read_csv(REFERENCE).set_index(KEYS)
    if messages := differences(scores, reference):
        raise SystemExit("\n".join(["Not reproduced:", *messages]))
    print(f"Reproduced: the scores of {len(scores)} runs are those of the reference.")


if __name__ == "__main__":
    main()
