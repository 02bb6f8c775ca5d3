"""The one reader of judges' replies, live or recorded: from text to an answer per criterion, or a named cause.

A pure function of its arguments, linear in the length of the text. What could be mistaken is not read: a reply with
two different verdicts, a value off the scale, or a verdict that is copied from the dialogue gives a cause, never a
value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property

from evalharness.core.rubric import Criterion
from evalharness.core.scores import Cause
from evalharness.judges.answers import Answer, TooManyError, Unreadable, Verdict, answer_of, squeezed
from evalharness.judges.schema import answer_keys
from evalharness.judges.verdict_json import (
    JsonReply,
    answer_in,
    is_object,
    json_objects,
    member_text,
    names,
    value_start,
)
from evalharness.judges.verdict_text import Found, find_bare, find_leading, find_marked, find_sentences
from evalharness.llm.client import Finish

_FINISHES = {
    Finish.LENGTH: Unreadable(Cause.TRUNCATED, "the answer was cut off at the token limit"),
    Finish.REFUSAL: Unreadable(Cause.REFUSAL, "the model refused to answer"),
    Finish.FILTERED: Unreadable(Cause.FILTERED, "the provider's content filter withheld the answer"),
}
_EMPTY = Unreadable(Cause.EMPTY, "the reply is empty")
_NOTHING = Unreadable(Cause.NO_VERDICT, "the reply gives no verdict that can be read with certainty")
_VERY_MANY = Unreadable(Cause.TWO_VERDICTS, "the reply holds very many JSON objects")
_COPIED = Unreadable(Cause.NO_VERDICT, "the only verdict in the reply is copied from the dialogue")
_REFUSED = Unreadable(Cause.REFUSAL, "the reply declines to answer")
_ESCAPE = re.compile(r"<U\+([0-9A-F]{4,6})>|\\x[0-9a-f]{2}")
_REFUSAL = re.compile(
    r"\W{0,4}(?:i['’]?m (?:really |very )?sorry|i am sorry|sorry,|i can['’]?t|i cannot|i can not"
    r"|i(?:['’]m| am) (?:unable|not able)|i won['’]t|i must decline|i apologi[sz]e|as an ai\b)",
    re.IGNORECASE,
)


class Shown:
    """What the judge was shown, so that verdicts copied out of it are told from its own."""

    def __init__(self, text: str | Callable[[], str] = "") -> None:
        self._text = text

    @cached_property
    def _raw(self) -> str:
        return self._text if isinstance(self._text, str) else self._text()

    @cached_property
    def _squeezed(self) -> tuple[str, ...]:
        text = self._raw
        if _ESCAPE.search(text) is None:
            return (squeezed(text),)
        return (squeezed(text), squeezed(_ESCAPE.sub("", text)), squeezed(_ESCAPE.sub(_tag_letter, text)))

    @cached_property
    def braced(self) -> bool:
        """Whether what was shown has a brace, without which it holds no JSON object."""
        text = self._raw
        if text.isascii() and "{" not in text and _ESCAPE.search(text) is None:
            return False
        return any("{" in text for text in self._squeezed)

    def holds(self, fragment: str) -> bool:
        """Whether the fragment stands in what was shown: whitespace, escapes, case and hidden characters aside."""
        needle = squeezed(fragment)
        return bool(needle) and any(needle in text for text in self._squeezed)


def _tag_letter(escape: re.Match[str]) -> str:
    """The ASCII letter that a tag character (U+E0020 to U+E007E) hides; nothing for other escapes."""
    code = int(escape.group(1) or "0", 16) - 0xE0000
    return chr(code) if 0x20 <= code < 0x7F else ""


def read_answers(
    text: str,
    criteria: Sequence[Criterion],
    *,
    finish: Finish = Finish.STOP,
    shown: Shown | None = None,
    structured: bool = False,
    places: bool = False,
) -> dict[str, Answer]:
    """What a reply answers, by criterion id; every criterion has an entry.

    ``structured``: JSON was asked for, so prose counts only where a mark like ``Rating:`` stands before the verdict.
    ``places``: find out where values stand in JSON too (in prose that is always known).
    """
    shown = shown or Shown()
    unusable = unusable_reply(finish, text)
    if unusable is not None:
        return dict.fromkeys([criterion.id for criterion in criteria], unusable)
    keys = answer_keys(criteria)
    alone = len(criteria) == 1
    try:
        replies = json_objects(text)
    except TooManyError:
        return dict.fromkeys(keys, _VERY_MANY)
    objects = [reply for reply in replies if any(names(reply, key, alone=alone) for key in keys.values())]
    if objects:
        prose = _without(text, objects)
        answers = {c.id: _from_json(objects, prose, c, keys[c.id], alone, shown) for c in criteria}
        return _placed(answers, objects, keys, alone) if places else answers
    return {c.id: _from_prose(text, c, alone, shown, structured) for c in criteria}


def unusable_reply(finish: Finish, text: str) -> Unreadable | None:
    """Why a reply can't be read at all: how it ended, or that it is empty; None if it can."""
    return _FINISHES.get(finish) or (None if text.strip() else _EMPTY)


