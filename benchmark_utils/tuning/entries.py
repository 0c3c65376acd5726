"""Writing config/tuned.yml."""

import yaml

from benchmark_utils.common.shared_files import locked, write_whole
from benchmark_utils.solving import tuned

HEADER = "# Written by tools/tune.py: mean PSNR (dB) on training images.\n"


def save(job, entry, folder):
    """Put one entry into tuned.yml; other processes may do it too.

    Parameters
    ----------
    job : Job
        Whose entry it is.
    entry : dict
    folder : Path
        Where the lock is.
    """
    path = tuned.TUNED_FILE
    with locked(folder):
        # What this process has read before may be old.
        tuned.read_tuned.cache_clear()
        entries = tuned.read_tuned()
        of_problem = entries.setdefault(job.data.name, {}).setdefault(
            job.data.problem, {}
        )
        of_problem[job.key] = entry
        text = yaml.safe_dump(
            entries, sort_keys=True, default_flow_style=None, width=88
        )
        write_whole(path, HEADER + text)
        tuned.read_tuned.cache_clear()
