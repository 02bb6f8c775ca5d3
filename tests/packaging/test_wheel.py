"""What is built works without the checkout: rubrics, sample data, templates, page assets."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def _run(site: Path, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": str(site), "XDG_CACHE_HOME": str(cwd / "cache")}
    command = [sys.executable, "-P", "-m", "evalharness", *arguments]
    return subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True)


def test_nothing_but_the_package_is_in_the_wheel(unpacked: Path):
    assert {path.name.split("-")[0] for path in unpacked.iterdir()} == {"evalharness"}


def test_the_wheel_scores_and_reports_by_itself(unpacked: Path, tmp_path: Path):
    where = _run(unpacked, tmp_path, "doctor")
    assert str(unpacked) in where.stdout, where.stderr
    listed = _run(unpacked, tmp_path, "rubric", "list")
    assert "support-reply" in listed.stdout
    shown = _run(unpacked, tmp_path, "rubric", "show", "rag-faithfulness")
    assert "## unsupported" in shown.stdout, shown.stderr
    demo = _run(unpacked, tmp_path, "demo", "--no-judge", "--out", "r")
    assert demo.returncode == 0, demo.stderr
    assert (tmp_path / "r" / "report.html").stat().st_size > 50_000
