"""Payloads in every field, in a real browser: nothing runs, nothing is fetched, nothing changes its form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evalharness.core.text import has_invisible
from tests.browser import visit
from tests.report.page_hostile import hostile_page
from tests.report.payloads import PAYLOADS, SHARPEST

pytestmark = pytest.mark.browser

WALK = """async ([count]) => {
    const rows = () => document.querySelectorAll('.row').length > 0;
    const shapes = [];
    const shape = (element) => [element.localName, [...element.attributes].map((a) => a.name).sort().join(),
        [...element.children].filter((child) => !child.classList.contains('code')).map(shape)];
    for (let n = 0; n < count; n += 1) {
        const before = document.querySelector('#dialogue-title');
        if (n) document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'j', bubbles: true }));
        const title = () => document.querySelector('#dialogue-title');
        const end = performance.now() + 10000;
        while (!rows() || !title() || (n && title() === before)) {
            if (performance.now() > end) throw new Error(`nothing opens after ${n}`);
            await new Promise((done) => setTimeout(done, 5));
        }
        document.querySelectorAll('.pane details').forEach((details) => { details.open = true; });
        document.querySelectorAll('.pane *').forEach((element) => element.dispatchEvent(new Event('mouseover')));
        shapes.push(JSON.stringify(shape(document.querySelector('.pane'))));
    }
    return [shapes, JSON.stringify(shape(document.querySelector('.side')))];
}"""


def _walk(chromium: Any, path: Path, payloads: tuple[str, ...]) -> tuple[list[str], str]:
    """Reads every dialogue from first to last; the shapes of the conversations and of the list with its controls."""
    path.write_text(hostile_page(payloads), encoding="utf-8")
    with visit(chromium, path) as seen:
        page = seen.page
        page.wait_for_selector("#explorer:not([hidden]) #list-status:not(:empty)", state="attached")
        page.evaluate("document.body.tabIndex = -1; document.body.focus()")
        shapes, side = page.evaluate(WALK, [len(payloads)])
        assert page.title() != "got in"
        assert page.evaluate("document.querySelectorAll('script').length") == 2 + page.evaluate(
            "document.querySelectorAll('script[type]').length - 1"
        )
        return shapes, side


def _harmless(payloads: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"word{n}\u200b" if has_invisible(text) else f"word{n}" for n, text in enumerate(payloads))


def _check(chromium: Any, folder: Path, payloads: tuple[str, ...]) -> None:
    shapes, side = _walk(chromium, folder / "hostile.html", payloads)
    plain, plain_side = _walk(chromium, folder / "plain.html", _harmless(payloads))
    assert side == plain_side
    assert len(shapes) == len(payloads)
    different = [payload for payload, one, other in zip(payloads, shapes, plain, strict=True) if one != other]
    assert different == []


def test_no_payload_does_anything(chromium: Any, tmp_path: Path):
    _check(chromium, tmp_path, SHARPEST)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, len(PAYLOADS), 40))
def test_no_payload_does_anything_all_of_them(chromium: Any, tmp_path: Path, first: int):
    _check(chromium, tmp_path, PAYLOADS[first : first + 40])
