"""Real Chromium for tests: pages are opened from files, and everything that must not happen is written down."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

_SWITCHES = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
PHONE = (390, 844)
DESK = (1440, 900)


def chromium_path() -> str:
    """Where Chromium is; skips the test, saying how to get it, where there is none."""
    named = os.environ.get("EVALHARNESS_CHROMIUM")
    found = named or shutil.which("chromium") or shutil.which("chromium-browser")
    if not found:
        pytest.skip("no Chromium: `apt-get install chromium`, or set EVALHARNESS_CHROMIUM to its path")
    return found


@contextmanager
def open_browser() -> Iterator[Any]:
    """A running browser; skips where Playwright or Chromium is missing."""
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install playwright")
    path = chromium_path()
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=path, args=list(_SWITCHES))
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Visit:
    """An open page with what it did: messages on the console, errors, dialogs, and requests other than its file."""

    page: Any
    console: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def watch(self, own: str) -> None:
        """Write down from now on what must not happen."""
        self.page.on("console", lambda message: self.console.append(message.text))
        self.page.on("pageerror", lambda error: self.console.append(str(error)))
        self.page.on("dialog", self._dialog)
        self.page.on("request", lambda request: self._request(request.url, own))

    def until(self, condition: str, wanted: object = True) -> None:
        """Wait until a JavaScript expression has a value; what it is instead is told after ten seconds.

        (Playwright's own waiting evaluates strings in the page, which the page's policy forbids.)
        """
        found = self.page.evaluate(
            f"""async ([wanted]) => {{
                const value = () => {{ try {{ return {condition} }} catch {{ return null }} }};
                const equal = () => JSON.stringify(value()) === JSON.stringify(wanted);
                const end = performance.now() + 10000;
                while (!equal() && performance.now() < end) await new Promise((done) => setTimeout(done, 20));
                return value();
            }}""",
            [wanted],
        )
        assert found == wanted, f"{condition} is {found!r}"

    def assert_quiet(self) -> None:
        """Nothing was said, asked or fetched."""
        assert (self.console, self.dialogs, self.requests) == ([], [], [])

    def _dialog(self, dialog: Any) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def _request(self, url: str, own: str) -> None:
        if url.partition("#")[0] != own and not url.startswith("data:"):
            self.requests.append(url)


@contextmanager
def visit(
    browser: Any,
    path: Path,
    address: str = "",
    *,
    size: tuple[int, int] = DESK,
    scheme: str = "light",
    **options: Any,
) -> Iterator[Visit]:
    """The file opened in a fresh window; on leaving, the page must have been quiet."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, **options
    )
    try:
        seen = Visit(context.new_page())
        seen.watch(path.as_uri())
        seen.page.goto(path.as_uri() + address)
        yield seen
        seen.assert_quiet()
    finally:
        context.close()


def axe_findings(page: Any) -> list[str]:
    """axe-core's serious and critical findings, each with the first element it is about."""
    source = resources.files("axe_playwright_python") / "axe.min.js"
    page.evaluate(source.read_text(encoding="utf-8"))
    violations = page.evaluate("async () => (await axe.run()).violations")
    return [
        f"{found['impact']}: {found['id']}: {found['nodes'][0]['html'][:200]} ({len(found['nodes'])}x)"
        for found in violations
        if found["impact"] in ("serious", "critical")
    ]
