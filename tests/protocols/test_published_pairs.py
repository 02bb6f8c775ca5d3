"""Published figures of recorded pair judges, through the command: LLMBar between orders, MT-Bench inconsistency."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cli.runner import run
from tests.research import research_file

CRITERION = "preference"


def write(name: str, rows: Iterable[Mapping[str, Any]]) -> None:
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def dialogue(name: str, group: str, system: str) -> dict[str, Any]:
    messages = [{"role": "user", "content": group}, {"role": "assistant", "content": f"{system} answers."}]
    return {"id": name, "group": group, "messages": messages, "metadata": {"system": system}}


def verdicts(first: str, second: str, ab: str, ba: str) -> list[dict[str, Any]]:
    """What was said in each order: ``a`` is the reply shown first."""
    both = {"dialogue_a": first, "dialogue_b": second, "turn": 1, "criterion": CRITERION}
    return [{**both, "order": "ab", "outputs": [ab]}, {**both, "order": "ba", "outputs": [ba]}]


def duels() -> list[dict[str, Any]]:
    """The figures of each two systems, as the command gives them."""
    command = [
        "pairwise",
        "in.jsonl",
        "--by",
        "system",
        "-r",
        "mt-bench-pair",
        "-j",
        "replay:v.jsonl",
        "-o",
        "out",
        "-q",
    ]
    ran = run(*command)
    assert ran.code == 0, ran.err
    (contest,) = json.loads(Path("out/pairwise.json").read_text())["contests"]
    found: list[dict[str, Any]] = contest["duels"]
    return found


@pytest.mark.parametrize(
    ("subset", "pairs", "same", "kappa"),
    [
        ("LLMBar/Natural", 100, 95, 0.897708674),
        ("LLMBar/Adversarial/GPTInst", 92, 87, 0.8909952607),
        ("LLMBar/Adversarial/Neighbor", 134, 125, 0.8651308),
    ],
)
def test_order_agreement_and_kappa_of_llmbar(subset: str, pairs: int, same: int, kappa: float):
    """GPT-4 with the vanilla prompt; a winner "2" in the other order is the same output as "2" in this one."""
    with research_file("llmbar/compact_verdicts.csv").open() as lines:
        rows = [
            row
            for row in csv.DictReader(lines)
            if (row["subset"], row["judge"], row["strategy"]) == (subset, "GPT-4", "Vanilla")
        ]
    own, shown_second = {"1": "a", "2": "b"}, {"1": "b", "2": "a"}
    records: list[dict[str, Any]] = [{"judge": "gpt-4"}]
    dialogues = []
    for row in rows:
        names = [f"{row['idx']}-{output}" for output in ("one", "two")]
        dialogues += [
            dialogue(name, row["idx"], system) for name, system in zip(names, ("one", "two"), strict=True)
        ]
        records += verdicts(*names, own[row["winner_order_ab"]], shown_second[row["winner_order_ba"]])
    write("in.jsonl", dialogues)
    write("v.jsonl", records)
    (duel,) = duels()
    assert (duel["pairs"], duel["pairs"] - duel["split_by_order"]) == (pairs, same)
    assert 1 - duel["inconsistent"]["value"] == pytest.approx(same / pairs)
    assert duel["kappa_between_orders"]["value"] == pytest.approx(kappa, abs=5e-8)
    assert duel["kappa_between_orders"]["low"] < kappa < duel["kappa_between_orders"]["high"]


def test_order_inconsistency_of_gpt_4_on_mt_bench():
    """380 of 2,400 pairs, 15.8 %: a winner that changes with the order is recorded as the reply shown first."""
    records: list[dict[str, Any]] = [{"judge": "gpt-4"}]
    dialogues: dict[str, dict[str, Any]] = {}
    said = {
        "model_a": ("a", "b"),
        "model_b": ("b", "a"),
        "tie": ("tie", "tie"),
        "tie (inconsistent)": ("a", "a"),
    }
    for line in research_file("mt-bench-human/gpt4_pair.jsonl").read_text().splitlines():
        row = json.loads(line)
        group = f"{row['question_id']}-{row['turn']}"
        names = [f"{group}-{row[side]}" for side in ("model_a", "model_b")]
        for name, side in zip(names, ("model_a", "model_b"), strict=True):
            dialogues.setdefault(name, dialogue(name, group, row[side]))
        records += verdicts(*names, *said[row["winner"]])
    write("in.jsonl", dialogues.values())
    write("v.jsonl", records)
    found = duels()
    assert len(found) == 15
    assert (sum(d["split_by_order"] for d in found), sum(d["pairs"] for d in found)) == (380, 2400)
    assert sum(d["favours_first"] for d in found) == 380


# Citations (row cites column): Stigler (1994), Statistical Science 9:94-108
JOURNALS = ("Biometrika", "Comm Statist", "JASA", "JRSS-B")
CITED = ((714, 730, 498, 221), (33, 425, 68, 17), (320, 813, 1072, 142), (284, 276, 325, 188))


def test_the_stigler_table_through_the_command():
    """Abilities against Biometrika as R BradleyTerry2 prints them; every citation in both orders, so order is nil."""
    records: list[dict[str, Any]] = [{"judge": "citations"}]
    dialogues = []
    for winner, row in enumerate(CITED):
        for loser, count in enumerate(row):
            for number in range(count if winner != loser else 0):
                group = f"{winner}-{loser}-{number}"
                names = [f"{group}-{side}" for side in "wl"]
                systems = JOURNALS[winner], JOURNALS[loser]
                dialogues += [
                    dialogue(name, group, system) for name, system in zip(names, systems, strict=True)
                ]
                records += verdicts(*names, "a", "b")
    write("in.jsonl", dialogues)
    write("v.jsonl", records)
    assert sum(duel["pairs"] for duel in duels()) == 3727
    (contest,) = json.loads(Path("out/pairwise.json").read_text())["contests"]
    ability = {row["system"]: row["ability"]["value"] for row in contest["ranking"]}
    against = [ability[journal] - ability["Biometrika"] for journal in JOURNALS[1:]]
    assert against == pytest.approx([-2.9490725, -0.4795698, 0.2689541], abs=5e-7)
    assert contest["order_effect"]["value"] == pytest.approx(0.0, abs=1e-9)
