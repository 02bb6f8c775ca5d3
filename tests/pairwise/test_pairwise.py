"""`evalharness pairwise` as a user calls it: recorded and scripted judges, both orders, resuming, bad input."""

from __future__ import annotations

import csv
import gzip
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cli.runner import Ran, run
from tests.faultd import Answer, Faultd, Status, always
from tests.research import research_file

RUBRIC = "mt-bench-pair"
CRITERION = "preference"


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def dialogue(name: str, group: str, reply: str, system: str | None = None) -> dict[str, Any]:
    messages = [
        {"role": "user", "content": f"[row {group}] Where is it?"},
        {"role": "assistant", "content": reply},
    ]
    return {
        "id": name,
        "group": group,
        "messages": messages,
        "metadata": {"system": system} if system else {},
    }


def write(name: str, rows: Iterable[Mapping[str, Any]]) -> None:
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows))


def two_files(count: int = 6) -> None:
    write("old.jsonl", [dialogue(f"d{n}", f"g{n}", f"On day {n}.") for n in range(count)])
    write(
        "new.jsonl",
        [dialogue(f"d{n}", f"g{n}", f"It will come on day {n}, as promised.") for n in range(count)],
    )


def recorded(verdicts: Mapping[tuple[str, str, str], str | None], a: str = "old", b: str = "new") -> None:
    """Recordings by (id of a, id of b, order): what the judge said of the first and the second shown."""
    del a, b
    write(
        "verdicts.jsonl",
        [{"judge": "someone"}]
        + [
            {
                "dialogue_a": a,
                "dialogue_b": b,
                "turn": 1,
                "criterion": CRITERION,
                "order": order,
                "outputs": [said],
            }
            for (a, b, order), said in verdicts.items()
        ],
    )


def compare(*more: str, judge: str = "replay:verdicts.jsonl", out: str = "out") -> Ran:
    return run("pairwise", "old.jsonl", "new.jsonl", "-r", RUBRIC, "-j", f"j={judge}", "-o", out, "-q", *more)


def figures(out: str = "out") -> dict[str, Any]:
    return json.loads((Path(out) / "pairwise.json").read_text())


def rows(out: str = "out") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (Path(out) / "pairs.jsonl").read_text().splitlines()]


def test_verdicts_of_both_orders_are_counted_apart():
    two_files()
    same = {f"d{n}": f"d{n}" for n in range(6)}
    said = {
        "d0": ("a", "b"),  # old wins in both orders
        "d1": ("b", "a"),  # new wins
        "d2": ("tie", "tie"),
        "d3": ("a", "a"),  # whatever stands first
        "d4": ("b", "b"),  # whatever stands second
        "d5": ("a", None),
    }
    recorded(
        {
            (i, same[i], order): v
            for i, pair in said.items()
            for order, v in zip(("ab", "ba"), pair, strict=True)
        }
    )
    ran = compare()
    assert ran.code == 0, ran.err
    (contest,) = figures()["contests"]
    verdicts = contest["verdicts"]
    assert verdicts == {"asked": 12, "scored": 11, "failed": {"empty": 1}, "skipped": {}, "pending": 0}
    (duel,) = contest["duels"]
    assert duel["systems"] == ["old", "new"]
    assert [duel[k] for k in ("pairs", "wins", "losses", "ties", "split_by_order", "one_order_only")] == [
        5,
        1,
        1,
        1,
        2,
        1,
    ]
    assert (duel["favours_first"], duel["favours_second"]) == (1, 1)
    assert duel["win_rate"]["value"] == 0.5
    assert contest["order_effect"]["value"] == pytest.approx(0.0, abs=0.5)


def test_values_name_the_same_system_in_either_order():
    two_files(1)
    recorded({("d0", "d0", "ab"): "a", ("d0", "d0", "ba"): "b"})
    assert compare().code == 0
    assert [(row["order"], row["value"], row["system_a"]) for row in rows()] == [
        ("ab", "a", "old"),
        ("ba", "a", "old"),
    ]
    assert (rows()[0]["dialogue_a"], rows()[0]["dialogue_b"]) == ("d0", "d0")


def test_a_recording_made_the_other_way_round_is_the_same_question():
    write("old.jsonl", [dialogue("x", "g", "Yes.")])
    write("new.jsonl", [dialogue("y", "g", "No.")])
    recorded({("y", "x", "ba"): "a", ("y", "x", "ab"): "b"})
    assert compare().code == 0
    assert [row["value"] for row in rows()] == ["a", "a"]


def test_the_better_system_wins_and_the_ranking_says_so():
    two_files(30)
    verdicts = {}
    for n in range(30):
        winner = n % 5 == 0
        verdicts[f"d{n}", f"d{n}", "ab"] = "a" if winner else "b"
        verdicts[f"d{n}", f"d{n}", "ba"] = "b" if winner else "a"
    recorded(verdicts)
    ran = run("pairwise", "old.jsonl", "new.jsonl", "-r", RUBRIC, "-j", "replay:verdicts.jsonl", "-o", "out")
    assert "new is preferred" in ran.out
    (contest,) = figures()["contests"]
    assert contest["duels"][0]["win_rate"]["value"] == pytest.approx(0.2)
    assert contest["duels"][0]["win_rate"]["high"] < 0.5
    assert [row["system"] for row in contest["ranking"]] == ["new", "old"]
    assert contest["ranking"][0]["ability"]["value"] == pytest.approx(0.693, abs=0.01)  # half of log(24 / 6)


