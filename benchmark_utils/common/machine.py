"""What ran a solver: hardware, libraries, code. Results carry it, and no cache key."""

import os
import subprocess
from datetime import UTC, datetime
from functools import cache

import torch
from benchopt.utils.sys_info import get_sys_info

from benchmark_utils.common.fingerprint import installed
from benchmark_utils.common.paths import ROOT

LIBRARIES = ("torch", "deepinv", "benchopt", "numpy")


def machine_record(device):
    """What is to be known of a run that begins now on ``device``.

    Returns
    -------
    dict
        date; device and gpu (its name, or None); cpu (its name) and cores (of the whole
        machine); threads of torch; tf32, whether the GPU multiplies in it; load, the
        mean number of running processes during the last minute, or None where the
        system does not tell; versions; commit of this repository and whether it was
        dirty (changed since), None if not known.
    """
    on_gpu = device.type == "cuda"
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": str(device),
        "gpu": torch.cuda.get_device_name(device) if on_gpu else None,
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "tf32": torch.backends.cuda.matmul.allow_tf32 if on_gpu else None,
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "versions": {name: installed(name) for name in LIBRARIES},
        **commit_record(),
    }


@cache
def cpu_name():
    return get_sys_info()["system-processor"]


@cache
def commit_record():
    """Asked for once: what runs is what was imported."""
    commit = changes = None
    if (ROOT / ".git").exists():
        commit = _git("rev-parse", "HEAD")
        changes = _git("status", "--porcelain", "--untracked-files=no")
    dirty = None if changes is None else bool(changes)
    return {"commit": commit, "dirty": dirty}


def _git(*command):
    try:
        done = subprocess.run(
            ["git", "-C", ROOT, *command], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
