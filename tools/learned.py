"""List the trained weights that are kept from one run to the next, or remove them.

    python tools/learned.py                    # what there is
    python tools/learned.py --clear            # remove all of them
    python tools/learned.py --clear Unrolled   # those whose line has this word

They are in __cache__/learned, or in the folder that BENCHMARK_CACHE names. Removed
weights are trained again when a run needs them.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmark_utils.learning import clear, entries


def line_of(key, record):
    """An entry in words: what was trained, on what, how long, and how large it is."""
    return (
        f"{key}  {record['solver']} on {record['dataset']} {record['problem']}: "
        f"{record['steps']} steps, {record['seconds']:.0f} s on {record['device']}, "
        f"{record['bytes'] / 1e6:.1f} MB"
    )


def main(args=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("word", nargs="?", default="", help="lines that have it")
    parser.add_argument("--clear", action="store_true", help="remove these weights")
    args = parser.parse_args(args)
    lines = {key: line_of(key, record) for key, record in entries().items()}
    lines = {key: line for key, line in lines.items() if args.word in line}
    for line in lines.values():
        print(line)
    if args.clear:
        # Without a word, what interrupted trainings have left goes too.
        clear(lines if args.word else None)
        print(f"{len(lines)} removed.")
    elif not lines:
        print("There are no such weights.")


if __name__ == "__main__":
    main()
