"""What tests of the page do and ask in a browser, by name."""

from __future__ import annotations

from typing import Any

from tests.browser import Visit

ROWS = "document.querySelectorAll('.row').length"
NAMES = "[...document.querySelectorAll('.row .row-id')].map((id) => id.textContent)"
TITLE = "document.querySelector('#dialogue-title').textContent"


def ready(seen: Visit) -> Any:
    """The page once the list stands."""
    seen.page.wait_for_selector("#explorer:not([hidden]) #list-status:not(:empty)", state="attached")
    return seen.page


def rows(page: Any) -> list[str]:
    """The ids in the list."""
    return [text.strip() for text in page.locator(".row .row-id").all_inner_texts()]


def open_filters(page: Any) -> None:
    """Open the panel of further filters."""
    page.locator("details.more > summary").click()


def field(page: Any, name: str) -> Any:
    """The control with this label."""
    return page.locator("label.field", has=page.get_by_text(name, exact=True)).locator("select, input")
