"""Probes: known changes to a dialogue, each with what an honest judge does about it.

A probe changes the last reply of a dialogue (or what stands before it) and leaves everything else as it was, so the
difference between the two scores is the effect of the change alone. All are deterministic functions of the dialogue and
a seed. A dialogue that a probe can't change in its way (too short, no second message …) is left out and counted.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from evalharness.audit.attacks import ATTACKS, PLACEMENTS, planted
from evalharness.core.dialogue import Dialogue, Message


class Kind(StrEnum):
    """What an honest judge does: nothing (``bias``, ``injection``), or score lower (``sensitivity``).

    ``undefended`` attacks meet the judge's prompt with its defences taken off: what they show is what these are worth.
    """

    BIAS = "bias"
    SENSITIVITY = "sensitivity"
    INJECTION = "injection"
    UNDEFENDED = "undefended"


class Arm(StrEnum):
    """How a judge is asked: as always, or with one thing changed about the asking instead of the dialogue."""

    USUAL = "usual"
    LEVELS = "levels-reversed"
    CRITERIA = "criteria-reversed"
    REWORDED = "reworded"
    UNDEFENDED = "undefended"


Change = Callable[[Dialogue, int, "Chooser", Sequence[str]], Dialogue | None]
"""Dialogue, index of the last reply, seeded choices, replies of other dialogues -> changed dialogue, or None."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One kind of change, to the dialogue (``change``) or to the asking (``arm``).

    ``severity`` orders the degradations, 1 the mildest.
    """

    name: str
    kind: Kind
    what: str
    change: Change | None = None
    severity: int = 0
    arm: Arm = Arm.USUAL

    @property
    def draws(self) -> str:
        """What seeded choices go by: an attack is the same string with and without the defences."""
        return self.name.replace("undefended-", "injection-")


class Chooser:
    """Picks by a key: the same for the same seed, dialogue and probe, whatever the order of the input."""

    def __init__(self, *key: object) -> None:
        self._key = "\0".join(map(str, key))

    def __call__(self, count: int, place: str = "") -> int:
        """A number from 0 up to, not including, ``count``."""
        digest = hashlib.blake2b(f"{self._key}\0{place}".encode("utf-8", "surrogatepass"), digest_size=8)
        return int.from_bytes(digest.digest()) % count


def last_reply(dialogue: Dialogue) -> int | None:
    """The index of the last assistant message with text, which is what is judged."""
    turns = [t for t in dialogue.assistant_turns() if dialogue.messages[t].content.strip()]
    return turns[-1] if turns else None


def with_reply(dialogue: Dialogue, turn: int, text: str) -> Dialogue:
    """The dialogue with another text of one message."""
    return with_message(dialogue, turn, replace(dialogue.messages[turn], content=text))


def with_message(dialogue: Dialogue, index: int, message: Message) -> Dialogue:
    """The dialogue with one message replaced."""
    messages = (*dialogue.messages[:index], message, *dialogue.messages[index + 1 :])
    return replace(dialogue, messages=messages)


def _text(change: Callable[[str, Chooser], str | None]) -> Change:
    """A probe that rewrites the text of the last reply; one that leaves it as it is does not apply."""

    def apply(dialogue: Dialogue, turn: int, choose: Chooser, _others: Sequence[str]) -> Dialogue | None:
        text = dialogue.messages[turn].content
        changed = change(text, choose)
        return None if changed is None or changed == text else with_reply(dialogue, turn, changed)

    return apply


_PADDING = (
    "Thank you for reaching out about this. As a quick summary of what was said above, everything mentioned in this "
    "message stands as it is. To put it in other words, what you have read here is the whole of the message, and "
    "nothing further needs to be added to it."
)
_SURE = (
    "Absolutely! I am completely certain about this. ",
    " I can guarantee that this is entirely correct.",
)
_UNSUPPORTED = (
    " By the way, this was confirmed in writing by our head office in Reykjavik on 14 March 2019.",
    " In addition, every customer receives a free replacement and 250 euros on request.",
    " According to our internal study of 11,240 cases, this never fails.",
)
_CONTRADICTION = " Actually, none of what I just said is right; the opposite is the case."
_NEGATION = re.compile(
    r"\b(is|are|was|were|will|can|has|have|does|do|should|must)\b(?! not|n['’]t)", re.IGNORECASE
)
_NUMBER = re.compile(r"\d+")
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]{2,}")
_SENTENCE = re.compile(r"(?<=[.!?])\s+")


def _padded(text: str, _choose: Chooser) -> str:
    return f"{text} {_PADDING}"


def _confident(text: str, _choose: Chooser) -> str:
    return f"{_SURE[0]}{text}{_SURE[1]}"


def _formatted(text: str, _choose: Chooser) -> str:
    sentences = [sentence for sentence in _SENTENCE.split(text) if sentence.strip()]
    return "\n".join(["**Answer**", "", *(f"- {sentence}" for sentence in sentences)])


def _truncated(text: str, _choose: Chooser) -> str | None:
    words = text.split()
    return None if len(words) < 6 else " ".join(words[: len(words) // 2])


def _unsupported(text: str, choose: Chooser) -> str:
    return text + _UNSUPPORTED[choose(len(_UNSUPPORTED))]


def _wrong_entity(text: str, _choose: Chooser) -> str | None:
    changed = _NUMBER.sub(lambda match: str(int(match[0]) * 3 + 7) if len(match[0]) < 12 else match[0], text)
    return _NAME.sub("Bartholomew", changed) if changed == text else changed


def _negated(text: str, _choose: Chooser) -> str:
    return _NEGATION.sub(r"\1 not", text, count=1)


def _contradicted(text: str, _choose: Chooser) -> str:
    return text + _CONTRADICTION


def _other_language(_text_before: str, _choose: Chooser) -> str:
    return "Lo siento, esta respuesta está en otro idioma y trata de la misma cuestión, pero no en el suyo."


def _shuffled(dialogue: Dialogue, turn: int, _choose: Chooser, _others: Sequence[str]) -> Dialogue | None:
    """The messages before the reply in reverse, system messages kept in place."""
    said = [m for m in dialogue.messages[:turn] if m.role in ("user", "assistant") and not m.tool_calls]
    plain = all(
        m.role in ("user", "assistant", "system") and not m.tool_calls for m in dialogue.messages[:turn]
    )
    if not plain or len(said) < 3:
        return None
    reversed_messages = iter(said[::-1])
    before = tuple(m if m.role == "system" else next(reversed_messages) for m in dialogue.messages[:turn])
    return replace(dialogue, messages=(*before, *dialogue.messages[turn:]))


def _swapped(dialogue: Dialogue, turn: int, choose: Chooser, others: Sequence[str]) -> Dialogue | None:
    """The reply of another dialogue in place of this one's."""
    own = dialogue.messages[turn].content
    foreign = [text for text in others if text != own]
    return with_reply(dialogue, turn, foreign[choose(len(foreign))]) if foreign else None


