"""Signatures: what made a number, as ``name:value|name:value``."""

from __future__ import annotations


def signature_difference(fitted: str, scored: str) -> str:
    """The parts of two signatures that differ: ``rubric: reply@ab became reply@cd``."""
    before, now = (
        {name: value for name, _, value in (part.partition(":") for part in text.split("|"))}
        for text in (fitted, scored)
    )
    changed = [
        f"{name}: {before.get(name) or 'nothing'} became {now.get(name) or 'nothing'}"
        for name in dict.fromkeys((*before, *now))
        if before.get(name) != now.get(name)
    ]
    return f"changed: {'; '.join(changed)}"
