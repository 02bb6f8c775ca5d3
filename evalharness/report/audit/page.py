"""judge-card.html: the judge card as one offline page without a script."""

from __future__ import annotations

from markupsafe import Markup

from evalharness.audit.types import Audit
from evalharness.report.audit.card import card_of
from evalharness.report.audit.document import audit_document
from evalharness.report.html.assets import CARD_STYLES, policy, style
from evalharness.report.html.rendering import environment


def audit_page(audit: Audit) -> str:
    """The text of judge-card.html."""
    return (
        environment()
        .get_template("card.html")
        .render(
            policy=policy(CARD_STYLES, ()),
            style=Markup(style(CARD_STYLES)),  # noqa: S704 - our own files, named by their hash in the policy
            card=card_of(audit_document(audit)),
        )
    )
