"""anchors.json in a run folder: how far the run's judges stood from the anchors, for trends over many runs.

``VERSION`` history: 1 first release.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from evalharness.data import strictjson
from evalharness.data.files import write_text
from evalharness.errors import InputError, Problem

VERSION = 1
NAME = "anchors.json"


@dataclass(frozen=True, slots=True)
class AnchorFact:
    """One column on the anchors: mean fresh minus recorded verdict, in scale units, with its error."""

    scorer: str
    rubric: str
    criterion: str
    signature: str
    changed: str
    items: int
    missing: int
    groups: int
    tolerance: float
    shift: float | None
    se: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class AnchorFacts:
    """All columns of a run on one file of anchors, which ``digest`` names."""

    digest: str
    facts: tuple[AnchorFact, ...]


def write_anchor_facts(run: Path, digest: str, facts: Sequence[AnchorFact]) -> None:
    """Write them beside the run's reports."""
    document = {"schema_version": VERSION, "anchors": digest, "criteria": [asdict(fact) for fact in facts]}
    write_text(run / NAME, json.dumps(document, indent=1, allow_nan=False) + "\n")


def read_anchor_facts(run: Path) -> AnchorFacts | None:
    """What stands in a run folder, None where its judges met no anchors; damage is an :class:`InputError`."""
    path = run / NAME
    if not path.exists():
        return None
    try:
        found = strictjson.loads(path.read_bytes())
        if found["schema_version"] != VERSION:
            raise ValueError(f"version {found['schema_version']!r}")
        facts = tuple(AnchorFact(**row) for row in found["criteria"])
        return AnchorFacts(str(found["anchors"]), facts)
    except (OSError, KeyError, TypeError, ValueError) as error:
        problem = Problem(f"the file is damaged: {error}", str(path), fix="Gate the run again, or remove it.")
        raise InputError(problem) from error