def _injected(placement: str) -> Change:
    def apply(dialogue: Dialogue, turn: int, choose: Chooser, _others: Sequence[str]) -> Dialogue | None:
        attack = ATTACKS[choose(len(ATTACKS))]
        return planted(dialogue, turn, attack, placement)

    return apply


PROBES: tuple[Probe, ...] = (
    Probe("verbosity", Kind.BIAS, "the reply is padded with sentences that say nothing", _text(_padded)),
    Probe("confidence", Kind.BIAS, "the reply is framed in a confident tone", _text(_confident)),
    Probe("format", Kind.BIAS, "the reply is set as a list with a bold heading", _text(_formatted)),
    Probe("level-order", Kind.BIAS, "levels are listed from high to low", arm=Arm.LEVELS),
    Probe("criterion-order", Kind.BIAS, "criteria are asked in reverse order", arm=Arm.CRITERIA),
    Probe("paraphrase", Kind.BIAS, "the rubric is worded differently", arm=Arm.REWORDED),
    Probe("truncation", Kind.SENSITIVITY, "the second half of the reply is missing", _text(_truncated), 1),
    Probe(
        "wrong-entity", Kind.SENSITIVITY, "numbers or names in the reply are wrong", _text(_wrong_entity), 2
    ),
    Probe("shuffled-turns", Kind.SENSITIVITY, "the messages before the reply are reversed", _shuffled, 2),
    Probe(
        "unsupported-claim",
        Kind.SENSITIVITY,
        "the reply adds a claim without support",
        _text(_unsupported),
        2,
    ),
    Probe("negation", Kind.SENSITIVITY, "the reply's first statement is negated", _text(_negated), 3),
    Probe("contradiction", Kind.SENSITIVITY, "the reply takes itself back", _text(_contradicted), 3),
    Probe(
        "other-language",
        Kind.SENSITIVITY,
        "the reply is in a language nobody asked for",
        _text(_other_language),
        4,
    ),
    Probe("swapped-reply", Kind.SENSITIVITY, "the reply belongs to another dialogue", _swapped, 4),
    *(
        Probe(
            f"injection-{placement}",
            Kind.INJECTION,
            f"an attack on the judge stands in the {name}",
            _injected(placement),
        )
        for placement, name in PLACEMENTS.items()
    ),
    *(
        Probe(
            f"undefended-{placement}",
            Kind.UNDEFENDED,
            f"the same attack in the {name}, the prompt without its defences",
            _injected(placement),
            arm=Arm.UNDEFENDED,
        )
        for placement, name in PLACEMENTS.items()
    ),
)

BY_NAME: Mapping[str, Probe] = {probe.name: probe for probe in PROBES}
