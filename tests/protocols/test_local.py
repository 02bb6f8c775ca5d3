"""Every protocol on the local model, end to end: no server, no key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.runner import run, scores
from tests.llama_server import local_model_path
from tests.protocols.files import record, settings, write_rubric

pytestmark = pytest.mark.local_model

DOCUMENT = "The depot is in Lyon."


@pytest.fixture(autouse=True)
def files(own_home: Path) -> str:
    """One dialogue with a document, a rubric, a recording, and the model's name."""
    model = f"local:{local_model_path()}"
    messages = [
        {"role": "user", "content": "Where is the depot?"},
        {"role": "assistant", "content": "It is in Lyon.", "context": [{"text": DOCUMENT}]},
    ]
    Path("in.jsonl").write_text(json.dumps({"id": "d0", "messages": messages}) + "\n")
    write_rubric()
    other = record("other", "quality", {"d0": 5})
    settings({
        "jury": {"panel": [f"small={model}", other]},
        "both": {"cascade": [f"small={model}", other], "accept": 1.0},
        "grounded": {"claims": model, "split": "sentences", "verifications": 2},
        "where": {"first_failure": f"small={model}"},
    })  # fmt: skip
    return str(own_home)


def rows(rubric: str, judge: str) -> dict[str, dict[str, Any]]:
    ran = run("score", "in.jsonl", "-r", rubric, "-j", judge, "-o", judge, "-q")
    assert ran.code == 0, ran.err
    return {row["criterion"]: row for row in scores(Path(judge))}


def test_panel_cascade_claims_and_first_failure_run_on_the_local_model():
    jury = rows("rubric.yaml", "jury")["quality"]
    own = jury["extra"]["members"]["small"]
    assert sum(own["probabilities"].values()) == pytest.approx(1.0)
    assert jury["value"] == pytest.approx((own["value"] + 5) / 2)

    both = rows("rubric.yaml", "both")["quality"]
    assert (both["value"], both["extra"]["stage"]) == (5.0, "other"), "a small model is never certain"
    assert both["extra"]["earlier"]["small"]["value"] == pytest.approx(own["value"]), (
        "the answer was in the cache"
    )

    grounded = rows("claims", "grounded")["supported"]
    (claim,) = grounded["extra"]["claims"]
    assert claim["claim"] == "It is in Lyon."
    assert sum(claim["votes"].values()) == 2

    where = rows("rubric.yaml", "where")
    assert where["first_failure"]["value"] == float(own["value"] < 4)
    assert where["_overall"]["value"] == float(own["value"] >= 4)
