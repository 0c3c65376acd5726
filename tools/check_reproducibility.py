"""Rerun config/quick.yml and compare every PSNR with the committed reference.

    python tools/check_reproducibility.py            # fails where a PSNR has moved
    python tools/check_reproducibility.py --update   # accept the new numbers

The reference is config/quick_reference.csv. A difference of more than 0.05 dB, a row
that is missing or a row that is new makes it fail, and each is named.
"""

import argparse
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
TOLERANCE = 0.05


def run(config, results, *options):
    """Run a configuration with benchopt and return {(dataset, solver): PSNR}.

    Everything is computed anew: numbers from the cache would agree with themselves.
    """
    command = [sys.executable, "-m", "benchopt", "run", str(ROOT), "--no-plot"]
    command += ["--no-cache", "--config", str(config), "--output", str(results)]
    command += options
    subprocess.run(command, check=True)
    return final_scores(read_results(results)).set_index(KEYS)["psnr"]


def differences(psnr, reference, tolerance=TOLERANCE):
    """One sentence for each row that is not as in the reference."""
    messages = []
    for row in reference.index.union(psnr.index):
        name = " ".join(row)
        if row not in psnr.index:
            messages.append(f"{name}: not in this run.")
        elif row not in reference.index:
            messages.append(f"{name}: not in the reference.")
        elif not abs(psnr[row] - reference[row]) <= tolerance:
            messages.append(
                f"{name}: {psnr[row]:.2f} dB; the reference: {reference[row]:.2f} dB."
            )
    return messages


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--update", action="store_true", help="rewrite the reference")
    arguments, options = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        psnr = run(CONFIG, Path(folder) / "quick.parquet", *options)
    if arguments.update:
        psnr.round(3).to_csv(REFERENCE)
        return
    reference = pd.read_csv(REFERENCE).set_index(KEYS)["psnr"]
    if messages := differences(psnr, reference):
        raise SystemExit("\n".join(["Not reproduced:", *messages]))
    print(f"Reproduced: {len(psnr)} PSNRs within {TOLERANCE} dB of the reference.")


if __name__ == "__main__":
    main()