FOOTER = " Anything else?"


@pytest.mark.parametrize(
    ("plain", "reason"),
    [
        (1, "one group alone decides the fit: no error can be told"),
        (0, "the length difference does not vary"),
    ],
)
def test_a_footer_costs_the_win_rate_at_equal_length_and_nothing_else(plain: int, reason: str):
    """All replies but the first few end alike, so that lengths differ by two values or by one."""
    write("old.jsonl", [dialogue(f"d{n}", f"g{n}", f"On day {n}.") for n in range(4)])
    write(
        "new.jsonl",
        [dialogue(f"d{n}", f"g{n}", f"On day {n}.{FOOTER if n >= plain else ''}") for n in range(4)],
    )
    said = {n: ("a", "b") if n == 2 else ("tie", "tie") for n in range(4)}
    recorded(
        {
            (f"d{n}", f"d{n}", order): value
            for n, values in said.items()
            for order, value in zip(("ab", "ba"), values, strict=True)
        }
    )
    ran = run("pairwise", "old.jsonl", "new.jsonl", "-r", RUBRIC, "-j", "replay:verdicts.jsonl", "-o", "out")
    assert ran.code == 0, ran.err
    assert f"at equal length: – ({reason})" in ran.out
    (duel,) = figures()["contests"][0]["duels"]
    assert duel["win_rate"]["value"] == pytest.approx(0.625)
    for name in ("win_rate_at_equal_length", "length_effect"):
        assert (duel[name]["value"], duel[name]["se"], duel[name]["undefined"]) == (None, None, reason)
    page = (Path("out") / "pairwise.md").read_text().replace("\\", "")
    assert f"old against new at equal length: {reason}." in page


def test_verdicts_of_one_order_alone_are_reported_without_a_ranking():
    two_files(4)
    said = ("a", "b", "tie", "tie")
    recorded(
        {
            (f"d{n}", f"d{n}", order): value if order == "ab" else None
            for n, value in enumerate(said)
            for order in ("ab", "ba")
        }
    )
    ran = run("pairwise", "old.jsonl", "new.jsonl", "-r", RUBRIC, "-j", "replay:verdicts.jsonl", "-o", "out")
    reason = "abilities and the order shown can't be told apart"
    assert ran.code == 0, ran.err
    assert f"no ranking: {reason}" in ran.out
    (contest,) = figures()["contests"]
    assert (contest["unranked"], contest["ranking"]) == (reason, [])
    assert (contest["verdicts"]["scored"], contest["duels"][0]["one_order_only"]) == (4, 4)
    assert "No ranking: abilities and the order shown" in (Path("out") / "pairwise.md").read_text()


def test_a_live_judge_is_asked_in_both_orders_and_a_second_run_pays_nothing():
    two_files()
    with Faultd(always(Answer())) as server:
        assert compare(judge=f"openai:m@{server.url}").code == 0
        sent = server.count
        assert compare(judge=f"openai:m@{server.url}").code == 0
        assert compare(judge=f"openai:m@{server.url}", out="again").code == 0
        assert (sent, server.count) == (12, 12)
        prompts = [request.asked.text for request in server.requests]
    first = [
        text.index("On day 0.") < text.index("It will come on day 0,")
        for text in prompts
        if "On day 0." in text
    ]
    assert sorted(first) == [False, True]
    assert (Path("out") / "pairwise.json").read_bytes() == (Path("again") / "pairwise.json").read_bytes()
    assert all(row["rationale"] for row in rows() if row["status"] == "scored")


def test_a_refused_key_stops_and_the_same_command_goes_on():
    two_files()
    with Faultd(always(Status(401, "invalid_api_key"))) as server:
        ran = compare(judge=f"openai:m@{server.url}", out="broken")
        assert ran.code == 3
        assert figures("broken")["partial"]
        assert "PARTIAL" in run("runs", "list", "broken").out
        port = server.port
    with Faultd(always(Answer()), port=port) as server:
        assert compare(judge=f"openai:m@{server.url}", out="broken").code == 0
        assert figures("broken")["partial"] is None
        assert "complete" in run("runs", "list", "broken").out
        assert compare(judge=f"openai:m@{server.url}", out="whole").code == 0
    assert (Path("broken") / "pairwise.json").read_bytes() == (Path("whole") / "pairwise.json").read_bytes()


