"""The figures of pairwise comparisons exist, or their absence has a reason, whatever verdicts came back."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from evalharness.analysis.pairwise import Comparison, PairwiseAnalysis, contest
from evalharness.core.dialogue import Unit
from evalharness.core.pairs import Order
from evalharness.core.scores import Cause, Column, Failure, Result, Score, Skip, SkipReason
from evalharness.report.pairwise import pairwise_json, pairwise_markdown, pairwise_text

SYSTEMS = ("s0", "s1", "s2")
COLUMN = Column("judge", "preference", Unit.PAIR, "signature")
VERDICTS = st.sampled_from(["a", "b", "tie", "tie", None, "skipped", "pending"])
PAIRS = st.sampled_from([("s0", "s1"), ("s0", "s2"), ("s1", "s2")])
LENGTHS = st.sampled_from([0, 0, -15, -15, -30, 3, 1000, 1001])
ROWS = st.lists(st.tuples(PAIRS, VERDICTS, VERDICTS, LENGTHS, st.integers(0, 5)), max_size=12)


def result(said: str) -> Result:
    return Skip(SkipReason.NO_CONTEXT) if said == "skipped" else Score(said)


def compared(rows: list[tuple[tuple[str, str], str | None, str | None, int, int]]) -> PairwiseAnalysis:
    comparisons = [
        Comparison(
            f"g{group}",
            pair,
            {
                order: Failure(Cause.EMPTY) if said is None else result(said)
                for order, said in zip(Order, (ab, ba), strict=True)
                if said != "pending"
            },
            length,
        )
        for pair, ab, ba, length, group in rows
    ]
    return PairwiseAnalysis(SYSTEMS, 6, len(rows), 0, (contest(COLUMN, SYSTEMS, comparisons),))


def estimates(node: Any) -> list[dict[str, Any]]:
    """Every estimate of the JSON report."""
    if isinstance(node, dict):
        own = [node] if "undefined" in node else []
        return own + [found for value in node.values() for found in estimates(value)]
    return [found for value in node for found in estimates(value)] if isinstance(node, list) else []


@settings(max_examples=30)
@given(ROWS)
def test_any_verdicts_give_a_report_with_figures_or_reasons(
    rows: list[tuple[tuple[str, str], str | None, str | None, int, int]],
) -> None:
    analysis = compared(rows)
    document = json.loads(pairwise_json(analysis))
    found = estimates(document)
    assert found
    assert all((estimate["value"] is None) == bool(estimate["undefined"]) for estimate in found)
    (figures,) = document["contests"]
    assert bool(figures["ranking"]) != bool(figures["unranked"])
    page, text = pairwise_markdown(analysis), pairwise_text(analysis)
    assert ("No ranking:" in page, "no ranking:" in text) == (bool(figures["unranked"]),) * 2
    assert text.count("at equal length: ") == len(figures["duels"])
