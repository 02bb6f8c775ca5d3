"""Checking what a judge cites: does the part exist, and does it hold the words that are quoted from it?"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from evalharness.core.scores import Evidence
from evalharness.judges.answers import Citation, clean

MAX_EVIDENCE = 20
_PART = re.compile(r"\s{0,4}\[?\s{0,4}([MDmd]?)([0-9]{1,7})(?![0-9])")
_IN_TEXT = re.compile(r"\[(M[0-9]{1,7})(?: call [0-9]{1,4})?\]")
_GAP = re.compile(r"…|\.{3}|\[\.{3}\]")
_PLAIN_QUOTES = str.maketrans("“”„«»‘’‚", '"""""\'\'\'')
_EDGES = " \t\n\"'`"


def checked(
    citations: Sequence[Citation], rationale: str, sources: Mapping[str, str]
) -> tuple[Evidence, ...]:
    """The citations, then the messages that the rationale names, each with whether it holds.

    ``sources`` are the parts that were shown by their number (``M3``, ``D1``). Quotations are compared without regard
    to whitespace, case and the form of quotation marks; ``…`` stands for words left out.
    """
    found = [_checked(citation.part, clean(citation.quote), sources) for citation in citations[:MAX_EVIDENCE]]
    cited = {evidence.message for evidence in found}
    for message, name in _named(rationale):
        if message not in cited and len(found) < MAX_EVIDENCE:
            cited.add(message)
            found.append(Evidence(message, "", name in sources))
    return tuple(found)


def _checked(part: str, quote: str, sources: Mapping[str, str]) -> Evidence:
    name = _part_name(part)
    if name is None:
        where = [source for source, text in sources.items() if holds(text, quote)] if quote else []
        only = where[0] if len(where) == 1 else ""
        return Evidence(_number(only, "M"), quote, bool(where), _number(only, "D"))
    text = sources.get(name)
    found = text is not None and (not quote or holds(text, quote))
    return Evidence(_number(name, "M"), quote, found, _number(name, "D"))


def holds(text: str, quote: str) -> bool:
    """Whether the text holds the quoted words, in their order where some are left out."""
    pieces = [piece.strip(_EDGES) for piece in _GAP.split(_plain(quote))]
    wanted = [piece for piece in pieces if piece]
    position, plain = 0, _plain(text)
    for piece in wanted:
        at = plain.find(piece, position)
        if at < 0:
            return False
        position = at + len(piece)
    return bool(wanted)


@lru_cache(maxsize=16)  # every criterion's evidence quotes the same few messages
def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text.translate(_PLAIN_QUOTES)).casefold().split())


def _part_name(written: str) -> str | None:
    match = _PART.match(written)
    return None if match is None else f"{match.group(1).upper() or 'M'}{int(match.group(2))}"


def _number(name: str, kind: str) -> int | None:
    return int(name[1:]) if name.startswith(kind) else None


def _named(rationale: str) -> Iterator[tuple[int, str]]:
    for match in _IN_TEXT.finditer(rationale):
        name = f"M{int(match.group(1)[1:])}"
        yield int(name[1:]), name
