"""The benchmark follows benchopt's rules: its own test suite passes."""

import subprocess
import sys

from conftest import ROOT


def test_benchopt_test_passes():
    command = [sys.executable, "-m", "benchopt", "test", str(ROOT), "--skip-install"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert " passed" in done.stdout
