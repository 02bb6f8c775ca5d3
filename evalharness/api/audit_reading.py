"""Audits that stand in a run folder, for its report."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from evalharness.core.text import one_line
from evalharness.data.strictjson import JsonError, loads
from evalharness.report.audit.card import AuditSection, card_of
from evalharness.report.audit.document import SCHEMA_VERSION

_MOST_BYTES = 16 << 20


def read_audits(folder: Path) -> tuple[AuditSection, ...]:
    """The audits in ``folder`` itself and in its folders whose name begins with ``audit``, by name.

    A file that can't be read is a section that says so: no run fails because of an audit beside it.
    """
    found = [folder / "audit.json", *sorted(folder.glob("audit*/audit.json"))]
    return tuple(_section(folder, path) for path in found if path.is_file())


def _section(folder: Path, path: Path) -> AuditSection:
    name = path.relative_to(folder).as_posix()
    try:
        if path.stat().st_size > _MOST_BYTES:
            return AuditSection(None, "", f"{name} is larger than {_MOST_BYTES:,} bytes")
        document = loads(path.read_bytes())
        version = document["schema_version"]
        if version != SCHEMA_VERSION:
            said = one_line(str(version), 40)
            return AuditSection(None, "", f"{name} has schema_version {said}, not {SCHEMA_VERSION}")
        card = card_of(document)
    except (JsonError, OSError, LookupError, TypeError, ValueError, AttributeError):
        return AuditSection(None, "", f"{name} can't be read; run the audit again")
    page = path.with_name("judge-card.html")
    return AuditSection(card, quote(page.relative_to(folder).as_posix()) if page.is_file() else "")
