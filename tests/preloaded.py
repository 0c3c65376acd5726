"""``benchopt`` in a process of its own that has the libraries, and none of our code.

Their imports take most of a short run: they are made once, in a process that forks.
"""

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from pathlib import Path

from benchopt import __main__ as program

LIBRARIES = ["benchopt.cli", "deepinv", "torchmetrics.functional.image", "optuna"]
TIMEOUT = 600
HERE = Path(__file__).resolve().parent


def run_benchopt(*arguments, cwd, **environment):
    """What ``python -m benchopt`` prints and returns, as ``subprocess.run`` has it.

    Without ``-j``: the process would wait minutes for its idle workers to end.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(LIBRARIES)
    command = [program.__file__, *map(str, arguments)]
    with tempfile.TemporaryDirectory() as folder:
        printed = [Path(folder) / name for name in ("stdout", "stderr")]
        given = command, cwd, os.environ | environment, printed
        process = context.Process(target=_run, args=given)
        process.start()
        process.join(TIMEOUT)
        if process.exitcode is None:
            process.kill()
            raise TimeoutError(printed[0].read_text())
        texts = [path.read_text() for path in printed]
    return subprocess.CompletedProcess(command, process.exitcode, *texts)


def _run(command, cwd, environment, printed):
    for descriptor, path in enumerate(printed, start=1):
        with path.open("wb") as file:
            os.dup2(file.fileno(), descriptor)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    # The code is that of the folder where benchopt runs.
    ours = {str(HERE), str(HERE.parent)}
    sys.path[:] = [path for path in sys.path if path not in ours]
    sys.argv = command
    runpy.run_module("benchopt", run_name="__main__")
