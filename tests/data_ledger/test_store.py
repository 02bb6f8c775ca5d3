"""The ledger keeps what it is given, finds damage, and refuses what it does not know."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.core.dialogue import Dialogue, Message, Unit
from evalharness.core.scores import Cause, Column, Failure, Score, Skip, SkipReason
from evalharness.data.ledger.rows import key_text, name_text
from evalharness.data.ledger.store import ItemRef, Ledger
from evalharness.errors import InputError, RunConflictError, StorageError

COLUMN = Column("bleu", "bleu", Unit.TURN, "bleu|v1", low=0.0, high=100.0)


def _dialogue(name: str, text: str = "hi", group: str = "") -> Dialogue:
    return Dialogue(name, (Message("user", "q"), Message("assistant", text)), group=group)


@pytest.fixture
def ledger(tmp_path: Path):
    with Ledger(tmp_path / "run.sqlite") as opened:
        yield opened


def test_dialogues_come_back_in_order_and_sorted(ledger: Ledger):
    for name, group in (("b", "g2"), ("a", "g2"), ("c", "g1")):
        ledger.add_dialogue(_dialogue(name, group=group), "f.jsonl", 1)
    assert [s.load().id for block in ledger.dialogue_blocks(2) for s in block] == ["b", "a", "c"]
    assert [s.load().id for s in ledger.sorted_dialogues()] == ["c", "a", "b"]


def test_equal_ids_name_both_lines(ledger: Ledger):
    ledger.add_dialogue(_dialogue("x"), "one.jsonl", 3)
    with pytest.raises(InputError, match=r"two.jsonl:9: the id 'x' is already that of one.jsonl:3"):
        ledger.add_dialogue(_dialogue("x", "other"), "two.jsonl", 9)


def test_outcomes_survive_reopening(tmp_path: Path):
    path = tmp_path / "run.sqlite"
    results = (Score(12.5, stats=(1.0, 2.0)), Failure(Cause.TIMEOUT, "slow"), Skip(SkipReason.NO_CONTEXT))
    with Ledger(path) as ledger:
        ledger.add_dialogue(_dialogue("x"), "f", 1)
        number = ledger.scorer("key", [COLUMN, COLUMN, COLUMN])
        ledger.put(number, ItemRef(1, 1), results)
        ledger.put(number, ItemRef(1, None), results)
    with Ledger(path) as ledger:
        assert ledger.scorer("key", [COLUMN]) == number
        assert ledger.scorers()[number] == (COLUMN, COLUMN, COLUMN)
        rows = list(ledger.outcomes())
        assert [(row.dialogue, row.turn) for row in rows] == [("x", None), ("x", 1)]
        assert rows[0].results == results
        assert set(ledger.done(number, 1, 1)) == {ItemRef(1, 1), ItemRef(1, None)}


def test_a_rolled_back_transaction_leaves_nothing(ledger: Ledger):
    with pytest.raises(ZeroDivisionError), ledger.transaction():
        ledger.add_dialogue(_dialogue("x"), "f", 1)
        1 / 0  # noqa: B018
    assert ledger.dialogue_count() == 0


@pytest.mark.parametrize("table", ["outcomes", "dialogues"])
def test_damage_is_found_and_named(tmp_path: Path, table: str):
    path = tmp_path / "run.sqlite"
    with Ledger(path) as ledger:
        ledger.add_dialogue(_dialogue("x"), "f", 1)
        ledger.put(ledger.scorer("key", [COLUMN]), ItemRef(1, 1), (Score(12.5),))
    with sqlite3.connect(path) as raw:
        raw.execute(f"UPDATE {table} SET body = replace(replace(body, '12.5', '92.5'), 'hi', 'ho')")
    with Ledger(path) as ledger, pytest.raises(StorageError, match="damaged"):
        list(ledger.outcomes()) if table == "outcomes" else list(ledger.sorted_dialogues())


@pytest.mark.parametrize("column", ["id", "cluster", "system", "source", "line", "body", "hash"])
def test_a_text_that_turned_into_bytes_is_damage_and_no_bug(tmp_path: Path, column: str):
    """A flipped bit in a record's header changes the type of a value."""
    path = tmp_path / "run.sqlite"
    with Ledger(path) as ledger:
        ledger.add_dialogue(_dialogue("x"), "f", 1)
        ledger.put(ledger.scorer("key", [COLUMN]), ItemRef(1, 1), (Score(12.5),))
    with sqlite3.connect(path) as raw:
        raw.execute(f"UPDATE dialogues SET {column} = CAST({column} AS BLOB)")
    with pytest.raises(StorageError), Ledger(path) as ledger:
        list(ledger.sorted_dialogues())
        list(ledger.outcomes())


def test_a_changed_letter_in_the_schema_is_damage(tmp_path: Path):
    """``INTEGEr PRIMARY KEY`` is a key, ``INTEGEs PRIMARY KEY`` another column: every dialogue would be gone."""
    path = tmp_path / "run.sqlite"
    with Ledger(path) as ledger:
        ledger.add_dialogue(_dialogue("x"), "f", 1)
    with sqlite3.connect(path) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data = path.read_bytes()
    path.write_bytes(data.replace(b"seq INTEGER PRIMARY", b"seq INTEGES PRIMARY"))
    with pytest.raises(StorageError, match="not those of a ledger"):
        Ledger(path)


def test_an_outcome_moved_to_another_item_is_damage(tmp_path: Path):
    path = tmp_path / "run.sqlite"
    with Ledger(path) as ledger:
        ledger.add_dialogue(_dialogue("x"), "f", 1)
        ledger.put(ledger.scorer("key", [COLUMN]), ItemRef(1, 1), (Score(12.5),))
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE outcomes SET turn = 3")
    with Ledger(path) as ledger, pytest.raises(StorageError, match="outcome of scorer 1 on dialogue 'x'"):
        list(ledger.outcomes())


