"""`evalharness pairwise` with judges of the settings: a panel's votes, what it keeps, and what can't compare pairs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from evalharness.data.rubrics import find_rubric
from tests.cli.runner import Ran, run
from tests.faultd import Answer, Faultd, Status
from tests.faultd_acts import Act, Seen

VERDICTS = {
    "a": ("a", "b"),
    "b": ("b", "a"),
    "tie": ("tie", "tie"),
    "first": ("a", "a"),
    "second": ("b", "b"),
}
"""What a judge says of the reply shown first, in the orders ab and ba."""


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def systems(count: int) -> None:
    for name in ("old", "new"):
        rows = [
            {
                "id": f"d{n}",
                "group": f"g{n}",
                "messages": [
                    {"role": "user", "content": f"[row g{n}] Where?"},
                    {"role": "assistant", "content": f"{name} says {n}."},
                ],
            }
            for n in range(count)
        ]
        Path(f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def record(name: str, said: list[str | tuple[str | None, str | None]]) -> str:
    lines = []
    for number, kind in enumerate(said):
        both = VERDICTS[kind] if isinstance(kind, str) else kind
        for order, text in zip(("ab", "ba"), both, strict=True):
            lines.append(
                {"dialogue_a": f"d{number}", "dialogue_b": f"d{number}", "turn": 1, "criterion": "preference"}
                | {"order": order, "outputs": [text]}
            )
    Path(f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return f"{name}=replay:{name}.jsonl"


def settings(judges: Mapping[str, Any]) -> None:
    Path("evalharness.yaml").write_text(json.dumps({"judges": judges}))


def compare(judge: str, *more: str) -> Ran:
    return run("pairwise", "old.jsonl", "new.jsonl", "-r", "mt-bench-pair", "-j", judge, "-o", "out", *more)


def contest() -> Any:
    return json.loads(Path("out/pairwise.json").read_text())["contests"][0]


def rows() -> dict[tuple[str, str], dict[str, Any]]:
    lines = [json.loads(line) for line in Path("out/pairs.jsonl").read_text().splitlines()]
    return {(line["dialogue_a"], line["order"]): line for line in lines}


def test_members_vote_with_what_they_prefer_in_both_orders():
    columns = {
        "x": ["a", "a", "a", "tie", "a", "first"],
        "y": ["a", "first", "b", "tie", "first", "first"],
        "z": ["first", "second", "tie", "a", "first", "a"],
    }
    systems(6)
    settings({"jury": {"panel": [record(name, [*said]) for name, said in columns.items()]}})
    ran = compare("jury")
    assert ran.code == 0, ran.err
    found = rows()
    values = [tuple(found[f"d{n}", order].get("value") for order in ("ab", "ba")) for n in range(6)]
    assert values == [("a", "a"), ("a", "b"), ("tie", "tie"), ("tie", "tie"), ("a", "b"), ("a", "b")]
    assert found["d2", "ab"]["extra"]["note"] == "no vote leads: a, b, tie"
    assert found["d1", "ab"]["extra"]["preferences"] == {"x": "a", "y": "split", "z": "split"}
    assert found["d1", "ba"]["extra"]["members"]["z"]["value"] == "a", "what it said in this order"
    (duel,) = contest()["duels"]
    assert [duel[name] for name in ("pairs", "wins", "losses", "ties", "split_by_order")] == [6, 1, 0, 2, 3]
    assert contest()["panel"]["members"][1] == {
        "name": "y", "pairs": 6, "split_by_order": 3, "without_verdict": 0, "as_panel": pytest.approx(5 / 6),
    }  # fmt: skip
    assert "y: split by order 3 of 6, as the panel 83 %" in ran.out


def test_a_tied_vote_on_a_rubric_without_ties_is_no_verdict():
    systems(1)
    text = Path(find_rubric("mt-bench-pair")).read_text()
    level = next(line for line in text.splitlines(keepends=True) if line.strip().startswith("tie"))
    Path("rubric.yaml").write_text(text.replace(level, ""))
    settings({"jury": {"panel": [record("x", ["a"]), record("y", ["b"])]}})
    ran = run("pairwise", "old.jsonl", "new.jsonl", "-r", "rubric.yaml", "-j", "jury", "-o", "out")
    assert ran.code == 0, ran.err
    assert rows()["d0", "ab"]["cause"] == "two_verdicts"


def test_opposite_leanings_to_a_place_are_no_preference():
    """In each order two of three say a: by order the pair would be won."""
    systems(1)
    said = {"x": "a", "y": "first", "z": "second"}
    settings({"jury": {"panel": [record(name, [kind]) for name, kind in said.items()]}})
    assert compare("jury").code == 0
    assert contest()["duels"][0]["wins"] == 0
    assert contest()["duels"][0]["split_by_order"] == 1


def test_a_member_without_a_verdict_in_one_order_has_no_vote():
    systems(2)
    broken: list[str | tuple[str | None, str | None]] = [("a", None), ("a", None)]
    others = [record("x", ["a", "a"]), record("y", ["a", (None, "a")]), record("z", broken)]
    settings({"jury": {"panel": others}})
    assert compare("jury").code == 0
    found = rows()
    assert found["d0", "ba"]["value"] == "a"
    assert found["d0", "ab"]["extra"]["warning"] == "1 of 3 members without a verdict in both orders"
    assert (found["d1", "ab"]["cause"], found["d1", "ba"]["cause"]) == ("empty", "empty")
    assert found["d1", "ab"]["detail"].startswith("1 of 3 members have a verdict in both orders; y: ")


def by_model(seen: Seen) -> Act:
    """``old`` likes the old system wherever it stands, ``first`` what stands first."""
    first = seen.asked.text.index("old says") < seen.asked.text.index("new says")
    value = "a" if seen.body["model"] == "first" or first else "b"
    return Answer(text=json.dumps({"preference": {"rationale": "So.", "value": value}}))


def test_live_members_are_asked_once_in_each_order_and_an_audit_says_what_the_panel_prefers():
    systems(8)
    with Faultd(by_model) as server:
        names = [f"{name}=openai:{name}@{server.url}" for name in ("old", "first")]
        settings(
            {
                "calm": {"judge": f"openai:third@{server.url}", "max_tokens": 99},
                "jury": {"panel": [*names, "calm"]},
            }
        )
        assert compare("jury", "-q").code == 0
        assert server.count == 8 * 2 * 3
        assert compare("jury", "-q").code == 0
        assert server.count == 8 * 2 * 3
        assert contest()["duels"][0]["wins"] == 8
        ran = run("audit", "old.jsonl", "new.jsonl", "-j", "jury", "-r", "mt-bench-pair", "-o", "audit")
        assert ran.code == 0, ran.err
        assert "to send: 48 requests" in ran.err
        assert server.count == 2 * 8 * 2 * 3
    told = json.loads(Path("audit/audit.json").read_text())
    assert told["measures"][0]["estimate"]["value"] == 0.0
    assert any(row["what"] == "a panel's noise" for row in told["not_measured"])


def test_a_missing_member_is_asked_again_alone_when_failures_are_retried():
    systems(2)
    with Faultd(
        lambda seen: Status(400, "bad") if seen.body["model"] == "first" else by_model(seen)
    ) as server:
        names = [f"{name}=openai:{name}@{server.url}" for name in ("old", "third", "first")]
        settings({"jury": {"panel": names}})
        assert compare("jury", "-q", "--no-cache").code == 0
        assert contest()["panel"]["members"][2]["without_verdict"] == 2
        server.script = by_model
        asked = server.count
        assert compare("jury", "-q", "--no-cache", "--retry-failed").code == 0
        assert [seen.body["model"] for seen in server.requests[asked:]] == ["first"] * 4
    assert contest()["panel"]["members"][2]["split_by_order"] == 2


@pytest.mark.parametrize(
    ("judges", "said"),
    [
        ({"j": {"cascade": ["x", "y"], "accept": 0.5}}, "make a panel of them"),
        ({"j": {"claims": "x"}}, "compare the runs with `diff`"),
        ({"j": {"first_failure": "x"}}, "compare the runs with `diff`"),
        ({"j": {"repeat": "x", "times": 2}}, "--samples N"),
        ({"j": {"panel": ["x=replay:v.jsonl", "y=replay:v.jsonl"], "combine": "weighted"}}, "not combined by weighted"),
        ({"j": {"panel": ["k", "x=replay:v.jsonl"]}, "k": {"panel": ["y=replay:v.jsonl", "z=replay:v.jsonl"]}},
         "Name the members of k"),
        ({"j": {"panel": ["j", "x=replay:v.jsonl"]}}, "j → j: a judge can't be a part of itself"),
        ({"j": {"panel": ["x=replay:v.jsonl"]}}, "a panel of 1"),
    ],
)  # fmt: skip
def test_what_can_t_compare_pairs_says_what_to_use(judges: dict[str, Any], said: str):
    systems(1)
    record("v", ["a"])
    settings(judges)
    ran = compare("j")
    assert (ran.code, said in ran.err) == (2, True), ran.err
    assert "Traceback" not in ran.err
