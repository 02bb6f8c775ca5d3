import gzip
import io
import json
import os
import threading
import tracemalloc
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from evalharness.core import registry
from evalharness.data.dialogues import FileTally, Origin, Read, ReadOptions, Rejected, Tally, read_dialogues
from evalharness.data.readers.interface import RecordReader
from evalharness.data.readers.messages import read_messages
from evalharness.data.readers.parts import Draft, finished
from evalharness.data.reading import Record
from evalharness.errors import InputError, Problem, UsageError
from tests.data_io.helpers import ASK, REPLY, ids, native, one, put, reads, refused

LINES = "".join(json.dumps(native(f"d{number}")) + "\n" for number in range(3)).encode()


def fault(*sources: str, **options: object) -> str:
    with pytest.raises(InputError) as caught:
        list(read_dialogues(sources, ReadOptions(**options)))  # type: ignore[arg-type]
    return str(caught.value)


def test_origins_name_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n" + LINES)
    assert [read.origin for read in reads(str(path))] == [Origin(str(path), line) for line in (2, 3, 4)]


def test_elements_of_an_array_are_numbered(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps([native("a"), 7, native("b")], indent=2))
    first, bad, last = read_dialogues([str(path)])
    assert isinstance(first, Read)
    assert isinstance(last, Read)
    assert isinstance(bad, Rejected)
    assert (first.origin.line, bad.problem.line, last.origin.line) == (1, 2, 3)
    assert bad.problem.message == "the element holds a number; a dialogue is a JSON object"
    assert bad.raw == b"7"


def test_one_object_over_several_lines_is_one_dialogue(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(native("a"), indent=2))
    assert ids(reads(str(path))) == ["a"]


def test_a_torn_first_line_does_not_turn_lines_into_a_document() -> None:
    torn = b'{"id": "x", "messages": [{"role"\n' + LINES
    outcomes = list(read_dialogues(["-"], stdin=io.BytesIO(torn)))
    assert [type(outcome) for outcome in outcomes] == [Rejected, Read, Read, Read]


@pytest.mark.parametrize(
    "data", [LINES, gzip.compress(LINES), b"[" + LINES.strip().replace(b"\n", b",") + b"]"]
)
def test_standard_input_is_read_like_a_file(data: bytes) -> None:
    found = list(read_dialogues(["-"], stdin=io.BytesIO(data)))
    assert ids(read for read in found if isinstance(read, Read)) == ["d0", "d1", "d2"]
    assert all(isinstance(read, Read) and read.origin.source == "-" for read in found)


def test_a_named_pipe_is_read_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(LINES,))
    writer.start()
    try:
        assert ids(reads(str(pipe))) == ["d0", "d1", "d2"]
    finally:
        writer.join()


def test_several_files_follow_each_other(tmp_path: Path) -> None:
    put(tmp_path / "b.jsonl", native("b"))
    put(tmp_path / "a.jsonl", native("a"))
    turns = put(tmp_path / "c.jsonl", {"conversations": [{"from": "gpt", "value": "x"}], "id": "c"})
    assert ids(reads(f"{tmp_path}/[ab].jsonl", turns)) == ["a", "b", "c"]


