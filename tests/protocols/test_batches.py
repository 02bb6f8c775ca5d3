"""Judges made of judges through batch APIs: the same report as live, a round for every step that needs an answer."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evalharness.engine import batch_submit
from tests.cli.runner import run
from tests.faultd import Faultd
from tests.faultd_batches import Shop
from tests.protocols.files import settings, write_dialogues, write_rubric


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Shop, Faultd]]:
    monkeypatch.setattr(batch_submit, "SETTLING", 0.0)
    shop = Shop()
    with Faultd(routes=shop) as server:
        shop.join(server)
        yield shop, server


def rounds(judge: str, out: str) -> int:
    """How many times the batch command is needed."""
    for number in range(1, 8):
        ran = run(
            "score", "in.jsonl", "-r", "rubric.yaml", "-j", judge, "-o", out, "-q", "--no-cache", "--batch"
        )
        if ran.code == 0:
            return number
        assert ran.code == 3, ran.err
    raise AssertionError(ran.err)


def models(shop: Shop) -> Counter[str]:
    """Requests in batches by model."""
    bodies = [
        line.get("body") or line.get("params") for batch in shop.batches.values() for line in batch.lines
    ]
    return Counter(body["model"] for body in bodies)


@pytest.mark.parametrize(
    ("kind", "more", "steps"),
    [("panel", {"combine": "mean"}, 2), ("cascade", {"accept": 0.0}, 2), ("cascade", {"accept": 1.0}, 3)],
)
def test_the_report_is_that_of_the_live_run(
    shop: tuple[Shop, Faultd], kind: str, more: dict[str, Any], steps: int
):
    write_rubric()
    write_dialogues(4)
    store, server = shop
    names = [f"{name}=openai:{name}@{server.url}" for name in ("one", "two")]
    settings({"both": {kind: names, **more}})
    live = run("score", "in.jsonl", "-r", "rubric.yaml", "-j", "both", "-o", "live", "-q", "--no-cache")
    assert live.code == 0, live.err
    asked = Counter(seen.body["model"] for seen in server.requests if seen.body and "model" in seen.body)
    assert rounds("both", "batched") == steps
    reports = [json.loads((Path(name) / "report.json").read_text()) for name in ("live", "batched")]
    assert reports[0] == reports[1]
    assert models(store) == asked
