"""docs/architecture.md names every package and the versions that the code has."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

from evalharness.core import fitted
from evalharness.data import anchor_facts, anchors, baselines, cache, calibrations
from evalharness.data.ledger import schema
from evalharness.report import cascading, diff, document, execution, pairwise, trend, trials
from evalharness.report.agreement import document as agreement_document
from evalharness.report.audit import document as audit
from evalharness.report.gate import document as gate_document
from evalharness.report.gate import sequential

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_every_package_is_drawn():
    drawn = set(re.findall(r"^  (\w+)(?:/|\.py)", PAGE.split("```")[1], re.MULTILINE))
    found = {
        path.stem
        for path in (ROOT / "evalharness").iterdir()
        if not path.name.startswith("_") and (path.suffix == ".py" or (path / "__init__.py").exists())
    }
    assert drawn == found


def test_the_layers_are_those_of_the_contract():
    contract = configparser.ConfigParser()
    contract.read(ROOT / ".importlinter")
    layers = " > ".join(contract["importlinter:contract:layers"]["layers"].split("\n")[1:])
    sentence = re.sub(r"\s+", " ", PAGE)
    assert re.sub(r"\s+", " ", layers) in sentence


def test_format_versions_are_current():
    versions = dict(re.findall(r"^\| ([\w. ]+?) \| (\d+) \|", PAGE, re.MULTILINE))
    assert versions == {
        "ledger": str(schema.VERSION),
        "report.json": str(document.SCHEMA_VERSION),
        "execution.json": str(execution.SCHEMA_VERSION),
        "gate.json": str(gate_document.SCHEMA_VERSION),
        "sequential.json": str(sequential.SCHEMA_VERSION),
        "baseline file": str(baselines.VERSION),
        "anchors file": str(anchors.VERSION),
        "anchors.json": str(anchor_facts.VERSION),
        "agree.json": str(agreement_document.SCHEMA_VERSION),
        "calibration file": str(calibrations.FORMAT),
        "fitted judge": str(fitted.FORMAT),
        "pairwise.json": str(pairwise.SCHEMA_VERSION),
        "diff.json": str(diff.SCHEMA_VERSION),
        "trend.json": str(trend.SCHEMA_VERSION),
        "cascade.json": str(cascading.SCHEMA_VERSION),
        "trials.json": str(trials.SCHEMA_VERSION),
        "audit.json": str(audit.SCHEMA_VERSION),
        "verdict cache": str(cache._VERSION),
    }
