"""Panels: how verdicts are combined, what is kept of every member, and what a missing one does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evalharness.api import scoring
from tests.cli.runner import report, run
from tests.faultd import Faultd, Status
from tests.faultd_acts import Act, Answer, Seen
from tests.protocols.files import (
    QUALITY,
    TONE,
    outcomes,
    record,
    score,
    settings,
    values,
    write_dialogues,
    write_rubric,
)


def panel(*columns: list[Any], **options: Any) -> dict[str, Any]:
    """A panel of recordings, one column of answers per member, about as many dialogues."""
    write_dialogues(len(columns[0]))
    names = []
    for number, column in enumerate(columns):
        said = {f"d{row}": answer for row, answer in enumerate(column)}
        names.append(record(f"m{number}", options.pop("criterion", "quality"), said))
    made = {"panel": names, **options}
    settings({"jury": made})
    return made


@pytest.mark.parametrize(
    ("combine", "expected"),
    [("mean", [4.0, 2.0]), ("median", [5.0, 1.0]), ("majority", [5.0, 1.0])],
)
def test_numbers_are_combined_as_the_settings_say(combine: str, expected: list[float]):
    write_rubric()
    panel([5, 1], [5, 1], [2, 4], combine=combine)
    ran = score("jury")
    assert ran.code == 0, ran.err
    assert values("quality") == expected
    assert outcomes("_overall")["d0"]["value"] == (expected[0] - 1) / 4


def test_every_verdict_is_kept_with_its_words_and_the_distance_between_them():
    write_rubric()
    panel(["It is rude. Rating: 1"], ["It is kind. Rating: 5"], ["It is fair. Rating: 3"], combine="mean")
    assert score("jury").code == 0
    row = outcomes("quality")["d0"]
    extra = row["extra"]
    assert {name: member["value"] for name, member in extra["members"].items()} == {
        "m0": 1.0,
        "m1": 5.0,
        "m2": 3.0,
    }
    assert extra["members"]["m0"]["rationale"] == "It is rude. Rating: 1"
    assert extra["disagreement"] == pytest.approx((4 + 2 + 2) / 3 / 4, abs=1e-6)
    assert row["rationale"] == "[m2] It is fair. Rating: 3"
    assert row["samples"] == [1.0, 5.0, 3.0]
    found = next(c for c in report(Path("r"))["criteria"] if c["criterion"] == "quality")
    assert found["panel"]["split"] == 1
    assert found["panel"]["disagreement"] == pytest.approx(2 / 3, abs=1e-6)
    assert [member["mean"] for member in found["panel"]["members"]] == [1.0, 5.0, 3.0]


def test_a_member_without_a_verdict_is_missing_in_the_open():
    write_rubric()
    panel([4, 4], ["Hm.", 4], [2, 4], combine="mean")
    ran = run("score", "in.jsonl", "-r", "rubric.yaml", "-j", "jury", "-o", "r")
    assert ran.code == 0
    assert "1 of 3 members without a verdict" in ran.out
    assert values("quality") == [3.0, 4.0]
    member = outcomes("quality")["d0"]["extra"]["members"]["m1"]
    assert (member["failed"], member["raw"]) == ("no_verdict", "Hm.")
    found = next(c for c in report(Path("r"))["criteria"] if c["criterion"] == "quality")
    assert found["panel"]["members"][1] == {
        "name": "m1", "scored": 1, "failed": {"no_verdict": 1}, "skipped": 0, "mean": 4.0,
    }  # fmt: skip


def test_without_a_quorum_there_is_a_failure_that_keeps_what_was_said():
    write_rubric()
    panel([4], ["Hm."], ["Hm."], combine="mean")
    assert score("jury").code == 0
    row = outcomes("quality")["d0"]
    assert (row["status"], row["cause"]) == ("failed", "no_verdict")
    assert row["detail"].startswith("1 of 3 members have a verdict; m1: ")
    assert row["extra"]["members"]["m0"] == {"value": 4.0}
    assert outcomes("_overall")["d0"]["cause"] == "incomplete"


def test_the_quorum_can_be_stated():
    write_rubric()
    made = panel([4], ["Hm."], ["Hm."], combine="mean", quorum=1)
    assert score("jury").code == 0
    assert values("quality") == [4.0]
    settings({"jury": {**made, "quorum": 4}})
    ran = score("jury")
    assert (ran.code, "its quorum is 4" in ran.err) == (2, True)


def test_labels_are_voted_on_and_a_tie_is_no_verdict():
    write_rubric(TONE)
    names = [
        record(f"m{number}", "tone", {"d0": first, "d1": second})
        for number, (first, second) in enumerate([("warm", "cold"), ("warm", "rude"), ("cold", "warm")])
    ]
    write_dialogues(2)
    settings({"jury": {"panel": names}})
    assert score("jury").code == 0
    found = outcomes("tone")
    assert (found["d0"]["value"], found["d1"]["cause"]) == ("warm", "two_verdicts")
    assert found["d0"]["extra"]["disagreement"] == pytest.approx(2 / 3, abs=1e-6)
    assert set(found["d1"]["extra"]["members"]) == {"m0", "m1", "m2"}


STEADY = [1, 5, 2, 4, 3, 1, 5, 4, 2, 3]
NOISE = [3, 3, 5, 1, 4, 4, 2, 2, 5, 1]


def test_members_that_agree_with_nobody_weigh_nothing():
    write_rubric()
    panel(STEADY, [*STEADY[:-1], 4], NOISE, combine="weighted")
    assert score("jury").code == 0
    first = outcomes("quality")["d0"]["extra"]
    assert first["weights"]["m2"] == 0.0
    assert first["weights"]["m0"] == pytest.approx(first["weights"]["m1"], abs=0.2)
    assert first["learned_from"] == 10
    assert values("quality")[:9] == [float(value) for value in STEADY[:9]]


def test_members_that_agree_by_chance_alone_count_alike_and_that_is_said():
    write_rubric()
    panel([1, 1, 5, 5], [1, 5, 1, 5], combine="weighted")
    assert score("jury").code == 0
    row = outcomes("quality")["d1"]
    assert row["value"] == 3.0
    assert "no better than by chance" in row["extra"]["note"]


def test_dawid_skene_finds_the_member_that_answers_the_other_way_round():
    write_rubric(QUALITY.replace("scale: ordinal\n", "scale: binary\n    good: yes\n").replace('    pass: ">=4"\n', "").replace(
        '    levels: {1: "Useless.", 2: "Poor.", 3: "Fair.", 4: "Good.", 5: "Perfect."}\n', ""
    ))  # fmt: skip
    truth = [1, 0, 1, 1, 0, 0, 1, 0, 1, 0, 1, 0]
    slips = [[1 - v if place == wrong else v for place, v in enumerate(truth)] for wrong in (0, 3, 5)]
    panel(*slips, [1 - v for v in truth], combine="dawid-skene")
    assert score("jury").code == 0
    assert [round(value) for value in values("quality", [f"d{n}" for n in range(12)])] == truth
    extra = outcomes("quality")["d1"]["extra"]
    assert extra["accuracy"]["m3"] < 0.1 < 0.9 < extra["accuracy"]["m0"]
    assert sum(outcomes("quality")["d1"]["probabilities"].values()) == pytest.approx(1.0)


def test_settling_again_changes_nothing_and_new_items_are_counted_in():
    write_rubric()
    panel(STEADY, [*STEADY[:-1], 4], NOISE, combine="weighted")
    assert score("jury", "--limit", "6").code == 0
    assert outcomes("quality")["d0"]["extra"]["learned_from"] == 6
    assert score("jury", "--update").code == 0
    whole = Path("r/report.json").read_bytes(), Path("r/scores.jsonl").read_bytes()
    assert outcomes("quality")["d0"]["extra"]["learned_from"] == 10
    assert score("jury").code == 0
    assert (Path("r/report.json").read_bytes(), Path("r/scores.jsonl").read_bytes()) == whole


def test_a_run_that_dies_before_it_is_settled_is_settled_by_the_next(monkeypatch: pytest.MonkeyPatch):
    write_rubric()
    panel(STEADY, [*STEADY[:-1], 4], NOISE, combine="weighted")
    assert score("jury").code == 0
    whole = Path("r/report.json").read_bytes(), Path("r/scores.jsonl").read_bytes()
    Path("r").rename("whole")

    def dying(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patched, pytest.raises(MemoryError):
        patched.setattr(scoring, "settle", dying)
        score("jury")
    assert not Path("r/report.json").exists()
    assert score("jury").code == 0
    assert (Path("r/report.json").read_bytes(), Path("r/scores.jsonl").read_bytes()) == whole


def test_a_panel_can_sit_on_a_panel_and_members_have_options_of_their_own():
    write_rubric()
    write_dialogues(1)
    low = record("low", "quality", {"d0": 1})
    high = record("high", "quality", {"d0": 5})
    settings({
        "jury": {"panel": [low, high]},
        "calm": {"judge": "replay:high.jsonl", "samples": 1},
        "court": {"panel": ["jury", "calm"]},
    })  # fmt: skip
    ran = run("score", "in.jsonl", "-r", "rubric.yaml", "-j", "top=court", "-o", "r", "-q")
    assert ran.code == 0, ran.err
    row = outcomes("quality")["d0"]
    assert (row["scorer"], row["value"]) == ("top", 4.0)
    assert row["extra"]["members"]["jury"]["extra"]["members"]["low"]["value"] == 1.0


@pytest.mark.parametrize(
    ("judges", "said"),
    [
        ({"jury": {"panel": ["a=replay:m0.jsonl"]}}, "a panel of 1"),
        (
            {"jury": {"panel": ["a=openai:m@http://localhost:1/v1", "b=openai:m@http://localhost:1/v1"]}},
            "are the same judge",
        ),
        ({"jury": {"panel": ["a=replay:m0.jsonl", "a=replay:m1.jsonl"]}}, "'a' is a member twice"),
        ({"jury": {"panel": "replay:m0.jsonl"}}, "a panel of 1"),
        ({"jury": {"panel": [3]}}, "panel names no judges"),
        ({"jury": {"panels": ["a", "b"]}}, "has none of judge, panel"),
        ({"jury": {"panel": ["a", "b"], "judge": "c"}}, "is panel and judge at once"),
        ({"jury": {"panel": ["a", "b"], "combined": "mean"}}, "Did you mean combine"),
        (
            {"jury": {"panel": ["a=replay:m0.jsonl", "b=replay:m1.jsonl"], "combine": "medain"}},
            "Did you mean median",
        ),
        (
            {"jury": {"panel": ["a=replay:m0.jsonl", "b=replay:m1.jsonl"], "combine": "dawid-skene"}},
            "needs 3 members or more",
        ),
        (
            {"jury": {"panel": ["jury", "b=replay:m1.jsonl"]}},
            "jury → jury: a judge can't be a part of itself",
        ),
        ({"jury": 3}, "jury is 3"),
        ({"jury": {"judge": "replay:m0.jsonl", "samples": "many"}}, "samples is 'many'"),
        ({"a:b": {"panel": []}}, "'a:b' is no name for a judge"),
    ],
)
def test_a_wrong_definition_is_one_clear_line(judges: dict[str, Any], said: str):
    write_rubric()
    panel([1], [2])
    settings(judges)
    ran = score(next(iter(judges)))
    assert ran.code == 2
    assert said in ran.err
    assert "Traceback" not in ran.err


def test_a_piece_of_a_run_is_not_settled():
    write_rubric()
    panel([1, 2], [2, 1], combine="weighted")
    ran = score("jury", "--shard", "1/2")
    assert (ran.code, "--shard" in ran.err) == (2, True)


def refusing_one_model(seen: Seen) -> Act:
    return Status(400, "bad_request") if seen.body["model"] == "broken" else Answer()


def test_live_members_are_asked_side_by_side_and_a_broken_one_is_counted():
    write_rubric()
    write_dialogues(4)
    with Faultd(refusing_one_model) as server:
        names = [f"{name}=openai:{name}@{server.url}" for name in ("one", "two", "broken")]
        settings({"jury": {"panel": names, "combine": "median"}})
        ran = run("score", "in.jsonl", "-r", "rubric.yaml", "-j", "jury", "-o", "r")
        assert ran.code == 0, ran.err
        assert {seen.body["model"] for seen in server.requests} == {"one", "two", "broken"}
        asked = server.count
    found = next(c for c in report(Path("r"))["criteria"] if c["criterion"] == "quality")
    assert (found["scored"], found["warnings"][0]["count"]) == (4, 4)
    assert found["panel"]["members"][0]["failed"] == {"bad_request": 4}
    steps = json.loads(Path("r/execution.json").read_text())
    assert "jury" in json.dumps(steps)
    assert asked == 12


@pytest.mark.parametrize("more", [[], ["--no-cache"]], ids=["cache", "no cache"])
@pytest.mark.parametrize("combine", ["median", "weighted"])
def test_a_missing_member_is_asked_again_alone_when_failures_are_retried(combine: str, more: list[str]):
    write_rubric()
    write_dialogues(3)
    with Faultd(refusing_one_model) as server:
        names = [f"{name}=openai:{name}@{server.url}" for name in ("one", "two", "broken")]
        settings({"jury": {"panel": names, "combine": combine}})
        assert score("jury", *more).code == 0
        before = outcomes("quality")
        assert "1 of 3 members without a verdict" in before["d0"]["extra"]["warning"]
        server.script = lambda _: Answer()
        asked = server.count
        assert score("jury", *more).code == 0
        assert server.count == asked, "a panel that has a verdict is not asked again unless that is wanted"
        assert score("jury", *more, "--retry-failed").code == 0
        assert [seen.body["model"] for seen in server.requests[asked:]] == ["broken"] * 3
        after = outcomes("quality")
        assert "warning" not in after["d0"]["extra"]
        members = after["d0"]["extra"]["members"]
        assert members["one"] == before["d0"]["extra"]["members"]["one"]
        assert score("jury", *more, "--retry-failed").code == 0
        assert server.count == asked + 3
    found = next(c for c in report(Path("r"))["criteria"] if c["criterion"] == "quality")
    assert [member["scored"] for member in found["panel"]["members"]] == [3, 3, 3]


def test_a_panel_without_a_quorum_keeps_the_member_that_answered():
    write_rubric()
    write_dialogues(2)

    def one_answers(seen: Seen) -> Act:
        return Answer() if seen.body["model"] == "one" else Status(400, "bad_request")

    with Faultd(one_answers) as server:
        names = [f"{name}=openai:{name}@{server.url}" for name in ("one", "two", "three")]
        settings({"inner": {"panel": names}, "jury": {"panel": ["inner", f"four=openai:one4@{server.url}"]}})
        assert score("jury", "--no-cache").code == 0
        assert {row["cause"] for row in outcomes("quality").values()} == {"bad_request"}
        server.script = lambda _: Answer()
        asked = server.count
        assert score("jury", "--no-cache", "--retry-failed").code == 0
        models = sorted(seen.body["model"] for seen in server.requests[asked:])
    assert models == ["one4"] * 2 + ["three"] * 2 + ["two"] * 2, "also the members of a member"
    assert {row["status"] for row in outcomes("quality").values()} == {"scored"}


def test_a_dry_run_counts_the_requests_of_all_members():
    write_rubric()
    write_dialogues(3)
    with Faultd() as server:
        names = [f"{name}=openai:{name}@{server.url}" for name in ("one", "two")]
        settings({"jury": {"panel": names}})
        ran = run("score", "in.jsonl", "-r", "rubric.yaml", "-j", "jury", "-o", "r", "--dry-run", "--json")
        assert ran.code == 0, ran.err
        assert ran.json[0]["requests"] == 6 if isinstance(ran.json, list) else "6" in ran.out
        assert server.count == 0


def test_judges_of_the_settings_are_listed():
    settings({"jury": {"panel": ["a:b", "c:d"]}, "odd": {"panels": []}})
    rows = {row["name"]: row for row in run("judges", "list", "--json").json}
    assert (rows["jury"]["ready"], rows["jury"]["detail"]) == (True, "a panel of the settings")
    assert rows["odd"]["ready"] is False


def test_a_panel_in_python():
    import evalharness

    write_rubric()
    made = panel([4], [2])
    result = evalharness.score(
        "in.jsonl", judges=["jury"], rubrics=["rubric.yaml"], out="r", composed={"jury": made}
    )
    assert result.complete
    assert values("quality") == [3.0]
