"""Metrics on several processes give what one process gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalharness.engine import measure
from tests.cli.runner import DATASETS, run


def test_a_pool_of_processes_gives_the_same_bytes(monkeypatch: pytest.MonkeyPatch):
    arguments = ("score", DATASETS / "sample.jsonl", "--metric", "bleu,rouge,surface")
    assert run(*arguments, "--out", "one").code == 0
    monkeypatch.setattr(measure, "_WORTH_PROCESSES", 1)
    monkeypatch.setattr(measure, "_BLOCK", 10)
    assert run(*arguments, "--out", "many").code == 0
    for name in ("report.json", "scores.jsonl"):
        assert Path("many", name).read_bytes() == Path("one", name).read_bytes()