def _from_json(
    objects: Sequence[JsonReply], prose: str, criterion: Criterion, key: str, alone: bool, shown: Shown
) -> Answer:
    if len(objects) == 1 and not prose:
        return _only(objects[0], criterion, key, alone, shown)
    naming = [reply for reply in objects if names(reply, key, alone=alone)]
    if not naming:
        return _not_named(key)
    own = [reply for reply in naming if not _copied(reply, key, shown)]
    if not own:
        return _COPIED
    answers = [answer_in(reply, criterion, key) for reply in own]
    marked = _read(find_marked(prose, criterion, alone=alone), criterion, shown) if prose else None
    said = [*answers, *([marked] if isinstance(marked, Verdict) else [])]
    values = {answer.value if isinstance(answer, Verdict) else None for answer in said}
    if len(values) > 1:
        return Unreadable(Cause.TWO_VERDICTS, "the reply gives more than one verdict")
    return answers[-1]


def _only(reply: JsonReply, criterion: Criterion, key: str, alone: bool, shown: Shown) -> Answer:
    """What the one object says that is the whole reply, as most are."""
    if not names(reply, key, alone=alone):
        return _not_named(key)
    return _COPIED if _copied(reply, key, shown) else answer_in(reply, criterion, key)


def _not_named(key: str) -> Unreadable:
    return Unreadable(Cause.NO_VERDICT, f"the reply has no member {key!r}")


def _copied(reply: JsonReply, key: str, shown: Shown) -> bool:
    """Whether the criterion's member stands in what was shown; its text is only made where that can be."""
    return (shown.braced or not is_object(reply, key)) and shown.holds(member_text(reply, key))


def _placed(
    answers: dict[str, Answer], objects: Sequence[JsonReply], keys: dict[str, str], alone: bool
) -> dict[str, Answer]:
    """The verdicts with the place of their value in the last object that gives one."""
    placed = dict(answers)
    for name, answer in answers.items():
        if isinstance(answer, Verdict):
            last = [reply for reply in objects if names(reply, keys[name], alone=alone)][-1]
            placed[name] = replace(answer, start=value_start(last, keys[name]))
    return placed


def _without(text: str, objects: Sequence[JsonReply]) -> str:
    pieces, position = [], 0
    for reply in objects:
        pieces.append(text[position : reply.start])
        position = reply.start + len(reply.text)
    return "\n".join([*pieces, text[position:]]).strip()


def _from_prose(text: str, criterion: Criterion, alone: bool, shown: Shown, structured: bool) -> Answer:
    bare = find_bare(text, criterion) if alone and not structured else None
    if bare is not None:
        return _answer(bare, criterion)
    answer = _read(find_marked(text, criterion, alone=alone), criterion, shown)
    if answer is None and alone and not structured:
        answer = _read(find_leading(text, criterion), criterion, shown)
        answer = answer or _read(find_sentences(text, criterion), criterion, shown)
    if answer is None:
        return _REFUSED if _REFUSAL.match(text.lstrip()[:200]) else _NOTHING
    return answer


def _read(found: Sequence[Found], criterion: Criterion, shown: Shown) -> Answer | None:
    """The answer that all tokens agree on, copies aside; None when there are none."""
    if not found:
        return None
    own = [token for token in found if not shown.holds(token.mark)]
    if not own:
        return _COPIED
    if not any(token.firm for token in own):
        return None
    if len({token.fit for token in own}) > 1:
        texts = " and ".join(dict.fromkeys(token.text for token in own[:3]))
        return Unreadable(Cause.TWO_VERDICTS, f"the reply gives more than one verdict ({texts[:80]})")
    return _answer(own[-1], criterion)


def _answer(found: Found, criterion: Criterion) -> Answer:
    answer = answer_of(criterion, found.fit, found.text)
    return Verdict(answer.value, start=found.start) if isinstance(answer, Verdict) else answer
