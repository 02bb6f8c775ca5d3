"""The look at a model file before C++ code opens it."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.errors import InputError
from evalharness.llm.local_gguf import check_gguf, read_context_length


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def header(version: int = 3, tensors: int = 5, entries: int = 2) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, entries)


def entry(name: bytes, kind: int, value: bytes) -> bytes:
    return text(name) + struct.pack("<I", kind) + value


NAME = entry(b"general.architecture", 8, text(b"llama"))
TAGS = entry(b"general.tags", 9, struct.pack("<IQ", 8, 2) + text(b"a") + text(b"b"))
SIZES = entry(b"general.sizes", 9, struct.pack("<IQ", 4, 3) + struct.pack("<III", 1, 2, 3))
WINDOW = entry(b"llama.context_length", 4, struct.pack("<I", 8192))


def written(folder: Path, content: bytes) -> Path:
    path = folder / "model.gguf"
    path.write_bytes(content)
    return path


def test_a_plausible_beginning_passes(tmp_path: Path) -> None:
    check_gguf(written(tmp_path, header() + NAME))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is empty"),
        (b"GGUF", "ends within its header"),
        (b"hello, this is no model at all", "does not begin with GGUF"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (b"<!DOCTYPE html><html>", "it is a web page"),
        (b"PK\x03\x04" + b"\0" * 30, "zip archive"),
        (b"ggjt" + b"\0" * 30, "before GGUF"),
        (header(version=1), "format version 1"),
        (header(version=0x03000000), "format version"),
        (header(tensors=0), "makes no sense"),
        (header(entries=2**62), "makes no sense"),
    ],
)
def test_anything_else_is_refused_in_plain_words(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_gguf(written(tmp_path, content))


def test_missing_files_folders_and_unreadable_files_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such model file"):
        check_gguf(tmp_path / "absent.gguf")
    with pytest.raises(InputError, match="is a folder"):
        check_gguf(tmp_path)
    with pytest.raises(InputError, match="can't be read"):
        check_gguf(Path("a\0b.gguf"))


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="rights don't bind this user")
def test_a_file_without_read_rights_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, header())
    path.chmod(0)
    with pytest.raises(InputError, match="can't be read"):
        check_gguf(path)


def test_hostile_file_names_are_escaped_in_messages(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        check_gguf(tmp_path / "a\x1b[31mb\n.gguf")
    assert "\x1b" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_window_is_read_from_behind_strings_and_arrays(tmp_path: Path) -> None:
    path = written(tmp_path, header(entries=4) + NAME + TAGS + SIZES + WINDOW)
    assert read_context_length(path) == 8192


@pytest.mark.parametrize(
    "content",
    [
        b"",
        header(entries=1) + NAME,
        header(entries=3) + NAME + WINDOW[:-2],
        header() + struct.pack("<Q", 2**60),
        header() + entry(b"x", 99, b""),
        header() + entry(b"x", 9, struct.pack("<IQ", 4, 2**60)),
        header() + entry(b"llama.context_length", 4, struct.pack("<I", 0)),
        header() + entry(b"llama.context_length", 8, text(b"long")),
    ],
)
def test_metadata_that_does_not_say_gives_none(tmp_path: Path, content: bytes) -> None:
    assert read_context_length(written(tmp_path, content)) is None


@given(st.binary(max_size=200))
def test_no_bytes_make_the_look_fail_otherwise(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = written(tmp_path_factory.mktemp("gguf"), header() + content)
    check_gguf(path)
    found = read_context_length(path)
    assert found is None or found > 0
