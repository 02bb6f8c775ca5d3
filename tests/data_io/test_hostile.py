import json
import tracemalloc
from pathlib import Path

import pytest

from evalharness.core.text import has_invisible
from evalharness.data.dialogues import Read, ReadOptions, Rejected, read_dialogues
from evalharness.data.survey import Survey, survey
from tests.data_io.make_hostile import BIG_ID, EVIL_IDS, FORMULAS, Hostile, files
from tests.research import research_file

CASES = files()


def written(folder: Path, name: str) -> str:
    case = next(case for case in CASES if case.name == name)
    path = folder / name
    path.write_bytes(case.data)
    return str(path)


def outcome_of(found: Survey) -> str:
    """What ``data validate`` says: a problem without a rejected record is one of the file or of its ids."""
    if found.problem_count > found.rejected:
        return "file-error"
    return "row-error" if found.rejected else "accept"


def check(found: Survey, outcome: str, rows_ok: int, rows_bad: int) -> None:
    assert outcome_of(found) == outcome, found.problems
    assert found.usable == (outcome == "accept")
    if outcome != "file-error":
        assert (found.dialogues, found.rejected) == (rows_ok, rows_bad)


def test_there_are_41_cases_with_different_names() -> None:
    assert len({case.name for case in CASES}) == len(CASES) == 41


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_file_ends_as_it_should(case: Hostile, tmp_path: Path) -> None:
    check(survey([written(tmp_path, case.name)]), case.outcome, case.rows_ok, case.rows_bad)


def test_the_published_set_ends_as_its_own_list_says() -> None:
    expected = json.loads(research_file("hostile-inputs/expected.json").read_text())
    assert len(expected) == 41
    for name, case in expected.items():
        found = survey([str(research_file(f"hostile-inputs/{name}"))])
        check(found, case["outcome"], case["rows_ok"], case["rows_bad"])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_text_that_is_read_can_be_written(case: Hostile, tmp_path: Path) -> None:
    seen = 0
    for outcome in read_dialogues([written(tmp_path, case.name)], faults=[]):
        if isinstance(outcome, Read):
            texts = [outcome.dialogue.id, *(message.content for message in outcome.dialogue.messages)]
        else:
            texts = [str(outcome.problem)]
        assert [text.encode().decode() for text in texts] == texts
        seen += 1
    assert seen == case.rows_ok + case.rows_bad or case.outcome == "file-error"


def problems(folder: Path, name: str) -> list[str]:
    return [
        str(problem).removeprefix(str(folder / name)) for problem in survey([written(folder, name)]).problems
    ]


def test_problems_name_line_column_and_cause(tmp_path: Path) -> None:
    assert problems(tmp_path, "truncated_tail.jsonl") == [
        ":2:89: the JSON text ends in the middle of a value (cut off?)"
    ]
    assert problems(tmp_path, "raw_nul.jsonl") == [":1:98: a raw NUL byte"]
    assert problems(tmp_path, "deep.jsonl") == [":1: nested deeper than 100 levels"]
    assert problems(tmp_path, "dup_keys.jsonl") == [":1: the key 'id' stands twice in one object"]
    assert [text.split(". ")[0] for text in problems(tmp_path, "empty_turns.jsonl")] == [
        ":1: there are no messages: nothing to judge",
        ":3: message 0: 'content' is null",
        ":4: message 0: there is no content",
        ":5: message 0: there is no role",
        ":6: message 0: the role 'wizard' is unknown",
        ":8: message 0: 'content' is an object",
    ]
    assert [text.split("(")[0] for text in problems(tmp_path, "nan_infinity.jsonl")] == [
        ":1: NaN is not JSON ",
        ":2: Infinity is not JSON ",
        ":3: the number 1e999 is too large to be finite",
    ]


