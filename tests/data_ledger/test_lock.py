"""One process per run folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from evalharness.data.lock import exclusive
from evalharness.errors import RunConflictError

_HOLD = """
import sys, pathlib
from evalharness.data.lock import exclusive
with exclusive(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def _holder(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_process_is_refused_and_told_who_holds_it(tmp_path: Path):
    process = _holder(tmp_path)
    with pytest.raises(RunConflictError, match=f"in use by process {process.pid}"), exclusive(tmp_path):
        pass
    process.communicate("")


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path):
    process = _holder(tmp_path)
    process.kill()
    process.communicate()
    with exclusive(tmp_path):
        assert (tmp_path / "run.lock").read_text() == f"process {os.getpid()}"
