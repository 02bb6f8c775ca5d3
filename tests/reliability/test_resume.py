"""Stopping, sharing a folder, changed jobs and damage: what a resumed run may and may not do."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from evalharness.data.ledger import schema
from tests.cli.runner import report
from tests.faultd import Act, Answer, Hang, Seen, Status, always, good
from tests.reliability.bench import Bench, ended
from tests.tiny import POLITE

FLAGS = ("--no-cache", "--concurrency", "2")


class Signaller:
    """Sends signals to a child at its first requests, then answers or stays silent."""

    def __init__(self, signals: list[int], act: Act) -> None:
        self.signals = signals
        self.act = act
        self.pid = 0
        self.known = threading.Event()

    def __call__(self, seen: Seen) -> Act:
        self.known.wait(60)
        if self.signals:
            os.kill(self.pid, self.signals.pop(0))
        return self.act


@pytest.mark.parametrize(
    ("signals", "act", "code"),
    [
        ([signal.SIGINT], Answer(), 130),
        ([signal.SIGTERM], Answer(), 143),
        ([signal.SIGINT, signal.SIGTERM], Hang(), 130),
    ],
    ids=["interrupt", "terminate", "twice"],
)
def test_a_signal_ends_in_a_marked_report_that_resumes(bench: Bench, signals: list[int], act: Act, code: int):
    assert bench.here("whole", *FLAGS).code == 0
    bench.forget()
    script = bench.server.script = Signaller(list(signals), act)
    child = bench.start("r", *FLAGS)
    script.pid = child.pid
    script.known.set()
    ran = ended(child)
    # two signals at nearly the same moment may arrive in either order
    assert ran.code in ((130, 143) if len(signals) == 2 else (code,)), ran.err
    assert report(bench.work / "r")["run"]["partial"] == "interrupted"
    kept, asked = bench.acknowledged("r"), bench.asked()
    assert len(kept) == (0 if isinstance(act, Hang) else bench.server.count) < bench.rows
    assert bench.execution("r")["unknown_outcome"] == (bench.server.count if isinstance(act, Hang) else 0)
    bench.server.script = good
    assert bench.here("r", *FLAGS).code == 0
    assert bench.report("r") == bench.report("whole")
    assert {name: bench.asked()[name] for name in kept} == {name: asked[name] for name in kept}


def test_a_second_process_is_refused_and_a_dead_one_leaves_no_lock(bench: Bench):
    reached = threading.Event()

    def hold(_seen: Seen) -> Act:
        reached.set()
        return Hang()

    bench.server.script = hold
    with bench.start("r", *FLAGS) as first:
        assert reached.wait(60)
        sent = bench.server.count
        second = bench.here("r", *FLAGS)
        assert second.code != 0
        assert f"in use by process {first.pid}" in second.err
        assert bench.server.count <= max(sent, 2)
        first.kill()
    bench.server.script = good
    assert bench.here("r", *FLAGS).code == 0
    assert len(bench.acknowledged("r")) == bench.rows


@pytest.mark.parametrize("what", ["input", "rubric", "model"])
def test_what_changed_is_refused_by_name(bench: Bench, what: str):
    assert bench.here("r").code == 0
    before = (bench.report("r"), bench.server.count)
    more: tuple[str, ...] = ()
    if what == "input":
        bench.write(bench.rows, edit=3)
    elif what == "rubric":
        (bench.work / "tiny.yaml").write_text(POLITE.replace("polite?", "kind?"))
    else:
        more = ("--judge", f"j=openai:other@{bench.server.url}")
    ran = bench.here("r", *more)
    assert ran.code != 0
    assert ("'d3' has changed" if what == "input" else "judge j on tiny: changed") in ran.err
    assert (bench.report("r"), bench.server.count) == before


def test_another_model_behind_the_same_name_is_never_mixed_in(bench: Bench):
    """R21: the judge stops before the verdicts of two models stand under one name, also when it is resumed again."""
    bench.server.script = lambda seen: Answer(model="m-old") if seen.number <= 5 else Answer(model="m-new")
    flags = (*FLAGS[:-1], "1")
    for resumed in range(2):
        ran = bench.here("r", *flags)
        assert ran.code == 3, ran.err
        assert len(bench.acknowledged("r")) == 5
        assert bench.server.count == 6 + resumed
    assert bench.attempts("r") == {"ok": 5, "fault": 2}
    told = bench.start("r", *flags[:-1], "1")
    assert "m is answered by m-new now and was by m-old before" in ended(told).err
    ran = bench.here("r", *flags, "--allow-moved-model")
    assert ran.code == 0, ran.err
    assert len(bench.acknowledged("r")) == bench.rows


def test_verdicts_of_an_earlier_model_are_not_taken_from_the_cache(bench: Bench):
    """R21: the cache of a run by the old model does not serve a run that the new one has begun to answer."""
    bench.write(6)
    bench.server.script = always(Answer(model="m-old"))
    assert bench.here("old").code == 0
    bench.write(12)
    bench.server.script = always(Answer(model="m-new"))
    assert bench.here("new", "--concurrency", "1").code == 3
    assert set(bench.acknowledged("new")) == {f"d{n}" for n in range(6)}
    assert bench.here("newer", "--epoch", "2", "--concurrency", "1").code == 0


def test_a_full_disk_stops_before_further_paid_calls(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    bench.write(200)
    bench.server.script = always(Status(401))
    assert bench.here("r", *FLAGS).code == 3
    bench.server.script = good
    bench.forget()
    whole = schema.connect

    def small(path: Path, *, again: bool) -> sqlite3.Connection:
        connection = whole(path, again=again)
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages + 6}")
        return connection

    with monkeypatch.context() as patch:
        patch.setattr(schema, "connect", small)
        ran = bench.here("r", *FLAGS)
    assert ran.code != 0
    assert "full" in ran.err, ran.err
    kept, asked = bench.acknowledged("r"), bench.asked()
    assert 0 < len(kept) < 200
    assert bench.server.count <= len(kept) + 2
    assert bench.here("r", *FLAGS).code == 0
    assert {name: bench.asked()[name] for name in kept} == {name: asked[name] for name in kept}
    assert len(bench.acknowledged("r")) == 200


def _damage(data: bytes, draw: random.Random) -> bytes:
    at = draw.randrange(len(data))
    if draw.random() < 0.1:
        return data[:at]
    return data[:at] + bytes([data[at] ^ (1 << draw.randrange(8))]) + data[at + 1 :]


def damage_stores(bench: Bench, count: int) -> Iterator[bool]:
    """A ledger with a flipped bit or a cut-off end per step; yields whether the next run refused it."""
    assert bench.here("whole", "--no-cache").code == 0
    whole = bench.report("whole")
    store = (bench.work / "whole" / "run.sqlite").read_bytes()
    draw = random.Random(5)
    for number in range(count):
        bench.remove("r")
        shutil.copytree(bench.work / "whole", bench.work / "r")
        (bench.work / "r" / "run.sqlite").write_bytes(_damage(store, draw))
        ran = bench.here("r", "--no-cache")
        assert ran.code != 0 or bench.report("r") == whole, number
        yield ran.code != 0


def test_a_damaged_store_never_gives_a_wrong_score(bench: Bench):
    assert len(list(damage_stores(bench, 40))) == 40


@pytest.mark.slow
def test_a_store_damaged_at_many_places(bench: Bench):
    assert len(list(damage_stores(bench, 2000))) == 2000


def test_an_update_to_other_turns_drops_and_asks_what_it_should(bench: Bench):
    """R13: as many outcomes as items do not mean that the items are done."""
    turns = [{"role": role, "content": f"{role} {n}"} for n in range(2) for role in ("user", "assistant")]
    dialogues = [
        {"id": f"d{n}", "messages": [{"role": "system", "content": f"[row d{n}]"}, *turns]} for n in range(2)
    ]
    (bench.work / "in.jsonl").write_text("".join(json.dumps(dialogue) + "\n" for dialogue in dialogues))
    assert bench.here("r", *FLAGS, "--limit", "1").code == 0
    bench.forget()
    for flags in (("--turns", "last"), ()):
        assert bench.here("r", *FLAGS, "--update", *flags).code == 0
        bench.remove("fresh")
        assert bench.here("fresh", *FLAGS, *flags).code == 0
        assert bench.report("r") == bench.report("fresh")


def test_an_update_to_another_epoch_keeps_no_verdict(bench: Bench):
    bench.write(2)
    assert bench.here("r", *FLAGS, "--metric", "bleu").code == 0
    bench.forget()
    assert bench.here("r", *FLAGS, "--metric", "bleu", "--update", "--epoch", "new").code == 0
    assert bench.asked() == {"d0": 1, "d1": 1}
    assert bench.here("r", *FLAGS, "--metric", "bleu", "--update", "--epoch", "new").code == 0
    assert bench.asked() == {"d0": 1, "d1": 1}
