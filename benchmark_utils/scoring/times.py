"""Times: how they are written, and whether they can stand beside each other."""

import json

# Processes of others per core, above which a machine is busy.
MAX_LOAD = 0.25


def comparable_times(final_results):
    """Whether the time of each row can stand beside the others'.

    Returns
    -------
    list of bool; list of str, why some cannot, in sentences.
    """
    records = [
        json.loads(kept["run"]) if isinstance(kept, dict) and "run" in kept else {}
        for kept in final_results
    ]
    of_machine = [
        tuple(record.get(key) for key in ("device", "gpu", "cpu", "threads"))
        for record in records
    ]
    idle = [_load_of_others(record) <= MAX_LOAD for record in records]
    reasons = []
    if unknown := records.count({}):
        reasons.append(f"{unknown} rows do not say what machine they were made on.")
    if busy := idle.count(False):
        reasons.append(f"{busy} rows began on a busy machine.")
    fine = [bool(record) and calm for record, calm in zip(records, idle)]
    kinds = {kind for kind, ok in zip(of_machine, fine) if ok}
    if len(kinds) > 1:
        names = "; ".join(sorted(", ".join(map(str, kind)) for kind in kinds))
        reasons.append(f"Hardware or numbers of threads differ: {names}.")
        fine = [False] * len(fine)
    return fine, reasons


def _load_of_others(record):
    """Running processes per core, without the threads of the run itself."""
    others = (record.get("load") or 0.0) - (record.get("threads") or 1)
    return others / (record.get("cores") or 1)


def in_digits(seconds):
    """Two digits, or all before the point: 0.0012, 3.1, 110."""
    return f"{seconds:.0f}" if seconds >= 100 else f"{seconds:.2g}"