def test_a_problem_with_the_encoding_says_how_to_mend_it(tmp_path: Path) -> None:
    assert "UTF-16LE" in problems(tmp_path, "utf16.jsonl")[0]
    assert "iconv -f UTF-16LE" in problems(tmp_path, "utf16.jsonl")[0]
    assert "byte 0xe9" in problems(tmp_path, "latin1.jsonl")[0]


def test_both_lines_of_a_repeated_id_are_named(tmp_path: Path) -> None:
    path = str(tmp_path / "dup_ids.jsonl")
    (text,) = problems(tmp_path, "dup_ids.jsonl")
    assert text.startswith(f":2: the id 'a' is used in {path}:1, too")
    assert any("the id '1' is used in" in text for text in problems(tmp_path, "str_int_id_collision.jsonl"))


def only(folder: Path, name: str) -> Read:
    (outcome,) = read_dialogues([written(folder, name)])
    assert isinstance(outcome, Read)
    return outcome


def test_ids_keep_their_text(tmp_path: Path) -> None:
    assert only(tmp_path, "bigint.jsonl").dialogue.id == str(BIG_ID)
    reads = [r for r in read_dialogues([written(tmp_path, "evil_ids.jsonl")]) if isinstance(r, Read)]
    assert [r.dialogue.id for r in reads if not r.dialogue.id_is_hash] == [name for name in EVIL_IDS if name]


def test_a_missing_id_becomes_the_hash_of_the_content_and_is_noted(tmp_path: Path) -> None:
    first, second = only(tmp_path, "missing_id.jsonl"), only(tmp_path, "missing_id.jsonl")
    assert first.dialogue.id_is_hash
    assert first.dialogue.id == second.dialogue.id != ""
    assert first.notes == ("id missing: content hash used",)


def test_texts_are_not_changed(tmp_path: Path) -> None:
    reads = [r for r in read_dialogues([written(tmp_path, "formula.jsonl")]) if isinstance(r, Read)]
    assert [r.dialogue.messages[0].content for r in reads] == FORMULAS
    assert only(tmp_path, "nul_in_string.jsonl").dialogue.messages[0].content == "x\0y"
    assert only(tmp_path, "u2028.jsonl").dialogue.messages[0].content == "x\u2028y\u2029z\u0085w\x0bq"


def test_a_lone_surrogate_is_replaced_and_noted(tmp_path: Path) -> None:
    first, second = read_dialogues([written(tmp_path, "lone_surrogate.jsonl")])
    assert isinstance(first, Read)
    assert isinstance(second, Read)
    assert first.dialogue.messages[0].content == "bad \ufffd char"
    assert first.notes == ("lone surrogate replaced by U+FFFD",)
    assert second.notes == ()


def test_hidden_characters_are_flagged(tmp_path: Path) -> None:
    for name in ("bidi_zero_width.jsonl", "ansi.jsonl"):
        found = survey([written(tmp_path, name)])
        assert found.invisible == 1
        assert [(at.source, at.line) for at in found.invisible_at] == [(str(tmp_path / name), 1)]
    assert survey([written(tmp_path, "crlf.jsonl")]).invisible == 0


def test_no_problem_shows_a_control_character(tmp_path: Path) -> None:
    for case in CASES:
        for problem in survey([written(tmp_path, case.name)]).problems:
            assert not has_invisible(problem.message)


def test_a_bomb_costs_little_memory(tmp_path: Path) -> None:
    path = written(tmp_path, "bomb_20MB.jsonl.gz")
    tracemalloc.start()
    try:
        (outcome,) = read_dialogues([path])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(outcome, Rejected)
    assert "20,000,049 bytes" in outcome.problem.message
    assert len(outcome.raw) == 64 << 10
    assert peak < 40 << 20  # the limit of a line twice over, and no multiple of what is packed
    (outcome,) = read_dialogues([path], options_with_limit(1 << 20))
    assert isinstance(outcome, Rejected)


def options_with_limit(limit: int) -> ReadOptions:
    return ReadOptions(max_line_bytes=limit)
