"""Cutting the shared text where caches can meet it again.

Turns of one dialogue share a growing beginning, but a provider's cache matches whole content blocks. So the text is
cut at places that depend on nothing behind them: after the last line that ends before each multiple of ``BLOCK``
characters. A longer version of the same text then starts with the same blocks.
"""

from __future__ import annotations

from dataclasses import dataclass

BLOCK = 8192
_MARKED_CUTS = 2


@dataclass(frozen=True, slots=True)
class Marks:
    """Which ends of the prompt are worth keeping in the provider's cache."""

    rubric: bool = False
    dialogue: bool = False
    whole: bool = False
    """The very end of the shared text too, because equal texts come again and not only longer ones."""


def blocks_of(shared: str) -> list[str]:
    """The text in blocks of about ``BLOCK`` characters; joined they give the text."""
    blocks: list[str] = []
    start = 0
    for end in range(BLOCK, len(shared), BLOCK):
        cut = shared.rfind("\n", end - BLOCK // 2, end) + 1 or end
        blocks.append(shared[start:cut])
        start = cut
    if start < len(shared):
        blocks.append(shared[start:])
    return blocks


def marked_blocks(shared: str, marks: Marks) -> list[tuple[str, bool]]:
    """The blocks, each with whether the cache should keep the prompt up to its end (3 at most)."""
    blocks = blocks_of(shared)
    last = len(blocks) - 1
    return [
        (
            block,
            (marks.dialogue and last - _MARKED_CUTS <= at < last)
            or (marks.dialogue and marks.whole and at == last),
        )
        for at, block in enumerate(blocks)
    ]
