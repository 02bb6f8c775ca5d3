"""The diff of two runs: diff.json, diff.html and the summary for the terminal.

``SCHEMA_VERSION`` history: 1 first release.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from evalharness.core.canonical import Json
from evalharness.core.dialogue import Dialogue, Message
from evalharness.core.text import log_safe, one_line
from evalharness.gate.changes import Changes, Delta, Mover
from evalharness.report.figures import number
from evalharness.report.html.assets import DIFF_STYLES, policy, style
from evalharness.report.html.rendering import environment
from evalharness.report.wording import Piece, changed_words

SCHEMA_VERSION = 1
_NAME = 34


@dataclass(frozen=True, slots=True)
class Said:
    """A message as the page shows it, in pieces; ``judged`` marks the reply that the scores are about."""

    role: str
    pieces: Sequence[Piece]
    judged: bool = False


@dataclass(frozen=True, slots=True)
class Move:
    """A mover with both conversations, as far as they are at hand."""

    mover: Mover
    before: Sequence[Said]
    after: Sequence[Said]

    @property
    def title(self) -> str:
        """Which item it is, in words."""
        reply = "" if self.mover.reply is None else f", reply {self.mover.reply}"
        return f"{self.mover.group}{reply}"


def diff_json(found: Changes) -> str:
    """The text of diff.json; equal runs give equal bytes."""
    document: dict[str, Json] = {
        "schema_version": SCHEMA_VERSION,
        "old": found.old,
        "new": found.new,
        "columns": [_delta(delta) for delta in found.deltas],
        "only_old": list(found.only_old),
        "only_new": list(found.only_new),
        "moved": found.moved,
        "movers": [_mover(mover) for mover in found.movers],
    }
    return json.dumps(document, indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def _delta(delta: Delta) -> Json:
    gap = delta.difference
    return {
        "scorer": delta.column.scorer,
        "rubric": delta.column.rubric or None,
        "criterion": delta.column.criterion,
        "instrument_changed": delta.instrument or None,
        "old_mean": delta.old.value,
        "new_mean": delta.new.value,
        "difference": gap.value,
        "se": gap.se,
        "lower": gap.lower,
        "upper": gap.upper,
        "method": gap.method,
        "n": gap.n,
        "groups": gap.groups,
        "paired": gap.paired,
        "undefined": gap.undefined,
        "better": delta.better,
        "worse": delta.worse,
        "newly_failing": delta.newly_failing,
        "newly_passing": delta.newly_passing,
        "without_partner": delta.unpaired.total,
    }


def _mover(mover: Mover) -> Json:
    return {
        "scorer": mover.column.scorer,
        "rubric": mover.column.rubric or None,
        "criterion": mover.column.criterion,
        "group": mover.group,
        "reply": mover.reply,
        "old": {"dialogue": mover.before.dialogue, "turn": mover.before.turn, "value": mover.old},
        "new": {"dialogue": mover.after.dialogue, "turn": mover.after.turn, "value": mover.new},
        "change": mover.change,
        "crossed": mover.crossed or None,
    }


def diff_text(found: Changes) -> str:
    """The summary for a terminal, within 80 columns where names allow."""
    return "\n".join(_lines(found))


def _lines(found: Changes) -> Iterator[str]:
    yield log_safe(f"{found.old} → {found.new}: {found.moved:,} scores moved")
    for delta in found.deltas:
        if delta.instrument:
            name = f"{delta.column.criterion} · {delta.column.scorer}"
            yield f"NOT COMPARABLE  {one_line(name, 60)}: {one_line(delta.instrument, 200)}"
    for names, where in ((found.only_old, found.old), (found.only_new, found.new)):
        if names:
            yield f"only in {one_line(where, 40)}: {one_line(', '.join(names), 200)}"
    width = max([9, *(len(one_line(criterion_of(delta), _NAME)) for delta in found.deltas)])
    yield f"{'criterion':<{width}} {'old':>6} {'new':>6}  {'change [95 % each side]':<24} fails passes"
    for delta in found.deltas:
        name = one_line(criterion_of(delta), _NAME)
        shown = number(None) if delta.difference.value is None else change_of(delta)
        yield (
            f"{name:<{width}} {number(delta.old.value):>6} {number(delta.new.value):>6}  "
            f"{shown:<24} {delta.newly_failing:>5} {delta.newly_passing:>6}"
        )
    for delta in found.deltas:
        if delta.difference.undefined:
            yield f"{one_line(criterion_of(delta), _NAME)}: {delta.difference.undefined}"


def criterion_of(delta: Delta) -> str:
    """The criterion with its judge."""
    name = "overall" if delta.column.criterion == "_overall" else delta.column.criterion
    return f"{name} · {delta.column.scorer}" if delta.column.rubric else name


def change_of(delta: Delta) -> str:
    """The difference with its one-sided bounds; a dash with the reason where there is none."""
    gap = delta.difference
    if gap.value is None:
        return f"– {gap.undefined or ''}".strip()
    sign = "+" if gap.value > 0 else ""
    if gap.lower is None or gap.upper is None:
        return f"{sign}{number(gap.value)}"
    return f"{sign}{number(gap.value)} [{number(gap.lower)}, {number(gap.upper)}]"


def moves_of(found: Changes, old: Mapping[str, Dialogue], new: Mapping[str, Dialogue]) -> list[Move]:
    """The movers with their conversations, changed words marked."""
    moves = []
    for mover in found.movers:
        first, second = old.get(mover.before.dialogue), new.get(mover.after.dialogue)
        before = [] if first is None else _said(first, mover.before.turn)
        after = [] if second is None else _said(second, mover.after.turn)
        moves.append(Move(mover, *_marked(before, after)))
    return moves


def _said(dialogue: Dialogue, turn: int | None) -> list[tuple[Message, bool]]:
    stop = len(dialogue.messages) if turn is None else turn + 1
    return [(message, index == turn) for index, message in enumerate(dialogue.messages[:stop])]


def _marked(
    before: Sequence[tuple[Message, bool]], after: Sequence[tuple[Message, bool]]
) -> tuple[list[Said], list[Said]]:
    """Messages of the same place compared with each other; one without a counterpart is new as a whole."""
    left: list[Said] = []
    right: list[Said] = []
    for place in range(max(len(before), len(after))):
        one = before[place] if place < len(before) else None
        two = after[place] if place < len(after) else None
        old, new = changed_words(_text(one), _text(two))
        if one is not None:
            left.append(Said(one[0].role, old, one[1]))
        if two is not None:
            right.append(Said(two[0].role, new, two[1]))
    return left, right


def _text(said: tuple[Message, bool] | None) -> str:
    if said is None:
        return ""
    calls = [f"{call.name} {call.arguments}" for call in said[0].tool_calls]
    return "\n".join([*([said[0].content] if said[0].content else []), *calls])


def diff_page(found: Changes, moves: Sequence[Move]) -> str:
    """diff.html: one offline page without a script."""
    return (
        environment()
        .get_template("diff.html")
        .render(
            policy=policy(DIFF_STYLES, ()),
            style=Markup(style(DIFF_STYLES)),  # noqa: S704 - our own files, named by their hash in the policy
            found=found,
            moves=moves,
            number=number,
            change_of=change_of,
            criterion_of=criterion_of,
        )
    )