def test_the_tally_counts_by_file(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(LINES + b"\n{\n")
    tally = Tally()
    list(read_dialogues([str(path)], tally=tally))
    assert tally.files == [FileTally(str(path), "native", "jsonl", records=4, blank_lines=1, rejected=1)]


def test_empty_input_is_a_fault_unless_another_file_has_dialogues(tmp_path: Path) -> None:
    empty, blank = tmp_path / "empty.jsonl", tmp_path / "blank.jsonl"
    empty.touch()
    blank.write_text("\n \n")
    assert "the file is empty" in fault(str(empty), str(blank))
    assert ids(reads(str(empty), put(tmp_path / "a.jsonl", native("a")))) == ["a"]


def test_faults_can_be_collected(tmp_path: Path) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_bytes(gzip.compress(LINES)[:-4])
    good = put(tmp_path / "good.jsonl", native("a"))
    faults: list[Problem] = []
    found = list(read_dialogues([str(bad), good], faults=faults))
    assert ids(read for read in found if isinstance(read, Read)) == ["a"]
    assert [problem.source for problem in faults] == [str(bad)]


def test_a_fault_late_in_a_file_is_raised(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    lines = b"".join(json.dumps(native(os.urandom(40).hex())).encode() + b"\n" for _ in range(20_000))
    path.write_bytes(gzip.compress(lines)[:-4])
    outcomes = read_dialogues([str(path)])
    assert isinstance(next(outcomes), Read)
    with pytest.raises(InputError, match="cut off"):
        list(outcomes)


def test_an_unknown_form_says_what_was_looked_for(tmp_path: Path) -> None:
    text = fault(put(tmp_path / "a.jsonl", {"foo": 1, "bar\x1b": 2}))
    assert "no known form" in text
    assert "'foo', 'bar\\x1b'" in text
    for name in ("native", "openai", "responses", "anthropic", "sharegpt", "turns", "mt-bench", "usr", "fed"):
        assert f"\n  {name}: " in text
    assert "--format" in text


def test_two_forms_at_once_are_a_fault(tmp_path: Path) -> None:
    sharegpt = {"conversations": [{"from": "human", "value": "x"}]}
    tau = {"task_id": 1, "reward": 1, "traj": []}
    text = fault(put(tmp_path / "a.jsonl", sharegpt, tau))
    assert "more than one form: sharegpt and tau-bench" in text


def test_a_form_can_be_forced(tmp_path: Path) -> None:
    path = put(tmp_path / "a.jsonl", native("a"))
    (outcome,) = read_dialogues([path], ReadOptions(format="usr"))
    assert isinstance(outcome, Rejected)
    with pytest.raises(UsageError, match="there is no format 'nativ'") as caught:
        list(read_dialogues([path], ReadOptions(format="nativ")))
    assert "native" in str(caught.value)


def test_metadata_are_set_over_those_of_the_file(tmp_path: Path) -> None:
    read = one(
        tmp_path, native("a", metadata={"system": "v1", "lang": "en"}), set={"system": "v2", "run": "7"}
    )
    assert read.dialogue.metadata == {"system": "v2", "lang": "en", "run": "7"}


def test_the_raw_record_is_kept_to_a_limit(tmp_path: Path) -> None:
    record = native("a", messages=[{"role": "wizard", "content": "x" * 200_000}])
    (outcome,) = read_dialogues([put(tmp_path / "a.jsonl", record)])
    assert isinstance(outcome, Rejected)
    assert outcome.raw == json.dumps(record).encode()[: 64 << 10]


def test_many_bad_lines_before_a_good_one_take_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"id": 1\n' * 30_000 + LINES)
    tracemalloc.start()
    try:
        kinds = [isinstance(outcome, Read) for outcome in read_dialogues([str(path)])]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (len(kinds), sum(kinds)) == (30_003, 3)
    assert peak < 4 << 20


def test_memory_does_not_grow_with_the_number_of_dialogues(tmp_path: Path) -> None:
    def peak_of(count: int) -> int:
        path = tmp_path / f"{count}.jsonl"
        with path.open("w") as out:
            out.writelines(json.dumps(native(f"d{number}")) + "\n" for number in range(count))
        tracemalloc.start()
        try:
            assert sum(1 for _ in read_dialogues([str(path)])) == count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak_of(100)
    assert peak_of(20_000) < peak_of(5_000) + (1 << 20)


class LoudReader(RecordReader):
    """A plug-in for ``{"loud": [...]}``."""

    name = "loud"
    looks_for = "'loud'"

    def recognises(self, value: dict) -> bool:
        return "loud" in value

    def dialogues(self, record: Record) -> list[Read]:
        notes: list[str] = []
        return [finished(Draft(read_messages(record.value["loud"], notes), id="loud", notes=notes), record)]


@pytest.fixture
def plugged_in(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("loud", f"{__name__}:LoudReader", registry.READERS)
    monkeypatch.setattr(registry, "entry_points", lambda group: [point])
    monkeypatch.setattr(EntryPoint, "load", lambda self: LoudReader)
    registry.plugins.cache_clear()


@pytest.mark.usefixtures("plugged_in")
@pytest.mark.parametrize("forced", [None, "loud"])
def test_a_plug_in_is_recognised_and_can_be_forced(tmp_path: Path, forced: str | None) -> None:
    try:
        assert one(tmp_path, {"loud": [ASK, REPLY]}, format=forced).dialogue.id == "loud"
    finally:
        registry.plugins.cache_clear()


def test_a_number_id_keeps_its_exact_text(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    texts = ["1.10", "1.1", "1e3", "12345678901234567890.123456789", "-0.0"]
    path.write_text("".join(f'{{"id": {text}, "messages": [{json.dumps(REPLY)}]}}\n' for text in texts))
    assert ids(reads(str(path))) == texts


def test_an_id_of_another_kind_is_refused(tmp_path: Path) -> None:
    assert "'id' is true or false" in refused(tmp_path, native(True))
    assert "'id' is a list" in refused(tmp_path, native(["a"]))  # type: ignore[arg-type]


def test_parquet_needs_a_real_file() -> None:
    with pytest.raises(InputError, match="can't be read from a pipe"):
        list(read_dialogues(["-"], ReadOptions(format="parquet"), stdin=io.BytesIO(b"PAR1")))


def test_a_file_that_may_not_be_read_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path / "a.jsonl", native("a"))

    def refuse(self: Path, mode: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert "can't be opened: Permission denied" in fault(path)
