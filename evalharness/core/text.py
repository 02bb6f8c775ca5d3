"""Making untrusted text safe to show: control, direction and invisible characters become visible escapes."""

from __future__ import annotations

import re
import unicodedata

_UNSAFE = re.compile(
    "[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)
_KEEP = {"\u200c", "\u200d"}  # joiners: emoji sequences and several scripts need them


def has_invisible(text: str) -> bool:
    """Whether the text holds control, direction or invisible characters that could mislead a reader."""
    if _UNSAFE.search(text) is None:
        return False
    return any(match.group() not in _KEEP for match in _UNSAFE.finditer(text))


def visible(text: str) -> str:
    """The text with every character that could hide or reorder text, or drive a terminal, written as an escape.

    Tab and newline are kept; ``\\x1b`` becomes the four characters ``\\x1b``, U+202E becomes ``<U+202E>``.
    """
    return _UNSAFE.sub(_escape, text)


def one_line(text: str, limit: int = 200) -> str:
    """The text for a message or log line: visible, without line breaks, cut (and marked ``…``) at ``limit``."""
    flat = visible(text).replace("\r", "").replace("\n", " ⏎ ").replace("\t", " ")
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def log_safe(text: str) -> str:
    """Output for CI logs: no line of it can be read as a workflow command (``::`` or ``##[`` at its start)."""
    return "\n".join(_defuse(line) for line in visible(text).split("\n"))


def _defuse(line: str) -> str:
    stripped = line.lstrip()
    if stripped.startswith("::") or "##[" in stripped:
        return line.replace("::", ":\u2060:").replace("##[", "#\u2060#[")
    return line


def _escape(match: re.Match[str]) -> str:
    char = match.group()
    if char in _KEEP:
        return char
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"<U+{code:04X}>"


def plain_width(text: str) -> int:
    """Terminal columns that the text takes (wide East Asian characters count two, combining marks none)."""
    return sum(_char_width(char) for char in text)


def _char_width(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
