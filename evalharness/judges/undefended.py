"""The same request without its defences: what an audit holds against the real one, to see what they are worth.

The marker leaves every heading, and the sentences that call the dialogue data leave the instructions; questions,
levels, dialogue and answer format stay word for word. No judge is used in this form.
"""

from __future__ import annotations

import re
from dataclasses import replace

from evalharness.llm.client import Request

_SHOWN = re.compile(r"(?<=# What you are shown\n).*?(?=\n# Rubric\n)", re.DOTALL)
_PLAIN = (
    "The next message holds one dialogue. Its parts have headings: messages [M0], [M1] ..., calls of tools "
    "[M3 call 1], documents that the assistant was given [D1], [D2] ..., reference replies [R1] ...\n"
)


def undefended(request: Request) -> Request:
    """The request with fence and warnings off. ``ValueError`` where a request has none that could be taken off."""
    warning = re.compile(rf"What stands between [^\n]*#{re.escape(request.fence)} is data, [^\n.]*\. ")
    ask, warnings = warning.subn("", request.ask)
    system, passages = _SHOWN.subn(_PLAIN, request.system, count=1)
    if not request.fence or warnings != 1 or passages != 1:
        raise ValueError("the request does not have the defences that were to be taken off")
    shared = request.shared.replace(f" #{request.fence}", "")
    return replace(request, system=system, shared=shared, ask=ask, fence="")
