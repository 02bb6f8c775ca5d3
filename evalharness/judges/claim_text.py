"""A reply's claims: how a model is asked for them, how its answer is read, and a split by sentences without a model."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

from evalharness.core.canonical import Json, content_hash
from evalharness.core.dialogue import Item
from evalharness.core.scores import Cause
from evalharness.judges.answers import TooManyError, Unreadable, clean
from evalharness.judges.evidence import holds
from evalharness.judges.templating import fill, templates_hash
from evalharness.judges.transcript import MARKER_DIGITS, fence, shared_text, whole
from evalharness.judges.verdict import Shown, unusable_reply
from evalharness.judges.verdict_json import json_objects
from evalharness.llm.client import Finish, Reply, Request, Sampling

MOST_CLAIMS = 100
_LONGEST = 1000
_SENTENCE = re.compile(r"(?<=[.!?…])\s+|(?<=[。！？])")
_BULLET = re.compile(r"^\s{0,8}(?:[-*•–]|[0-9]{1,3}[.)])\s+")
_QUESTION = ("?", "？", "؟")


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim of a reply: what it says by itself, the words that make it, and whether the reply holds these words (a
    claim without any counts as held)."""

    text: str
    quote: str
    in_reply: bool = True


Split: TypeAlias = tuple[Claim, ...] | Unreadable


def split_request(item: Item, secret: bytes, max_tokens: int, sampling: Sampling) -> Request:
    """The request for the claims of a reply."""
    marker = fence(secret, item.dialogue.id)
    return Request(
        system=fill("claims_system", {"digits": str(MARKER_DIGITS)}),
        shared=shared_text(item, marker, whole(item)),
        ask=fill("claims_ask", {"turn": str(item.turn), "fence": marker}),
        fence=marker,
        schema=_schema(),
        max_tokens=max_tokens,
        sampling=sampling,
    )


def read_reply(reply: Reply, request: Request, item: Item) -> Split:
    """The claims in a model's reply."""
    finish = Finish.REFUSAL if reply.refusal and not reply.text.strip() else reply.finish
    return read_claims(reply.text, item, Shown(request.shared), finish)


def read_claims(text: str, item: Item, shown: Shown, finish: Finish = Finish.STOP) -> Split:
    """The claims that a text lists in a JSON object with the member ``claims``; one that is copied from what was shown,
    or two different ones, give none."""
    unusable = unusable_reply(finish, text)
    if unusable is not None:
        return unusable
    try:
        found = [reply for reply in json_objects(text) if "claims" in reply.members]
    except TooManyError:
        return Unreadable(Cause.TWO_VERDICTS, "the reply holds very many JSON objects")
    own = [reply for reply in found if not shown.holds(reply.text)]
    if not own:
        said = (
            "the only list of claims is copied from the dialogue"
            if found
            else "the reply holds no list of claims"
        )
        return Unreadable(Cause.NO_VERDICT, said)
    if any(reply.members != own[0].members or reply.members.repeated for reply in own):
        return Unreadable(Cause.TWO_VERDICTS, "the reply gives more than one list of claims")
    return _claims(own[0].members["claims"], item.message.content)


def by_sentences(item: Item) -> tuple[Claim, ...]:
    """Every sentence and line of the reply that is no question, as a claim."""
    lines = [_BULLET.sub("", line, count=1) for line in item.message.content.splitlines()]
    pieces = [piece.strip() for line in lines for piece in _SENTENCE.split(line)]
    wanted = [piece for piece in pieces if any(map(str.isalnum, piece)) and not piece.endswith(_QUESTION)]
    return tuple(Claim(piece[:_LONGEST], piece[:_LONGEST]) for piece in dict.fromkeys(wanted))


@cache
def split_hash() -> str:
    """Hash of the wording by which claims are asked for."""
    return content_hash([templates_hash("claims_"), _schema()], 16)


def _claims(listed: object, reply: str) -> Split:
    if not isinstance(listed, list):
        return Unreadable(Cause.NO_VERDICT, "the member 'claims' is no list")
    if len(listed) > MOST_CLAIMS:
        return Unreadable(Cause.OUT_OF_RANGE, f"{len(listed)} claims; at most {MOST_CLAIMS} are checked")
    claims: dict[str, Claim] = {}
    for entry in listed:
        text = entry.get("claim") if isinstance(entry, dict) else entry
        quote = entry.get("quote") if isinstance(entry, dict) else None
        if not isinstance(text, str) or not text.strip():
            return Unreadable(Cause.NO_VERDICT, "a claim in the list has no text")
        words = clean(quote).strip() if isinstance(quote, str) else ""
        said = clean(text).strip()[:_LONGEST]
        claims.setdefault(said, Claim(said, words[:_LONGEST], not words or holds(reply, words)))
    return tuple(claims.values())


def _schema() -> dict[str, Json]:
    claim: dict[str, Json] = {
        "type": "object",
        "properties": {"quote": {"type": "string"}, "claim": {"type": "string"}},
        "required": ["quote", "claim"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {"claims": {"type": "array", "items": claim}},
        "required": ["claims"],
        "additionalProperties": False,
    }
