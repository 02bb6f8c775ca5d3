"""docs/gate.md shows a policy that is read, and every field there is; the planning figures are the program's."""

from __future__ import annotations

import json
import re
from pathlib import Path

from evalharness.core.policy import Amount, OnInconclusive, Policy
from evalharness.data.policies import CRITERION_KEYS, POLICY_KEYS, parse_policy
from evalharness.gate.decide import gate
from evalharness.gate.planning import plans_of
from evalharness.report.gate.document import gate_json
from tests.gate.helpers import snapshot

PAGE = (Path(__file__).parents[2] / "docs" / "gate.md").read_text(encoding="utf-8")
POLICY = PAGE.split("```yaml\n")[1].split("```")[0]


def test_the_policy_on_the_page_is_read():
    policy = parse_policy(POLICY)
    default = Policy()
    assert policy.criteria["helpfulness"].max_drop == Amount(0.05)
    assert policy.criteria["grounded"].min_pass_rate == 0.95
    assert policy.criteria["safety"].confirm == 3
    assert policy.criteria["bleu"].gate is False
    assert policy.must_pass == ("refund-17", "gdpr-2")
    assert policy.on_inconclusive is OnInconclusive.EXIT
    assert (policy.pair_by, policy.max_drop, policy.max_failed, policy.max_unpaired, policy.confidence) == (
        default.pair_by, default.max_drop, default.max_failed, default.max_unpaired, default.confidence,
    )  # fmt: skip


def test_every_field_is_shown():
    for name in (*POLICY_KEYS, *CRITERION_KEYS):
        assert re.search(rf"\b{name}:", POLICY), name


def test_the_planning_figures_are_the_program_s():
    plan = next(plan for plan in plans_of(None, Policy(), Amount(0.05), None) if plan.scatter == 0.2)
    apart, together = plan.needs
    assert (apart.groups, together.groups) == (200, 101)
    assert "(200 by the exact t calculation" in PAGE
    assert "about 100 scenarios" in PAGE


def test_the_fields_of_gate_json_on_the_page_are_those_of_the_document():
    before = snapshot({f"g{i}": [4.0, 3.0] for i in range(20)}, name="old")
    result = gate(before, snapshot({f"g{i}": [1.0, 3.0] for i in range(20)}, tag="-new"), Policy())
    document = json.loads(gate_json(result))
    table = PAGE.split("`gate.json` has")[1].split("## Over many runs")[0]
    named = set(re.findall(r"`\.?([a-z_]+)(?:\[\])?`", table))
    for name in ("verdict", "exit_code", "identical", "policy", "criteria", "demands", "notes"):
        assert name in document
        assert name in named
    fields = set(re.findall(r"`\.([a-z_]+)(?:\[\])?`", table))
    assert fields <= document["criteria"][0].keys()
    assert set(document["criteria"][0]["difference"]) <= named | {"se"}
