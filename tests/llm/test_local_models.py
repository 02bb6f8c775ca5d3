"""Installing a model by name, and finding the file behind ``local:MODEL``."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import threading
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from evalharness.errors import InputError, MissingDependencyError, StorageError, UsageError
from evalharness.llm import local_models
from evalharness.llm.local_models import (
    KNOWN_MODELS,
    KnownModel,
    find_model,
    install,
    installed_path,
    models_folder,
)

MODEL = b"GGUF" + (3).to_bytes(4, "little") + (2).to_bytes(8, "little") * 2 + b"weights" * 1000
LICENCE = b"You may."
TINY = KnownModel(
    name="tiny",
    title="Tiny",
    package="tiny-model",
    version="1.0",
    member="tiny/tiny.gguf",
    licence_member="tiny_model-1.0.dist-info/LICENSE",
    licence="Apache-2.0",
    size=len(MODEL),
    sha256=hashlib.sha256(MODEL).hexdigest(),
)


@pytest.fixture(autouse=True)
def only_tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(local_models, "KNOWN_MODELS", {"tiny": TINY})
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


def make_wheel(folder: Path, model: bytes = MODEL, known: KnownModel = TINY) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / known.wheel_name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(known.member, model)
        archive.writestr(known.licence_member, LICENCE)
    return path


def fetch(_model: KnownModel, folder: Path) -> Path:
    return make_wheel(folder)


def never(_model: KnownModel, _folder: Path) -> Path:
    raise AssertionError("nothing may be fetched")


def test_the_model_and_its_licence_arrive_whole_and_private() -> None:
    assert installed_path("tiny") is None
    done = install("tiny", fetch=fetch)
    assert done.fresh
    assert done.path == models_folder() / "tiny.gguf"
    assert done.path.read_bytes() == MODEL
    assert done.path.with_name("tiny.gguf.LICENSE").read_bytes() == LICENCE
    assert sorted(path.name for path in done.path.parent.iterdir()) == ["tiny.gguf", "tiny.gguf.LICENSE"]
    assert installed_path("tiny") == done.path


@pytest.mark.skipif(os.name != "posix", reason="POSIX rights")
def test_only_the_user_may_read_what_was_made() -> None:
    path = install("tiny", fetch=fetch).path
    assert [stat.S_IMODE(p.stat().st_mode) for p in (path, path.parent, path.parent.parent)] == [
        0o600,
        0o700,
        0o700,
    ]


def test_a_second_time_nothing_is_fetched() -> None:
    install("tiny", fetch=fetch)
    again = install("tiny", fetch=never)
    assert not again.fresh


@pytest.mark.parametrize("damaged", [b"", MODEL[:-1], MODEL[:-1] + b"?"])
def test_a_damaged_file_is_noticed_and_replaced(damaged: bytes) -> None:
    path = install("tiny", fetch=fetch).path
    path.write_bytes(damaged)
    with pytest.raises(MissingDependencyError, match=re.escape("judges install tiny")):
        find_model("tiny")
    assert install("tiny", fetch=fetch).fresh
    assert path.read_bytes() == MODEL


@pytest.mark.parametrize("content", [MODEL[:-1], MODEL + b"x", MODEL[:-1] + b"?", b""])
def test_a_wheel_with_other_content_leaves_nothing_behind(tmp_path: Path, content: bytes) -> None:
    wheel = make_wheel(tmp_path / "wheel", content)
    with pytest.raises(InputError, match="does not hold the expected model file"):
        install("tiny", wheel=wheel)
    assert installed_path("tiny") is None
    assert [path.name for path in models_folder().iterdir()] == ["tiny.gguf.LICENSE"]


def test_a_file_that_is_no_wheel_and_a_wheel_without_the_model_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.whl").write_bytes(b"no zip")
    with pytest.raises(InputError, match="unaltered"):
        install("tiny", wheel=tmp_path / "x.whl")
    other = make_wheel(tmp_path / "other", known=replace(TINY, member="elsewhere/tiny.gguf"))
    with pytest.raises(InputError, match=re.escape(TINY.wheel_name)):
        install("tiny", wheel=other)


def test_a_broken_fetch_leaves_the_installed_file_alone() -> None:
    path = install("tiny", fetch=fetch).path
    path.write_bytes(b"damaged")

    def fail(_model: KnownModel, _folder: Path) -> Path:
        raise MissingDependencyError("no index")

    with pytest.raises(MissingDependencyError):
        install("tiny", fetch=fail)
    assert path.read_bytes() == b"damaged"


def test_several_installing_at_once_all_end_with_the_whole_file() -> None:
    together = threading.Barrier(6)
    found: list[bytes] = []

    def work() -> None:
        together.wait()
        found.append(install("tiny", fetch=fetch).path.read_bytes())

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [MODEL] * 6
    assert len(list(models_folder().iterdir())) == 2


def test_an_unwritable_place_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    with pytest.raises(StorageError, match="XDG_DATA_HOME"):
        install("tiny", fetch=never)


def test_a_full_disk_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(local_models, "_copy", full)
    with pytest.raises(StorageError, match="the disk is full"):
        install("tiny", fetch=fetch)
    assert list(models_folder().iterdir()) == []


def test_an_unknown_name_lists_the_known_ones() -> None:
    for ask in (install, installed_path):
        with pytest.raises(UsageError, match="tiny"):
            ask("huge\x1b")


@pytest.mark.parametrize(
    ("environ", "platform", "expected"),
    [
        ({"XDG_DATA_HOME": "/x"}, "linux", "/x/evalharness/models"),
        ({"XDG_DATA_HOME": "relative"}, "linux", "~/.local/share/evalharness/models"),
        ({}, "linux", "~/.local/share/evalharness/models"),
        ({}, "darwin", "~/Library/Application Support/evalharness/models"),
        ({"LOCALAPPDATA": "/w"}, "win32", "/w/evalharness/models"),
        ({"XDG_DATA_HOME": "/x"}, "darwin", "/x/evalharness/models"),
    ],
)
def test_the_folder_follows_the_platform(environ: dict[str, str], platform: str, expected: str) -> None:
    assert models_folder(environ, platform) == Path(expected).expanduser()


def test_without_a_home_the_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("no home")

    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(StorageError, match="XDG_DATA_HOME"):
        models_folder({}, "linux")


def test_a_known_name_means_the_installed_file() -> None:
    with pytest.raises(MissingDependencyError, match=re.escape("Run: evalharness judges install tiny")):
        find_model("tiny")
    path = install("tiny", fetch=fetch).path
    found = find_model("tiny")
    assert (found.path, found.sha256, found.trusted) == (path, TINY.sha256, True)


def test_a_path_means_that_file_which_is_trusted_only_with_known_content(tmp_path: Path) -> None:
    same, other = tmp_path / "same.gguf", tmp_path / "other.gguf"
    same.write_bytes(MODEL)
    other.write_bytes(MODEL + b"more")
    assert find_model(str(same)).trusted
    found = find_model(str(other))
    assert not found.trusted
    assert found.sha256 == hashlib.sha256(MODEL + b"more").hexdigest()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tinny", "no local model named 'tinny'"),
        ("absent.gguf", "no such model file"),
        ("./absent", "no such model file"),
        (".", "is a folder"),
    ],
)
def test_what_is_neither_name_nor_file_is_explained(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        find_model(name)


def test_a_file_that_is_no_model_is_refused_before_it_is_hashed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "page.gguf"
    path.write_bytes(b"<html>")
    hashed: list[Path] = []
    monkeypatch.setattr(local_models, "file_sha256", hashed.append)
    with pytest.raises(InputError, match="web page"):
        find_model(str(path))
    assert hashed == []


def test_every_known_model_is_pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, model in KNOWN_MODELS.items():
        assert model.name == name
        assert re.fullmatch("[0-9a-f]{64}", model.sha256)
        assert model.size > 0
        assert model.file_name.endswith(".gguf")
        assert model.wheel_name.endswith(f"-{model.version}-py3-none-any.whl")


def test_fetching_works_in_a_folder_that_goes_away() -> None:
    seen: list[Path] = []

    def remembering(model: KnownModel, folder: Path) -> Path:
        seen.append(folder)
        return fetch(model, folder)

    fetching: Callable[[KnownModel, Path], Path] = remembering
    install("tiny", fetch=fetching)
    assert not seen[0].exists()
