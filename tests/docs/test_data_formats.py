"""Every example of docs/data-formats.md is read as the section says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from evalharness.data.dialogues import Read, ReadOptions, Tally, read_dialogues
from evalharness.data.mapping import MESSAGE_FIELDS, RECORD_FIELDS, field_mapper
from evalharness.data.readers.messages import ROLE_NAMES
from evalharness.data.readers.native import MESSAGE_KEYS
from evalharness.data.readers.recognise import dialect_names
from evalharness.data.reading import Record
from evalharness.data.records import CONTAINERS
from evalharness.data.survey import survey

PAGE = (Path(__file__).parents[2] / "docs" / "data-formats.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+) (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECTIONS = {
    match[1]: section
    for section in re.split(r"^##+ ", PAGE, flags=re.MULTILINE)
    if (match := re.match(r".*\(`([\w-]+)`\)\n", section))
}
EXCHANGES = {"user": "question", "assistant": "answer", "references": "ground_truth"}


def written(section: str, folder: Path) -> dict[str, str]:
    """The example files of a section, by name."""
    for _, name, text in BLOCK.findall(section):
        (folder / name).write_text(text, encoding="utf-8")
    return {name: str(folder / name) for _, name, _ in BLOCK.findall(section)}


def test_every_dialect_has_a_section_and_an_example() -> None:
    assert set(SECTIONS) == set(dialect_names())
    assert all(BLOCK.search(section) for section in SECTIONS.values())


@pytest.mark.parametrize("name", SECTIONS)
def test_examples_are_recognised_and_usable(name: str, tmp_path: Path) -> None:
    files = written(SECTIONS[name], tmp_path)
    readings = [list(files.values())] if name == "mt-bench" else [[path] for path in files.values()]
    for paths in readings:
        mapping = EXCHANGES if paths[0].endswith("exchanges.csv") else {}
        found = survey(paths, ReadOptions(map=mapping))
        assert found.problems == ()
        assert {file.dialect for file in found.files} == {name}
        assert found.dialogues
        assert found.replies


def test_the_native_example_keeps_every_field(tmp_path: Path) -> None:
    path = written(SECTIONS["native"], tmp_path)["native.jsonl"]
    first, second = (read for read in read_dialogues([path]) if isinstance(read, Read))
    assert first.notes == second.notes == ()
    assert first.dialogue.messages[4].references == ("Your parcel is in the hub at Lyon.",)
    assert (first.dialogue.goal, first.dialogue.system) == ("learn where parcel 7 is", "v2")
    assert second.dialogue.id == "2"


def test_what_is_said_about_research_ids_is_true(tmp_path: Path) -> None:
    def ids(name: str) -> list[str]:
        paths = list(written(SECTIONS[name], tmp_path).values())
        return [read.dialogue.id for read in read_dialogues(paths) if isinstance(read, Read)]

    assert ids("mt-bench") == ["mt-bench-81-model-1", "mt-bench-81-model-2"]
    assert ids("usr") == ["usr-0-original-ground-truth", "usr-0-argmax-decoding"]
    assert ids("fed") == ["fed-dial_00000-turn-1", "fed-dial_00000"]
    assert ids("tau-bench") == ["tau-0-1"]


def test_the_references_example_joins_the_native_one(tmp_path: Path) -> None:
    dialogues = written(SECTIONS["native"], tmp_path)["native.jsonl"]
    references = written(PAGE.split("## References in a second file")[1].split("## Labels")[0], tmp_path)
    options = ReadOptions(references=references["references.jsonl"])
    tally = Tally()
    found = [read for read in read_dialogues([dialogues], options, tally=tally) if isinstance(read, Read)]
    assert (len(found), tally.references_used, tally.unused_references) == (2, 2, 0)
    assert len(found[0].dialogue.messages[4].references) == 3


def test_the_reader_example_works() -> None:
    names: dict = {}
    code = next(text for language, _, text in BLOCK.findall(PAGE) if language == "python")
    exec(compile(code, "reader.py", "exec"), names)
    reader = names["TranscriptReader"]()
    good = Record("f", 1, {"id": "t", "transcript": "A: hi\nB: hello"}, b"")
    bad = Record("f", 2, {"id": "t", "transcript": "C: hi"}, b"{}")
    assert reader.recognises(good.value)
    read, rejected = reader.read(iter([good, bad]), Tally())
    assert [(m.role, m.content) for m in read.dialogue.messages] == [("user", "hi"), ("assistant", "hello")]
    assert rejected.problem.message == "there is no speaker 'C'"


def test_names_on_the_page_are_those_of_the_code() -> None:
    for name in (*MESSAGE_KEYS, *CONTAINERS):
        assert f"`{name}`" in PAGE
    listed = PAGE.split("| `role` |")[1].split("|")[0]
    assert set(re.findall(r"`(\w+)`", listed)) <= set(ROLE_NAMES)
    targets = PAGE.split("Fields are ")[1].split("What stood")[0]
    wanted = dict.fromkeys(re.findall(r"`([\w.]+)`", targets), "x")
    assert set(wanted) == {*RECORD_FIELDS, *MESSAGE_FIELDS, "system", "metadata.system", "metadata.NAME"}
    assert field_mapper(wanted) is not None