def test_systems_of_one_file_by_metadata_and_what_has_no_partner():
    write(
        "logs.jsonl",
        [
            dialogue("a1", "g", "One.", "v1"),
            dialogue("a2", "g", "Two.", "v2"),
            dialogue("a3", "h", "Three.", "v2"),
        ],
    )
    recorded({("a1", "a2", "ab"): "b", ("a1", "a2", "ba"): "a"})
    ran = run(
        "pairwise", "logs.jsonl", "--by", "system", "-r", RUBRIC, "-j", "replay:verdicts.jsonl", "-o", "out"
    )
    assert ran.code == 0, ran.err
    assert figures()["without_partner"] == 1
    assert "1 replies or dialogues have no partner" in ran.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["old.jsonl", "-r", RUBRIC, "-j", "replay:verdicts.jsonl"], "one system only"),
        (["old.jsonl", "new.jsonl", "-r", "support-reply", "-j", "replay:verdicts.jsonl"], "unit: pair"),
        (["old.jsonl", "new.jsonl", "-r", RUBRIC], "--judge"),
        (["old.jsonl", "other.jsonl", "-r", RUBRIC, "-j", "replay:verdicts.jsonl"], "same scenario"),
        (["old.jsonl", "new.jsonl", "--by", "lang", "-r", RUBRIC, "-j", "replay:verdicts.jsonl"], "lang"),
    ],
)
def test_what_can_not_be_compared_is_said_in_one_message(arguments: list[str], message: str):
    two_files(1)
    write("other.jsonl", [dialogue("z", "elsewhere", "Hm.")])
    recorded({("d0", "d0", "ab"): "a"})
    ran = run("pairwise", *arguments, "-o", "out")
    assert ran.code == 2
    assert message in ran.err
    assert "Traceback" not in ran.err


def test_hostile_names_do_nothing_in_the_reports():
    write("old.jsonl", [dialogue("x", "g", "Yes.", "a|b](http://x)\x1b[31m")])
    write("new.jsonl", [dialogue("y", "g", "No.", "<img src=x>")])
    recorded({("x", "y", "ab"): "a", ("x", "y", "ba"): "b"})
    ran = run(
        "pairwise",
        "old.jsonl",
        "new.jsonl",
        "--by",
        "system",
        "-r",
        RUBRIC,
        "-j",
        "replay:verdicts.jsonl",
        "-o",
        "out",
    )
    assert ran.code == 0, ran.err
    assert "\x1b" not in ran.out
    page = (Path("out") / "pairwise.md").read_text()
    assert re.search(r"(?<!\\)<img|(?<!\\)\]\(http|\x1b", page) is None


def positions() -> list[dict[str, str]]:
    path = research_file("mt-bench-positions/pairwise.csv.gz")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def replay_positions(lang: str, judge: str) -> dict[str, Any]:
    """The figures that come out of the command for one of the recorded judges."""
    own = [row for row in positions() if (row["lang"], row["judge_id"]) == (lang, judge)]
    said = {"A": "a", "B": "b", "tie": "tie"}
    dialogues: dict[str, dict[str, Any]] = {}
    records: list[dict[str, Any]] = [{"judge": judge}]
    for row in own:
        ids = []
        for model in (row["model_a"], row["model_b"]):
            name = f"{row['question_id']}-{model}"
            ids.append(name)
            dialogues.setdefault(name, dialogue(name, row["question_id"], f"{model} answers.", model))
        for order in ("ab", "ba"):
            output = said.get(row[f"winner_{order}"])
            records.append(
                {"dialogue_a": ids[0], "dialogue_b": ids[1], "turn": 1, "criterion": CRITERION, "order": order, "outputs": [output]}
            )  # fmt: skip
    write("positions.jsonl", dialogues.values())
    write("verdicts.jsonl", records)
    ran = run(
        "pairwise", "positions.jsonl", "--by", "system", "-r", RUBRIC, "-j", "replay:verdicts.jsonl", "-o", "out", "-q"
    )  # fmt: skip
    assert ran.code == 0, ran.err
    (contest,) = figures()["contests"]
    return contest


PUBLISHED = {
    ("en", "Qwen2.5-7B"): (951, 1200),
    ("en", "Qwen2.5-14B"): (541, 1200),
    ("en", "Qwen2.5-32B"): (371, 1198),
    ("en", "EXAONE"): (506, 1200),
    ("en", "gpt-4o-mini"): (399, 1193),
    ("en", "emma"): (234, 1180),
    ("ko", "Qwen2.5-7B"): (539, 1196),
    ("ko", "Qwen2.5-14B"): (279, 1200),
    ("ko", "Qwen2.5-32B"): (245, 1199),
    ("ko", "EXAONE"): (366, 1200),
    ("ko", "gpt-4o-mini"): (259, 1200),
    ("ko", "emma"): (176, 1197),
}


@pytest.mark.parametrize(
    ("lang", "part"),
    [
        pytest.param(
            *key, marks=[] if key in (("en", "gpt-4o-mini"), ("ko", "Qwen2.5-7B")) else [pytest.mark.slow]
        )
        for key in PUBLISHED
    ],
)
def test_published_order_inconsistency_comes_out(lang: str, part: str):
    (judge,) = {row["judge_id"] for row in positions() if part in row["judge_id"] and row["lang"] == lang}
    contest = replay_positions(lang, judge)
    changed = sum(duel["split_by_order"] for duel in contest["duels"])
    assert (changed, sum(duel["pairs"] for duel in contest["duels"])) == PUBLISHED[lang, part]
