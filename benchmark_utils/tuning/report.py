"""What tuned.yml says of itself: values on a bound, defaults untouched, old entries."""

from collections import defaultdict

from benchmark_utils.physics import MRI_PROBLEMS
from benchmark_utils.solving.search import Range
from benchmark_utils.solving.tuned import parse_key, read_tuned
from benchmark_utils.tuning.job import MAGNITUDES, NOTHING, protocol_of


def report(solvers):
    """Lines about all the entries.

    Parameters
    ----------
    solvers : list of classes
    """
    spaces = {s.name: getattr(s, "search_space", {}) for s in solvers}
    n_values = n_bound = n_nothing = seconds = untimed = 0
    on_bound, untouched, old, other_score = [], [], [], []
    same = defaultdict(list)
    entries = [
        (f"{dataset} {problem}", key, entry)
        for dataset, problems in read_tuned().items()
        for problem, solvers in problems.items()
        for key, entry in solvers.items()
    ]
    for where, key, entry in entries:
        name, options = parse_key(key)
        given = {option.split("=")[0] for option in options}
        space = {n: s for n, s in spaces.get(name, {}).items() if n not in given}
        if entry.get("protocol") != protocol_of(space):
            old.append(f"{where} {key}")
        if entry.get("note") == NOTHING:
            n_nothing += 1
            continue
        is_complex = where.split(" ")[1].split("[")[0] in MRI_PROBLEMS
        if is_complex and entry.get("scored") != MAGNITUDES:
            other_score.append(f"{where} {key}")
        values, hit = _values(entry, space), _on_bound(entry, space)
        n_values, n_bound = n_values + len(values), n_bound + len(hit)
        if hit:
            on_bound.append(f"{where} {key}: {', '.join(hit)}")
        if values and all(_is_default(*value) for value in values):
            untouched.append(f"{where} {key}")
        same[where, name, str(entry["parameters"])].append(key)
        seconds += entry.get("seconds", 0)
        untimed += "seconds" not in entry
    shared = [
        f"{where}: {', '.join(keys)}"
        for (where, *_), keys in same.items()
        if len(keys) > 1
    ]
    share = f" ({n_bound / n_values:.0%})" if n_values else ""
    return [
        f"{len(entries)} entries, {n_nothing} of them with nothing to tune.",
        f"{n_bound} of {n_values} tuned values are on a bound{share}.",
        *_listed(on_bound),
        f"{len(untouched)} entries are the untouched default.",
        *_listed(untouched),
        f"{len(shared)} groups of entries of one solver and problem have one optimum.",
        *_listed(shared),
        f"{len(old)} entries are of an older protocol.",
        *_listed(old),
        f"{len(other_score)} entries are of another score, and not of magnitudes.",
        *_listed(other_score),
        f"{seconds} seconds of tuning; {untimed} entries do not say theirs.",
    ]


def _listed(lines):
    return [f"  {line}" for line in lines]


def _values(entry, space):
    """[(space, value, how many share it)] of each number."""
    found = []
    for name, value in entry["parameters"].items():
        each = value if isinstance(value, list) else [value]
        if name in space:
            found += [(space[name], v, len(each)) for v in each]
    return found


def _on_bound(entry, space):
    """The values on a bound of the range that was searched: name=value."""
    hit = []
    widened, ranges = entry.get("widened", {}), entry.get("ranges", {})
    for name, value in entry["parameters"].items():
        known = space.get(name)
        if isinstance(known, Range):
            low, high = widened.get(name) or ranges.get(name) or (known.low, known.high)
            searched = Range(low, high, low)
            for v in value if isinstance(value, list) else [value]:
                if searched.bound(v):
                    hit.append(f"{name}={v}")
        elif name in entry.get("on_bound", []):
            hit.append(f"{name}={value}")
    return hit


def _is_default(space, value, n):
    default = space.default / n if isinstance(space, Range) else space.default
    return abs(value - default) <= 0.011 * abs(default)
