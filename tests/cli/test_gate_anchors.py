"""Anchors through the command: a judge that drifts, one that holds still, and one that was changed on purpose."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.runner import Ran, run
from tests.cli.test_gate_again import RUBRIC, SCENARIOS, says
from tests.faultd import Faultd
from tests.faultd_acts import Act, Seen


def levels(shift: int) -> Callable[[Seen], Act]:
    """A judge that gives each scenario its own level, moved by ``shift``."""

    def script(seen: Seen) -> Act:
        number = int(seen.row[1:3])
        return says(min(5, max(1, 2 + number % 3 + shift)))

    return script


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Faultd]:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    Path("tone.yaml").write_text(RUBRIC)
    Path("gate.yaml").write_text("max_drop: 20%\nanchors: anchors.jsonl\n")
    with Faultd(levels(0)) as server:
        yield server


def score(server: Faultd, out: str, tag: str = "", judge: str = "j=openai:m", *more: str) -> None:
    rows = [
        {
            "id": f"{name}{tag}",
            "group": name,
            "messages": [
                {"role": "user", "content": f"Where is it? [row {name}{tag}]"},
                {"role": "assistant", "content": "It is on its way."},
            ],
        }
        for name in SCENARIOS
    ]
    Path(f"{out}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    ran = run(
        "score", f"{out}.jsonl", "-r", "tone.yaml", "-j", f"{judge}@{server.url}", "-o", out, "-q", *more
    )
    assert ran.code == 0, ran.err


def freeze(*more: str) -> Ran:
    ran = run("baseline", "anchors", "old", *more)
    assert ran.code == 0, ran.err
    return ran


def gate(*more: str) -> Ran:
    return run("gate", "new", "-b", "old", "-p", "gate.yaml", *more)


def criterion() -> dict[str, Any]:
    return dict(json.loads(Path("new/gate.json").read_text())["criteria"][0])


def test_a_judge_that_holds_still_lets_the_gate_decide(server: Faultd):
    score(server, "old")
    assert "20 anchors of old, 0 with labels" in freeze().out
    score(server, "new", "-new")
    asked = server.count
    ran = gate()
    assert ran.code == 0, ran.out
    assert server.count == asked + 20, "every anchor is judged afresh, none comes from the cache"
    assert criterion()["ruler"]["state"] == "held"
    gate()
    assert server.count == asked + 20


def test_a_judge_that_moved_is_the_verdict(server: Faultd):
    score(server, "old")
    labels = [f"{name},1,polite,ann,{2 + number % 3}" for number, name in enumerate(SCENARIOS)]
    Path("labels.csv").write_text("dialogue,turn,criterion,rater,value\n" + "\n".join(labels) + "\n")
    freeze("--labels", "labels.csv")
    server.script = levels(-1)
    score(server, "new", "-new")
    ran = gate()
    assert ran.code == 4, ran.out
    assert "the judge itself moved by -1 [-1, -1] on 20 anchors (tolerated ±0.4)" in ran.out
    assert "corrected by +1, the change would be +0" in ran.out
    row = criterion()
    assert row["ruler"]["state"] == "moved"
    assert row["ruler"]["bias_recorded"]["value"] == pytest.approx(2 / 9)
    assert row["ruler"]["bias_now"]["value"] == pytest.approx(2 / 9 - 1)
    assert row["difference"]["value"] == pytest.approx(-1.0)
    assert row["difference_corrected"]["value"] == pytest.approx(0.0)
    Path("plain.yaml").write_text("max_drop: 20%\n")
    assert run("gate", "new", "-b", "old", "-p", "plain.yaml", "-o", "plain").code == 1, (
        "without anchors: a drop"
    )


def test_a_changed_judge_is_refused_without_anchors_and_bridged_with_them(server: Faultd):
    score(server, "old")
    freeze()
    server.script = levels(1)
    score(server, "new", "-new", "openai:other")
    Path("plain.yaml").write_text("max_drop: 20%\n")
    refused = run("gate", "new", "-b", "old", "-p", "plain.yaml")
    assert refused.code == 2
    assert "polite" in refused.err
    ran = gate()
    assert ran.code == 0, ran.out
    row = criterion()
    assert row["ruler"]["state"] == "bridge"
    assert row["difference"]["value"] == pytest.approx(0.0)
    assert "20 anchors bridge it" in ran.out


def test_a_bridge_adds_its_own_error(server: Faultd):
    score(server, "old")
    freeze("--size", "4")
    server.script = lambda seen: says(5 if int(seen.row[1:3]) % 2 else 2)
    score(server, "new", "-new", "openai:other")
    ran = gate()
    row = criterion()
    assert ran.code == 4, ran.out
    assert row["difference"]["method"].startswith("less the shift of 4 anchors")
    assert row["difference"]["se"] > row["ruler"]["shift"]["se"]


def test_anchors_of_another_instrument_tell_nothing(server: Faultd):
    score(server, "old")
    freeze()
    Path("tone.yaml").write_text(RUBRIC.replace("How polite", "How very polite"))
    for out, tag in (("old2", ""), ("new", "-new")):
        score(server, out, tag)
    ran = run("gate", "new", "-b", "old2", "-p", "gate.yaml")
    assert ran.code == 4, ran.out
    assert "make them anew" in ran.out


def test_anchors_that_can_not_be_judged_leave_it_open(server: Faultd):
    score(server, "old")
    freeze()
    score(server, "new", "-new")
    ran = gate("--offline")
    assert ran.code == 4, ran.out
    assert "anchors: INCONCLUSIVE, not judged afresh: j: offline" in ran.out


def test_changed_anchors_are_refused(server: Faultd):
    score(server, "old")
    freeze()
    score(server, "new", "-new")
    path = Path("anchors.jsonl")
    path.write_text(path.read_text().replace("on its way", "in a ditch", 1))
    ran = gate()
    assert ran.code == 2
    assert "changed after they were frozen" in ran.err


@pytest.mark.parametrize("text", ["", "{}\n", "[1]\n", '{"evalharness_anchors": 9}\n', "\x00\n"])
def test_foreign_files_are_no_anchors(server: Faultd, text: str):
    score(server, "old")
    Path("anchors.jsonl").write_text(text)
    score(server, "new", "-new")
    ran = gate()
    assert ran.code == 2, ran.out
    assert "anchors" in ran.err


def test_labels_of_nothing_in_the_run_are_an_error(server: Faultd):
    score(server, "old")
    Path("labels.csv").write_text("dialogue,turn,criterion,rater,value\nnobody,1,polite,ann,2\n")
    ran = run("baseline", "anchors", "old", "--labels", "labels.csv")
    assert ran.code == 2
    assert "nobody" in ran.err


def test_anchors_without_a_judge_are_an_error():
    Path("log.jsonl").write_text(
        json.dumps({"id": "a", "messages": [{"role": "assistant", "content": "Hi."}]}) + "\n"
    )
    run("score", "log.jsonl", "-o", "old", "-q")
    ran = run("baseline", "anchors", "old")
    assert ran.code == 2
    assert "no judged scores" in ran.err


def test_a_slow_drift_is_an_alarm_over_runs(server: Faultd):
    score(server, "old")
    freeze()
    Path("gate.yaml").write_text("max_drop: 90%\nanchors: anchors.jsonl\n")
    for number in range(4):
        server.script = levels(-1 if number > 1 else 0)
        score(server, "new", f"-{number}")
        assert gate().code in (0, 4)
        Path("new").rename(f"run{number}")
    names = [f"run{number}" for number in range(4)]
    ran = run("trend", *names, "-o", "t")
    assert "THE JUDGE IS MOVING down, since run2, seen at run2" in ran.out
    watch = json.loads(Path("t/trend.json").read_text())["criteria"][0]["anchors"]
    assert (watch["alarm"], watch["since"], watch["direction"]) == (2, 2, -1)
    assert [look["shift"] for look in watch["looks"]] == pytest.approx([0, 0, -1, -1])
    calm = run("trend", "run0", "run1", "-o", "t")
    assert "no drift over 2 runs" in calm.out
