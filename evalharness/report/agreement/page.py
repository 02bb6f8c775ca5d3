"""agree.html."""

from __future__ import annotations

from evalharness.analysis.agreement.types import Agreement


def agreement_page(agreement: Agreement, title: str) -> str:
    """The page."""
    return f"<!doctype html><title>{len(title)}</title>{len(agreement.rows)}"
