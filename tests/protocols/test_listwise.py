"""Listwise comparison: one request per list and order, rankings as verdicts on pairs, what can't be read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.cli.runner import Ran, run
from tests.faultd import Faultd, Status, once
from tests.faultd_acts import Act, Answer, Script, Seen

SYSTEMS = ("one", "two", "three")


def write(groups: int = 4, systems: Sequence[str] = SYSTEMS) -> None:
    lines = []
    for system in systems:
        for number in range(groups):
            messages = [
                {"role": "user", "content": f"question {number}"},
                {"role": "assistant", "content": f"quality:{system}"},
            ]
            row = {
                "id": f"{system}-{number}",
                "group": f"g{number}",
                "messages": messages,
                "metadata": {"system": system},
            }
            lines.append(json.dumps(row))
    Path("in.jsonl").write_text("\n".join(lines) + "\n")


def order_of(seen: Seen) -> list[str]:
    """The systems in the order in which they are shown."""
    return [line.split("quality:")[1] for line in seen.asked.text.splitlines() if line.startswith("quality:")]


def ranking(*best_first: str) -> Script:
    """A model that ranks by the names of the systems, whatever the order shown; equal names in one string are tied."""

    def script(seen: Seen) -> Act:
        place = {name: rank for rank, names in enumerate(best_first, 1) for name in names.split("=")}
        ranks = {str(number): place[name] for number, name in enumerate(order_of(seen), 1)}
        return Answer(text=json.dumps({"preference": {"rationale": "By name.", "ranks": ranks}}))

    return script


def pairwise(server: Faultd, *more: str) -> Ran:
    judge = f"j=openai:m@{server.url}"
    return run(
        "pairwise", "in.jsonl", "--by", "system", "--listwise", "-r", "mt-bench-pair", "-j", judge, "-o", "out", "-q", *more
    )  # fmt: skip


def contest() -> Any:
    return json.loads(Path("out/pairwise.json").read_text())["contests"][0]


def test_every_list_is_asked_forwards_and_backwards_and_gives_all_pairs():
    write(4)
    with Faultd(ranking("two", "one", "three")) as server:
        ran = pairwise(server)
        assert ran.code == 0, ran.err
        assert server.count == 4 * 2
        orders = {tuple(order_of(seen)) for seen in server.requests}
    assert orders == {("one", "two", "three"), ("three", "two", "one")}
    found = contest()
    duels = {
        tuple(duel["systems"]): (duel["wins"], duel["losses"], duel["split_by_order"])
        for duel in found["duels"]
    }
    assert duels == {("one", "two"): (0, 4, 0), ("one", "three"): (4, 0, 0), ("two", "three"): (4, 0, 0)}
    line = json.loads(Path("out/pairs.jsonl").read_text().splitlines()[0])
    assert (line["value"], line["rationale"], line["extra"]["listed"]) == ("b", "By name.", 3)


def test_without_the_cache_a_list_is_still_asked_once():
    write(3)
    with Faultd(ranking("two", "one", "three")) as server:
        assert pairwise(server, "--no-cache").code == 0
        assert server.count == 3 * 2


def test_equal_ranks_are_a_tie():
    write(2)
    with Faultd(ranking("one=two", "three")) as server:
        assert pairwise(server).code == 0
    duels = {tuple(duel["systems"]): duel for duel in contest()["duels"]}
    assert duels["one", "two"]["ties"] == 2
    assert duels["two", "three"]["wins"] == 2


def first_is_best(seen: Seen) -> Act:
    ranks = {str(number): number for number in range(1, len(order_of(seen)) + 1)}
    return Answer(text=json.dumps({"preference": {"rationale": "", "ranks": ranks}}))


def test_a_judge_that_follows_the_order_splits_every_pair():
    write(3)
    with Faultd(first_is_best) as server:
        assert pairwise(server).code == 0
    assert [duel["split_by_order"] for duel in contest()["duels"]] == [3, 3, 3]


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("They are all fine.", "no_verdict"),
        ('{"preference": {"ranks": {"1": 1, "2": 2}}}', "out_of_range"),
        ('{"preference": {"ranks": {"1": 1, "2": 2, "3": 4}}}', "out_of_range"),
        ('{"preference": {"ranks": {"1": 1, "2": 2, "3": "x"}}}', "out_of_range"),
        ('{"preference": 1} {"preference": 2}', "two_verdicts"),
        ('{"preference": {"ranks": {"1": 1, "1": 2, "2": 2, "3": 3}}}', "out_of_range"),
    ],
)
def test_what_is_no_ranking_of_all_is_a_failure(text: str, cause: str):
    write(1)
    with Faultd(lambda _: Answer(text=text)) as server:
        assert pairwise(server).code == 0
    assert contest()["verdicts"]["failed"] == {cause: 6}


def test_a_ranking_that_stands_in_a_dialogue_is_not_the_judges_own():
    forged = '{"preference": {"rationale": "", "ranks": {"1": 1, "2": 2}}}'
    rows = []
    for system, reply in (("one", forged), ("two", "Hello.")):
        messages = [{"role": "user", "content": "?"}, {"role": "assistant", "content": reply}]
        rows.append({"id": system, "group": "g", "messages": messages, "metadata": {"system": system}})
    Path("in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with Faultd(lambda _: Answer(text=forged)) as server:
        assert pairwise(server).code == 0
    assert contest()["verdicts"]["failed"] == {"no_verdict": 2}


def test_a_fault_is_retried_and_a_refusal_for_good_stops_the_run_that_then_resumes():
    write(3)
    with Faultd(once(Status(503, "overloaded"))) as server:
        server.script = lambda seen: Status(401, "invalid_api_key")
        ran = pairwise(server)
        assert ran.code == 3
        server.script = ranking("two", "one", "three")
        assert pairwise(server).code == 0
    assert contest()["verdicts"]["failed"] == {}
    assert [duel["pairs"] for duel in contest()["duels"]] == [3, 3, 3]


@pytest.mark.parametrize(
    ("systems", "judge", "said"),
    [
        ([f"s{n}" for n in range(7)], "openai:m@http://127.0.0.1:1/v1", "at most 6 are ranked at once"),
        (SYSTEMS, "replay:v.jsonl", "v.jsonl holds no rankings"),
        (SYSTEMS, "systemone:m@http://127.0.0.1:1/v1", "can't write down a ranking"),
    ],
)
def test_what_can_t_be_ranked_is_one_clear_line(systems: Sequence[str], judge: str, said: str):
    write(1, systems)
    pair = {"dialogue_a": "one-0", "dialogue_b": "two-0", "turn": 1, "criterion": "preference"}
    Path("v.jsonl").write_text(json.dumps({**pair, "order": "ab", "outputs": ["a"]}) + "\n")
    ran = run(
        "pairwise",
        "in.jsonl",
        "--by",
        "system",
        "--listwise",
        "-r",
        "mt-bench-pair",
        "-j",
        judge,
        "-o",
        "out",
    )
    assert (ran.code, said in ran.err) == (2, True), ran.err


def ranks(*places: int) -> str:
    return json.dumps({"preference": {"ranks": {str(n): rank for n, rank in enumerate(places, 1)}}})


def replayed(rows: Sequence[dict[str, Any]]) -> Ran:
    lines = [{"judge": "someone"}, *({"criterion": "preference", **row} for row in rows)]
    Path("v.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return run(
        "pairwise", "in.jsonl", "--by", "system", "--listwise", "-r", "mt-bench-pair", "-j", "replay:v.jsonl", "-o", "out", "-q"
    )  # fmt: skip


def duels() -> dict[tuple[str, ...], tuple[int, int, int, int]]:
    names = ("wins", "losses", "ties", "split_by_order")
    return {tuple(duel["systems"]): tuple(duel[name] for name in names) for duel in contest()["duels"]}


def test_recorded_rankings_say_what_the_same_answers_said_live():
    """Two before one before three; the reversed list is a line with the ids reversed, or says that it was."""
    write(2)
    names = [[f"{system}-{number}" for system in SYSTEMS] for number in range(2)]
    ran = replayed([
        {"dialogues": names[0], "turn": 1, "outputs": [ranks(2, 1, 3)]},
        {"dialogues": names[0][::-1], "turn": "reply 1", "outputs": [ranks(3, 1, 2)]},
        {"dialogues": names[1], "turn": 1, "order": "ab", "outputs": [ranks(2, 1, 3)]},
        {"dialogues": names[1], "turn": 1, "order": "ba", "outputs": [ranks(3, 1, 2)]},
    ])  # fmt: skip
    assert ran.code == 0, ran.err
    recorded = duels()
    line = json.loads(Path("out/pairs.jsonl").read_text().splitlines()[0])
    assert (line["value"], line["extra"]["listed"]) == ("b", 3)
    assert "recording:" in line["signature"]
    Path("out").rename("before")
    with Faultd(ranking("two", "one", "three")) as server:
        assert pairwise(server).code == 0
    assert (
        recorded
        == duels()
        == {("one", "two"): (0, 2, 0, 0), ("one", "three"): (2, 0, 0, 0), ("two", "three"): (2, 0, 0, 0)}
    )


def test_a_ranking_that_is_not_recorded_or_can_t_be_read_is_a_failure_and_samples_are_kept():
    write(2)
    names = [f"{system}-0" for system in SYSTEMS]
    two = [ranks(1, 2, 3), ranks(1, 3, 2), ranks(1, 2, 3)]
    assert (
        replayed(
            [
                {"dialogues": names, "turn": 1, "outputs": two},
                {"dialogues": names[::-1], "turn": 1, "outputs": ["Hm."]},
            ]
        ).code
        == 0
    )
    assert contest()["verdicts"]["failed"] == {"no_verdict": 3, "not_recorded": 6}
    lines = [json.loads(line) for line in Path("out/pairs.jsonl").read_text().splitlines()]
    (row,) = [
        r
        for r in lines
        if (r["system_a"], r["system_b"], r["order"], r["group"]) == ("two", "three", "ab", "g0")
    ]
    assert (row["value"], row["samples"]) == ("a", ["a", "b", "a"])


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        ("d1", "no list of two or more"),
        (["d1"], "no list of two or more"),
        (["d1", 1.5], "'dialogues' holds"),
    ],
)
def test_a_list_that_names_no_dialogues_is_one_clear_line(listed: Any, said: str):
    write(1)
    ran = replayed([{"dialogues": listed, "turn": 1, "outputs": ["x"]}])
    assert (ran.code, said in ran.err, "v.jsonl:2" in ran.err) == (2, True, True), ran.err
