"""The page's own files: templates, styles and scripts, and the policy that lets nothing else run."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources

STYLES = (
    "tokens",
    "base",
    "summary",
    "beside",
    "tables",
    "charts",
    "explorer",
    "conversation",
    "verdicts",
    "audit",
    "print",
)
SCRIPTS = (
    "dom",
    "text",
    "data",
    "scale",
    "address",
    "search",
    "filter",
    "panel",
    "list",
    "evidence",
    "verdicts",
    "message",
    "conversation",
    "copy",
    "theme",
    "help",
    "keys",
    "main",
)
"""The scripts in the order in which they are joined: each may use what stands before it."""
LABEL_STYLES = ("tokens", "base", "label")
LABEL_SCRIPTS = ("dom", "text", "theme", "message", "label")
"""What the page for raters is made of."""
DIFF_STYLES = ("tokens", "base", "diff")
TREND_STYLES = ("tokens", "base", "diff", "trend")
CARD_STYLES = ("tokens", "base", "audit", "card")
"""What the pages of two and of many runs, and the judge card, are made of; they have no script."""


@cache
def asset(name: str) -> str:
    """The text of a data file of this package, by its path within it."""
    return (resources.files(__package__) / name).read_text(encoding="utf-8")


@cache
def style(names: tuple[str, ...] = STYLES) -> str:
    """Style sheets as one."""
    return "\n".join(asset(f"css/{name}.css") for name in names)


@cache
def script(names: tuple[str, ...] = SCRIPTS) -> str:
    """Scripts as one function that leaves no global names behind."""
    parts = "\n".join(asset(f"js/{name}.js") for name in names)
    return f'(() => {{\n"use strict";\n{parts}\n}})();\n'


@cache
def policy(styles: tuple[str, ...] = STYLES, scripts: tuple[str, ...] = SCRIPTS) -> str:
    """The Content-Security-Policy: our own style and script by their hashes, and nothing from anywhere.

    Trusted Types are required and none is defined, so that no script can turn text into markup even by mistake.
    """
    return "; ".join(
        (
            "default-src 'none'",
            *([f"script-src '{_digest(script(scripts))}'"] if scripts else []),
            f"style-src '{_digest(style(styles))}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
