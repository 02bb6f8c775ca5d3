"""Take the pictures of README and docs from a demo run: `make screenshots` (needs Chromium)."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from evalharness.cli import cli
from evalharness.cli.outcome import guarded

IMAGES = Path(__file__).parent / "images"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]


def main() -> None:
    """Make the demo run, then one picture per view."""
    chromium = (
        os.environ.get("EVALHARNESS_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    )
    if chromium is None:
        sys.exit("Chromium is needed: apt-get install chromium, or set EVALHARNESS_CHROMIUM")
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as play:
        run = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(folder) / "demo"
        if not (run / "report.html").exists():
            guarded(cli, ["demo", "--out", str(run)])
        browser = play.chromium.launch(executable_path=chromium, args=FLAGS)
        page = (run / "report.html").resolve().as_uri()
        _shot(browser, page, "report-light.png", 1280, 860)
        _shot(browser, page, "report-dark.png", 1280, 860, dark=True)
        _shot(browser, page + "#support-broken-vase-degraded/4", "report-dialogue.png", 1280, 860)
        _shot(browser, page, "report-phone.png", 390, 800)
        guarded(cli, ["label", str(run), "--raters", "you"])
        label = (run / "label-you.html").resolve().as_uri()
        _shot(browser, label, "label-light.png", 1280, 860, keys="42")
        _shot(browser, label, "label-phone.png", 390, 800, dark=True)
        for name in ("sample", "degraded"):
            data = str(Path(__file__).parents[1] / "datasets" / f"{name}.jsonl")
            guarded(
                cli, ["score", data, "--metric", "bleu,chrf", "--out", str(Path(folder) / name), "--quiet"]
            )
        guarded(cli, ["diff", str(Path(folder) / "sample"), str(Path(folder) / "degraded")])
        diff = (Path(folder) / "degraded" / "diff.html").as_uri()
        _shot(browser, diff, "diff-light.png", 1280, 900)
        _shot(browser, diff, "diff-dark.png", 1280, 900, dark=True)
        _shot(browser, diff, "diff-phone.png", 390, 800)
        _beside(browser, Path(folder))
        browser.close()


def _beside(browser: Browser, folder: Path) -> None:
    """The first screen with a gate: chrF against the references."""
    data = Path(__file__).parents[1] / "datasets"
    for name, out in (("sample", "v1"), ("degraded", "v2")):
        score = ["score", str(data / f"{name}.jsonl"), "--metric", "chrf,words,overlap_context"]
        guarded(cli, [*score, "--out", str(folder / out), "--quiet"])
    run = str(folder / "v2")
    guarded(cli, ["report", run, "--baseline", str(folder / "v1")])
    _shot(browser, (Path(run) / "report.html").as_uri(), "report-gate.png", 1280, 760)


def _shot(
    browser: Browser, url: str, name: str, width: int, height: int, *, dark: bool = False, keys: str = ""
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light"
    )
    page = context.new_page()
    page.goto(url)
    page.wait_for_load_state("networkidle")
    for key in keys:
        page.keyboard.press(key)
    page.screenshot(path=IMAGES / name)
    context.close()


if __name__ == "__main__":
    main()
