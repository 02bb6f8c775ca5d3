import os
from pathlib import Path

import pytest

from evalharness.data.sources import expand, plain_suffix, rereadable
from evalharness.errors import InputError


def fault(*sources: str) -> str:
    with pytest.raises(InputError) as caught:
        expand(sources)
    return str(caught.value)


def test_globs_are_expanded_in_order(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.jsonl", "c.csv", "sub/d.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.jsonl").mkdir()
    found = expand([str(tmp_path / "c.csv"), f"{tmp_path}/**/*.jsonl", "-"])
    names = [name.removeprefix(f"{tmp_path}/") for name in found]
    assert names == ["c.csv", "a.jsonl", "b.jsonl", "sub/d.jsonl", "-"]


def test_a_file_whose_name_looks_like_a_glob_is_that_file(tmp_path: Path) -> None:
    path = tmp_path / "run[1].jsonl"
    path.touch()
    assert expand([str(path)]) == [str(path)]


def test_every_fault_is_listed_at_once(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    text = fault(str(tmp_path / "x"), str(tmp_path), str(tmp_path / "a"), str(tmp_path / "a"))
    assert text.count("\n") == 2
    for words in ("there is no such file", "this is a folder", "is named twice"):
        assert words in text


def test_nothing_found_is_a_fault(tmp_path: Path) -> None:
    assert "no file matches" in fault(str(tmp_path / "*.jsonl"))
    assert "no input" in fault()


def test_the_same_file_under_another_name_is_found(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert "is named twice" in fault(str(tmp_path / "a"), str(tmp_path / "b"))


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("a.jsonl", ".jsonl"),
        ("a.JSONL.GZ", ".jsonl"),
        ("a.csv.zst", ".csv"),
        ("a", ""),
        ("a.gz", ""),
        ("v1.2/a.x.json", ".json"),
    ],
)
def test_the_suffix_of_the_content(name: str, suffix: str) -> None:
    assert plain_suffix(name) == suffix


def test_a_pipe_can_be_read_only_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    assert not rereadable(str(tmp_path / "pipe"))
    assert not rereadable("-")
    assert rereadable(str(tmp_path / "file"))