def test_a_newer_ledger_is_refused_politely(tmp_path: Path):
    path = tmp_path / "run.sqlite"
    Ledger(path).close()
    with sqlite3.connect(path) as raw:
        raw.execute("PRAGMA user_version = 99")
    with pytest.raises(RunConflictError, match="newer evalharness"):
        Ledger(path)


def test_another_file_is_not_a_ledger(tmp_path: Path):
    path = tmp_path / "run.sqlite"
    path.write_text("hello, this is certainly no database\n" * 50)
    with pytest.raises(StorageError, match="not a readable ledger"):
        Ledger(path)


def test_the_file_is_private(ledger: Ledger):
    assert stat.S_IMODE(ledger.path.stat().st_mode) == 0o600


def test_the_secret_is_made_once_and_kept(ledger: Ledger):
    secret = ledger.secret()
    assert len(secret) == 32
    assert ledger.secret() == secret


def test_attempts_are_counted_by_how_they_ended(ledger: Ledger):
    item = ItemRef(1, 1)
    for state, cost in (("ok", 0.5), ("ok", 0.25), ("unknown", None)):
        number = ledger.begin_attempt(7, item, sample=0, step="verdict", request="hash", possible=0.1)
        ledger.end_attempt(number, state=state, cost=cost, input_tokens=10, seconds=1.0)
    ledger.begin_attempt(7, item, sample=0, step="verdict", request="hash", possible=0.1)
    totals = {row.state: row for row in ledger.attempt_totals()}
    assert totals["ok"].attempts == 2
    assert totals["ok"].cost == 0.75
    assert totals["ok"].input_tokens == 20
    assert totals["unknown"].cost is None
    assert totals["unknown"].possible == 0.1
    assert totals["sent"].attempts == 1


def test_following_a_changed_input_keeps_what_is_unchanged(ledger: Ledger):
    for name in ("same", "changed", "gone"):
        ledger.add_dialogue(_dialogue(name), "f", 1)
    number = ledger.scorer("key", [COLUMN])
    for seq in (1, 2, 3):
        ledger.put(number, ItemRef(seq, 1), (Score(1.0),))
    with ledger.transaction():
        ledger.begin_follow()
        ledger.follow_dialogue(_dialogue("changed", "new text"), "g", 1)
        ledger.follow_dialogue(_dialogue("same"), "g", 2)
        ledger.follow_dialogue(_dialogue("new"), "g", 3)
        ledger.end_follow()
    assert {s.load().id for s in ledger.sorted_dialogues()} == {"same", "changed", "new"}
    assert [row.dialogue for row in ledger.outcomes()] == ["same"]


@given(st.text())
def test_any_id_can_be_stored_and_told_from_every_other(name: str):
    assert name_text(key_text(name)) == name


@given(st.text(alphabet="\\x0n\ud800\x00é", max_size=6), st.text(alphabet="\\x0n\ud800\x00é", max_size=6))
def test_keys_do_not_collide(one: str, other: str):
    assert (key_text(one) == key_text(other)) == (one == other)


def _first_version(path: Path) -> None:
    """A ledger as the first version made it, with a dialogue and its outcome."""
    with Ledger(path) as ledger:
        ledger.add_dialogue(_dialogue("x"), "f.jsonl", 1)
        ledger.put(ledger.scorer("key", [COLUMN]), ItemRef(1, 1), (Score(12.5),))
    with sqlite3.connect(path) as raw:
        raw.executescript("DROP TABLE batch_requests; DROP TABLE batches; PRAGMA user_version=1")


def test_an_older_ledger_is_brought_up_to_date(tmp_path: Path):
    path = tmp_path / "run.sqlite"
    _first_version(path)
    with Ledger(path) as ledger:
        assert [row.results for row in ledger.outcomes()] == [(Score(12.5),)]
        assert not ledger.batches
    fresh = tmp_path / "fresh.sqlite"
    Ledger(fresh).close()
    described = []
    for file in (path, fresh):
        with sqlite3.connect(file) as raw:
            rows = raw.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
            described.append((raw.execute("PRAGMA user_version").fetchone(), rows))
    assert described[0] == described[1]


def test_a_damaged_older_ledger_is_refused(tmp_path: Path):
    path = tmp_path / "run.sqlite"
    _first_version(path)
    with sqlite3.connect(path) as raw:
        raw.execute("DROP INDEX attempts_by_scorer")
    with pytest.raises(StorageError, match="its tables are not those of a ledger"):
        Ledger(path)


def test_the_fingerprint_follows_dialogues_and_outcomes_and_not_their_order(tmp_path):
    def made(name, order, value=1.0, text="Hi"):
        with Ledger(tmp_path / name) as ledger:
            with ledger.transaction():
                for place in order:
                    ledger.add_dialogue(Dialogue(f"d{place}", (Message("user", text),)), "in.jsonl", 1)
            number = ledger.scorer("key", (COLUMN,))
            for seq in (1, 2):
                ledger.put(number, ItemRef(seq, None), [Score(value)])
            return ledger.fingerprint([number]), ledger.fingerprint([])

    assert made("a", (1, 2)) == made("b", (2, 1))
    assert made("a2", (1, 2))[0] != made("c", (1, 2), value=2.0)[0]
    assert made("a3", (1, 2))[1] == made("d", (1, 2), value=2.0)[1]
    assert made("a4", (1, 2))[1] != made("e", (1, 2), text="Ho")[1]
