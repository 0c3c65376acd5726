"""The names of solvers and datasets, as tables, figures and files have them."""

import re
from collections import Counter

from benchmark_utils.scoring.results import short_label
from benchmark_utils.solving.tuned import parse_key

# How names end that were told apart: " (code 7bb5b1)", " (path=/my/images)".
APART = re.compile(r"( \((?:code \w+|\w+=[^()]*/.*)\))$")


def column_labels(datasets):
    """Short labels of datasets, without the words that they all have."""
    words = [short_label(dataset).split() for dataset in datasets]
    common = set.intersection(*map(set, words)) if len(words) > 1 else set()
    return [
        " ".join(
            word if "=" in word else word.replace("_", " ")
            for word in [w for w in label if w not in common] or label
        )
        for label in words
    ]


def without_common_options(names):
    """The names of solvers without the options that all variants of one share."""
    split = [re.split(APART, name, maxsplit=1) for name in names]
    parsed = [parse_key(name) for name, *_ in split]
    common, n_variants = {}, Counter(solver for solver, _ in parsed)
    for solver, options in parsed:
        common[solver] = common.get(solver, options) & options
    shown = []
    for (solver, options), (_, *ending) in zip(parsed, split):
        kept = options - common[solver] if n_variants[solver] > 1 else options
        short = f"{solver}[{','.join(sorted(kept))}]" if kept else solver
        shown.append("".join([short, *ending]))
    return shown


def file_name(*parts):
    """The name of a file, of letters, digits and underscores: for LaTeX too."""
    label = " ".join(map(short_label, parts))
    label = re.sub(r"=-(?=[\d.])", "=minus", label)
    return re.sub(r"[^A-Za-z0-9]+", "_", label).strip("_")
