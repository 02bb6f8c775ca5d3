"""Cascades: what goes on, what is kept of earlier stages, and planning thresholds from labels."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.runner import report, run
from tests.faultd import Faultd, Status
from tests.faultd_acts import Act, Answer, Seen
from tests.protocols.files import outcomes, record, score, settings, values, write_dialogues, write_rubric

SURE, TORN = [4, 4, 4], [1, 5, 4]


def cascade(cheap: list[Any], dear: list[Any], **options: Any) -> None:
    write_rubric()
    write_dialogues(len(cheap))
    names = [
        record(name, "quality", {f"d{n}": said for n, said in enumerate(column)})
        for name, column in (("cheap", cheap), ("dear", dear))
    ]
    settings({"both": {"cascade": names, "accept": 0.8, **options}})


def test_what_the_cheap_judge_is_not_sure_of_goes_on():
    cascade([SURE, TORN], [2, 2])
    ran = run("score", "in.jsonl", "-r", "rubric.yaml", "-j", "both", "-o", "r")
    assert ran.code == 0, ran.err
    assert values("quality") == [4.0, 2.0]
    first, second = (outcomes("quality")[name]["extra"] for name in ("d0", "d1"))
    assert (first["stage"], first["confidence"]) == ("cheap", 1.0)
    assert "earlier" not in first
    assert second["stage"] == "dear"
    assert second["earlier"]["cheap"]["samples"] == [1.0, 5.0, 4.0]
    found = next(c for c in report(Path("r"))["criteria"] if c["criterion"] == "quality")
    assert found["stages"] == {"cheap": 1, "dear": 1}
    assert "judged by cheap 1, dear 1" in ran.out


@pytest.mark.parametrize("said", ["Hm.", 4, ["Hm.", 4]], ids=["no verdict", "no confidence", "one of two"])
def test_a_verdict_without_confidence_goes_on(said: Any):
    cascade([said], [2])
    assert score("both").code == 0
    assert values("quality") == [2.0]


def test_criteria_without_a_threshold_are_not_looked_at():
    cascade([TORN], [2], accept={"another": 0.9})
    assert score("both").code == 0
    assert values("quality") == [pytest.approx(10 / 3)]


def test_a_last_judge_that_fails_is_a_failure_and_never_the_cheap_verdict():
    cascade([TORN], ["Hm."])
    assert score("both").code == 0
    row = outcomes("quality")["d0"]
    assert (row["status"], row["cause"]) == ("failed", "no_verdict")
    assert row["extra"]["earlier"]["cheap"]["value"] == pytest.approx(10 / 3)


def test_what_the_last_judge_is_not_sure_of_is_left_to_a_human():
    cascade([TORN, SURE], [[1, 5], 3], humans=0.5)
    ran = run("score", "in.jsonl", "-r", "rubric.yaml", "-j", "both", "-o", "r")
    assert "1× left to a human" in ran.out
    assert outcomes("quality")["d0"]["extra"]["warning"].startswith("left to a human")
    assert "warning" not in outcomes("quality")["d1"]["extra"]


def test_a_panel_is_as_sure_as_its_members_agree():
    write_rubric()
    write_dialogues(2)
    names = [record(f"m{n}", "quality", {"d0": a, "d1": b}) for n, (a, b) in enumerate([(4, 1), (4, 5)])]
    dear = record("dear", "quality", {"d0": 2, "d1": 2})
    settings({"jury": {"panel": names}, "both": {"cascade": ["jury", dear], "accept": 0.9}})
    assert score("both").code == 0
    assert values("quality") == [4.0, 2.0]


def test_three_stages_have_two_thresholds():
    write_rubric()
    write_dialogues(3)
    names = [
        record("a", "quality", {"d0": [4, 4], "d1": [1, 5], "d2": [1, 5]}),
        record("b", "quality", {"d0": [2, 2], "d1": [3, 4], "d2": [2, 5]}),
        record("c", "quality", {"d0": 1, "d1": 1, "d2": 1}),
    ]
    settings({"all": {"cascade": names, "accept": [0.9, 0.7]}})
    assert score("all").code == 0
    assert values("quality") == [4.0, 3.5, 1.0]


def test_only_what_goes_on_is_asked_of_the_dear_judge():
    write_rubric()
    write_dialogues(3)
    cheap = record("cheap", "quality", {"d0": SURE, "d1": TORN, "d2": SURE})
    with Faultd() as server:
        settings({"both": {"cascade": [cheap, f"dear=openai:m@{server.url}"], "accept": 0.8}})
        assert score("both").code == 0
        assert [seen.row for seen in server.requests] == ["d1"]


def test_an_outage_of_the_cheap_judge_is_not_paid_at_the_dear_ones_price():
    write_rubric()
    write_dialogues(2)
    with Faultd(
        lambda seen: Status(503, "overloaded") if seen.body["model"] == "cheap" else Answer()
    ) as server:
        names = [f"{name}=openai:{name}@{server.url}" for name in ("cheap", "dear")]
        settings({"both": {"cascade": names, "accept": 0.8}})
        assert score("both", "--attempts", "1").code == 0
        assert {seen.body["model"] for seen in server.requests} == {"cheap"}
        assert {row["cause"] for row in outcomes("quality").values()} == {"server_error"}
        server.script = lambda _: Answer()
        assert score("both").code == 0
        assert {row["status"] for row in outcomes("quality").values()} == {"scored"}


def test_a_retry_goes_on_at_the_stage_that_failed():
    """The cheap judge's answer can't be read, so it is in no cache; it is not paid again."""
    write_rubric()
    write_dialogues(2)

    def script(seen: Seen) -> Act:
        return Answer(text="Hm.") if seen.body["model"] == "cheap" else Status(400, "bad_request")

    with Faultd(script) as server:
        names = [f"{name}=openai:{name}@{server.url}" for name in ("cheap", "dear")]
        settings({"both": {"cascade": names, "accept": 0.8}})
        assert score("both").code == 0
        server.script = lambda _: Answer()
        asked = server.count
        assert score("both", "--retry-failed").code == 0
        assert [seen.body["model"] for seen in server.requests[asked:]] == ["dear"] * 2
    extra = outcomes("quality")["d0"]["extra"]
    assert (extra["stage"], extra["earlier"]["cheap"]["failed"]) == ("dear", "no_verdict")


def test_what_is_close_to_the_gate_goes_on_however_sure_the_judge_is():
    """The rubric passes from 4: 3 and 4 could flip, 1, 2 and 5 are far off; no confidence is asked for."""
    cascade([1, 2, 3, 4, 5, "Hm."], [5, 5, 5, 5, 1, 5], accept=None, near=1)
    ran = run("score", "in.jsonl", "-r", "rubric.yaml", "-j", "both", "-o", "r")
    assert ran.code == 0, ran.err
    names = [f"d{n}" for n in range(6)]
    assert values("quality", names) == [1.0, 2.0, 5.0, 5.0, 1.0, 5.0]
    found = outcomes("quality")
    assert found["d3"]["extra"]["near_gate"] == ["quality"]
    assert "near_gate" not in found["d5"]["extra"]
    said = "dear 4, cheap 2 (3 passed on near a pass threshold)"
    assert f"both: judged by {said}" in ran.out
    assert said in Path("r/report.html").read_text()
    found = next(c for c in report(Path("r"))["criteria"] if c["criterion"] == "quality")
    assert found["near_gate"] == 3


@pytest.mark.parametrize("near", ["25%", {"quality": 1}, {"quality": "25%"}])
def test_a_band_is_a_share_of_the_scale_or_a_distance_on_it_and_joins_the_confidence(near: Any):
    cascade([SURE, [1, 1, 1], TORN], [2, 2, 2], near=near)
    assert score("both").code == 0
    assert values("quality") == [2.0, 1.0, 2.0]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"near": -1}, "near is -1"),
        ({"near": {}}, "near is {}"),
        ({"near": {"quality": "close"}}, "near is"),
        ({"near": {"tone": 1}}, "near names tone, which has no pass threshold"),
        ({"accept": None}, "accept is None"),
        ({"accept": 80}, "accept is 80"),
        ({"accept": {"quality": "high"}}, "accept is"),
        ({"accept": [0.5, 0.6]}, "2 stages and 2 thresholds"),
        ({"humans": True}, "humans is True"),
    ],
)
def test_a_wrong_definition_is_one_clear_line(options: dict[str, Any], said: str):
    cascade([SURE], [2], **options)
    ran = score("both")
    assert (ran.code, said in ran.err) == (2, True), ran.err


BOTH = {"cascade": ["cheap=replay:cheap.jsonl", "dear=replay:dear.jsonl"]}


def pasted(shown: str) -> Any:
    """The settings that a plan ends with, as they stand there, as the settings file; the judge that they define."""
    lines = shown.partition("  for evalharness.yaml:\n")[2].partition("\n\n")[0]
    Path("evalharness.yaml").write_text(lines + "\n", encoding="utf-8")
    return yaml.safe_load(lines)["judges"]["cascaded"]


def planned(count: int, wrong_when_torn: bool = True, *more: str) -> Any:
    """A run of both judges on ``count`` dialogues with labels, and its plan: the cheap judge is torn on every third."""
    truth = [1 + 4 * (n % 2) for n in range(count)]
    torn = [n % 3 == 0 for n in range(count)]
    away = [6 - value for value in truth]
    cheap = [
        [truth[n], away[n], away[n]] if torn[n] else [value] * 3
        for n, value in enumerate(truth if wrong_when_torn else away)
    ]
    cascade(cheap, list(truth))
    with Path("labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["dialogue", "turn", "criterion", "rater", "value"])
        writer.writerows([f"d{n}", 1, "quality", "ann", value] for n, value in enumerate(truth))
    judges = ["-j", "cheap=replay:cheap.jsonl", "-j", "dear=replay:dear.jsonl"]
    assert run("score", "in.jsonl", "-r", "rubric.yaml", *judges, "-o", "both", "-q").code == 0
    return run(
        "cascade", "plan", "both", "--labels", "labels.csv", "--cheap", "cheap", "--dear", "dear", *more
    )


def test_a_threshold_that_labels_support_is_proposed_and_does_what_was_planned():
    ran = planned(120, True, "--risk", "0.1", "--price", "cheap=0.001", "--price", "dear=0.01", "--json")
    assert ran.code == 0, ran.err
    (plan,) = ran.json["plans"]
    (found,) = plan["criteria"]
    assert plan["usable"]
    assert found["threshold"] == 1.0
    assert (found["coverage"], found["risk"]) == (pytest.approx(2 / 3), 0.0)
    assert found["out_of_bag"]["risk"] == 0.0
    assert found["loss_cheap"]["value"] == pytest.approx(2 / 9)
    assert (found["loss_dear"]["value"], found["loss_cascade"]["value"]) == (0.0, 0.0)
    assert [p["escalated"] for p in plan["policies"]] == [0, 40, 120]
    assert [p["cost_per_item"] for p in plan["policies"]] == pytest.approx([0.001, 0.001 + 0.01 / 3, 0.01])
    assert json.loads(Path("both/cascade.json").read_text()) == ran.json
    shown = run(
        "cascade", "plan", "both", "-l", "labels.csv", "--cheap", "cheap", "--dear", "dear", "--risk", ".1"
    )
    assert pasted(shown.out) == {**BOTH, "accept": {"quality": 1}}
    assert score("cascaded").code == 0
    found = next(c for c in report(Path("r"))["criteria"] if c["criterion"] == "quality")
    assert found["stages"] == {"cheap": 80, "dear": 40}


def test_a_plan_says_how_the_judges_of_the_run_were_asked():
    planned(30)
    judges = ["-j", "cheap=replay:cheap.jsonl", "-j", "dear=replay:dear.jsonl"]
    asked = [
        "--samples",
        "3",
        "--temperature",
        "0.5",
        "--effort",
        "low",
        "--max-tokens",
        "200",
        "--per-criterion",
    ]
    assert run("score", "in.jsonl", "-r", "rubric.yaml", *judges, *asked, "-o", "more", "-q").code == 0
    shown = run("cascade", "plan", "more", "--cheap", "cheap", "--dear", "dear", "--near", "1").out
    line = next(line for line in shown.splitlines() if "evalharness.yaml" in line)
    assert line.endswith(
        "to be asked as here with --samples 3 --per-criterion --max-tokens 200 --temperature 0.5 --effort low:"
    )


def test_a_band_is_priced_on_a_run_without_labels_and_with_them():
    cascade([1, 3, 4, 5], [1, 4, 4, 1])
    judges = ["-j", "cheap=replay:cheap.jsonl", "-j", "dear=replay:dear.jsonl"]
    assert run("score", "in.jsonl", "-r", "rubric.yaml", *judges, "-o", "both", "-q").code == 0
    prices = ["--price", "cheap=0.001", "--price", "dear=0.01"]
    command = ["cascade", "plan", "both", "--cheap", "cheap", "--dear", "dear", *prices]
    ran = run(*command, "--near", "quality=1", "--json")
    assert ran.code == 0, ran.err
    (plan,) = ran.json["plans"]
    assert (plan["criteria"], plan["near"]) == ([], "{quality: 1}")
    assert [
        (p["name"], p["escalated"], p["cost_per_item"], p["pass_marks_turned"]) for p in plan["policies"]
    ] == [
        ("cheap alone", 0, 0.001, 2),
        ("near the gate", 3, pytest.approx(0.0085), 0),
        ("dear alone", 4, 0.01, 0),
    ]
    shown = run(*command, "--near", "25%").out
    assert pasted(shown) == {**BOTH, "near": "25%"}
    assert score("cascaded").code == 0
    assert values("quality") == [1.0, 4.0, 4.0, 1.0]
    assert (run(*command).code, run(*command, "--near", "much").code) == (2, 2)
    assert "Did you mean quality" in run(*command, "--near", "qualty=1").err


def test_a_band_joins_the_threshold_that_labels_choose():
    """Sure values are 1 and 5: a band of 1 around the pass mark at 4 sends the fives on, beside the torn third."""
    ran = planned(120, True, "--risk", "0.1", "--near", "1", "--json")
    assert ran.code == 0, ran.err
    (plan,) = ran.json["plans"]
    assert [(p["name"], p["escalated"]) for p in plan["policies"]] == [
        ("cheap alone", 0),
        ("near the gate", 60),
        ("cascade", 80),
        ("dear alone", 120),
    ]
    assert (plan["accept"], plan["near"]) == ({"quality": 1.0}, "1")


def test_confidence_that_says_nothing_gives_no_threshold():
    ran = planned(120, False, "--risk", "0.1")
    assert ran.code == 0, ran.err
    assert "no threshold: no threshold keeps the risk below 0.1" in ran.out
    assert "no cascade is proposed" in ran.out


def test_few_labels_give_no_threshold():
    ran = planned(12)
    assert "too few confident items to bound their risk" in ran.out


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--cheap", "cheep"], "Did you mean cheap"),
        (["--cheap", "dear"], "are the same"),
        (["--price", "cheap=much"], "is no price"),
    ],
)
def test_wrong_names_and_prices_are_one_clear_line(more: list[str], said: str):
    ran = planned(3, True, *more)
    assert ran.code == 2
    assert said in ran.err


def test_the_pass_rule_can_be_the_loss():
    ran = planned(120, True, "--risk", "0.1", "--loss", "pass", "--json")
    (found,) = ran.json["plans"][0]["criteria"]
    assert found["loss_cheap"]["value"] == pytest.approx(1 / 6)
