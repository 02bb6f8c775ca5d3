"""`gate` asking the run's own judge again, against a scripted provider: failures confirmed, refuted, not to be told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.runner import Ran, run
from tests.faultd import Answer, Faultd, Status
from tests.faultd_acts import Act, Seen

RUBRIC = """\
rubric: tone
version: 1
unit: turn
about: "A support agent answers."
criteria:
  polite:
    question: "How polite is the reply?"
    scale: ordinal
    levels: {1: "rude", 2: "cold", 3: "fine", 4: "kind", 5: "very kind"}
    pass: ">=3"
"""
POLICY = "max_drop: 50%\ncriteria:\n  polite: {max_new_failures: 0, confirm: 3}\n"
SCENARIOS = [f"s{number:02}" for number in range(20)]
BAD = "s07-new"


def says(value: int) -> Answer:
    return Answer(json.dumps({"polite": {"evidence": [], "rationale": "Because.", "value": value}}))


def script(bad: Callable[[Seen], Act]) -> Callable[[Seen], Act]:
    """Every reply is a 4, but the one that went wrong, of which ``bad`` decides."""
    return lambda seen: bad(seen) if seen.row == BAD else says(4)


def first_then(later: Act) -> Callable[[Seen], Act]:
    """The verdict that the run gets fails; what is said when the judge is asked again differs."""
    return lambda seen: says(1) if seen.attempt == 1 else later


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Faultd]:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    with Faultd(script(first_then(says(1)))) as server:
        yield server


def _log(path: str, tag: str) -> None:
    rows = [
        {
            "id": f"{name}{tag}",
            "group": name,
            "messages": [
                {"role": "user", "content": f"Where is it? [row {name}{tag}]"},
                {"role": "assistant", "content": "It is on its way."},
                {"role": "user", "content": "Thanks."},
                {"role": "assistant", "content": "You are welcome.", "given": True},
            ],
        }
        for name in SCENARIOS
    ]
    Path(path).write_text("".join(json.dumps(row) + "\n" for row in rows))


def two_runs(server: Faultd, policy: str = POLICY) -> None:
    Path("tone.yaml").write_text(RUBRIC)
    Path("gate.yaml").write_text(policy)
    for out, tag in (("old", ""), ("new", "-new")):
        _log(f"{out}.jsonl", tag)
        judge = f"j=openai:m@{server.url}"
        ran = run("score", f"{out}.jsonl", "-r", "tone.yaml", "-j", judge, "-o", out, "-q")
        assert ran.code == 0, ran.err


def gate(*more: str) -> Ran:
    return run("gate", "new", "-b", "old", "-p", "gate.yaml", *more)


def failure() -> dict[str, Any]:
    (item,) = json.loads(Path("new/gate.json").read_text())["criteria"][0]["new_failures"]
    return dict(item)


def test_a_confirmed_failure_fails_and_costs_its_verdicts_once(server: Faultd):
    two_runs(server)
    asked = server.count
    ran = gate()
    assert ran.code == 1, ran.out
    assert server.count == asked + 3
    assert failure()["judged_again"] == {"failing": 3, "passing": 0, "asked": 3}
    assert "1 new failure, more than 0" in ran.out
    assert "again: judge j on tone: 3 requests" in ran.err
    assert gate().code == 1
    assert server.count == asked + 3, "the second gate asks nothing: the verdicts are kept"
    assert [Path(row["folder"]).name for row in run("runs", "list", ".", "--json").json] == ["new", "old"]


@pytest.mark.parametrize(
    ("value", "code", "standing"), [(5, 0, "refuted"), (1, 1, "confirmed")], ids=["refuted", "confirmed"]
)
def test_another_judge_settles_new_failures_and_sees_nothing_else(
    server: Faultd, value: int, code: int, standing: str
):
    policy = "max_drop: 50%\nconfirm_by: dear\ncriteria:\n  polite: {max_new_failures: 0}\n"
    two_runs(server, policy)
    Path("evalharness.yaml").write_text(
        json.dumps({"judges": {"dear": {"judge": f"openai:dear@{server.url}"}}})
    )
    server.script = lambda seen: says(value)
    asked = server.count
    priced = gate("--dry-run")
    assert "again: judge dear on tone: 1 requests" in priced.err
    assert server.count == asked
    assert gate().code == code
    assert [(seen.body["model"], seen.row) for seen in server.requests[asked:]] == [("dear", BAD)]
    assert (failure()["standing"], failure()["judged_again"]["asked"]) == (standing, 1)
    assert gate().code == code
    assert server.count == asked + 1


def test_without_that_judge_s_verdict_a_failure_stays_open_and_a_wrong_name_is_one_line(server: Faultd):
    two_runs(server, "max_drop: 50%\nconfirm_by: openai:dear\ncriteria:\n  polite: {max_new_failures: 0}\n")
    assert gate("--offline").code == 4
    assert failure()["standing"] == "open"
    Path("gate.yaml").write_text("confirm_by: deer\n")
    ran = gate()
    assert (ran.code, "'deer' is no judge" in ran.err) == (2, True), ran.err


def test_a_failure_that_is_refuted_does_not_count(server: Faultd):
    server.script = script(first_then(says(5)))
    two_runs(server)
    ran = gate()
    assert ran.code == 0, ran.out
    assert failure()["standing"] == "refuted"
    assert "1 failure was refuted by fresh verdicts" in ran.out
    assert "asked again: 0 fail, 3 pass of 3" in Path("new/gate.md").read_text()


def test_the_rubric_and_the_judge_are_those_of_the_run(server: Faultd):
    two_runs(server)
    Path("tone.yaml").unlink()
    assert gate().code == 1
    asked = [seen for seen in server.requests if seen.row == BAD]
    assert len(asked) == 4
    assert len({seen.asked.digest for seen in asked}) == 1, "the same question each time"


@pytest.mark.parametrize(("later", "code"), [(says(5), 0), (says(2), 1)])
def test_a_dialogue_that_must_pass_is_asked_about_again(server: Faultd, later: Act, code: int):
    server.script = script(first_then(later))
    two_runs(server, "max_drop: 50%\nmust_pass: [s07]\nconfirm: 3\n")
    ran = gate()
    assert ran.code == code, ran.out
    assert "must pass: s07: " in ran.out


def test_verdicts_without_a_majority_leave_it_open(server: Faultd):
    server.script = script(lambda seen: says(1) if seen.attempt % 2 else says(5))
    two_runs(server, POLICY.replace("confirm: 3", "confirm: 2"))
    ran = gate()
    assert ran.code == 4, ran.out
    assert "the fresh verdicts have no majority" in ran.out


def test_offline_it_can_not_be_told(server: Faultd):
    two_runs(server)
    asked = server.count
    ran = gate("--offline")
    assert ran.code == 4, ran.out
    assert "offline" in ran.out
    assert server.count == asked
    assert gate().code == 1, "asked once"
    asked = server.count
    assert gate("--offline").code == 1, "and known from then on"
    assert server.count == asked


def test_without_a_key_it_can_not_be_told(server: Faultd, monkeypatch: pytest.MonkeyPatch):
    two_runs(server)
    server.script = lambda _: Status(401, "invalid_api_key", "no such key")
    ran = gate()
    assert ran.code == 4, ran.out
    assert "no such key" in ran.out or "401" in ran.out


def test_a_dry_run_sends_nothing_and_decides_nothing(server: Faultd):
    two_runs(server)
    asked = server.count
    ran = gate("--dry-run")
    assert ran.code == 0
    assert "3 requests" in ran.err
    assert server.count == asked
    assert not Path("new/gate.json").exists()


@pytest.mark.parametrize("survivors", [4, 5])
def test_a_fifth_of_the_rows_without_a_verdict_is_never_green(server: Faultd, survivors: int):
    """Not even where all that were judged are as good as before, or better."""
    numbers = {f"{name}-new": number for number, name in enumerate(SCENARIOS)}

    def lost(seen: Seen) -> Act:
        number = numbers.get(seen.row)
        if number is None:
            return says(4)
        return Answer("no verdict today") if number % 5 == 0 else says(survivors)

    server.script = lost
    two_runs(server, "max_drop: 50%\n")
    ran = gate()
    assert ran.code == 4, ran.out
    assert "4 of 20 items have no verdict, more than 2 %" in ran.out
    row = json.loads(Path("new/gate.json").read_text())["criteria"][0]
    assert row["unpaired"]["no_verdict_run"] == 4
    low, high = row["difference"]["bounds"]
    assert low < row["difference"]["value"] - 0.4 < row["difference"]["value"] < high
    assert "whatever they are" in ran.out


def test_a_baseline_file_as_the_run_has_no_dialogues_to_ask_about(server: Faultd):
    two_runs(server)
    run("baseline", "save", "new", "-o", "new.json")
    ran = run("gate", "new.json", "-b", "old", "-p", "gate.yaml", "-o", ".")
    assert ran.code == 4, ran.out
    assert "holds no dialogues" in ran.out


def test_a_judge_that_the_settings_make_of_others_is_asked_again(server: Faultd):
    Path("evalharness.yaml").write_text(
        f"judges:\n  jury: {{panel: [a=openai:m@{server.url}, b=openai:n@{server.url}]}}\n"
    )
    Path("tone.yaml").write_text(RUBRIC)
    Path("gate.yaml").write_text(POLICY.replace("confirm: 3", "confirm: 2"))
    for out, tag in (("old", ""), ("new", "-new")):
        _log(f"{out}.jsonl", tag)
        ran = run("score", f"{out}.jsonl", "-r", "tone.yaml", "-j", "jury", "-o", out, "-q")
        assert ran.code == 0, ran.err
    server.script = script(lambda _: says(1))
    ran = gate()
    assert ran.code == 1, ran.out
    assert failure()["standing"] == "confirmed"
