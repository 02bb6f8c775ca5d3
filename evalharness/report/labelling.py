"""label.html: one offline page in which a rater labels sampled items, blind to judges and systems."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from evalharness.core import native
from evalharness.core.canonical import Json, content_hash
from evalharness.core.dialogue import Item
from evalharness.core.rubric import Criterion, Rubric, Scale
from evalharness.report.html.assets import LABEL_SCRIPTS, LABEL_STYLES, policy, script, style
from evalharness.report.html.island import data_block, packed
from evalharness.report.html.rendering import environment

_SHOWN = ("role", "content", "tool_calls", "context")
_MOST_LEVELS = 9


@dataclass(frozen=True, slots=True)
class Sampled:
    """An item to label and the probability with which it was drawn."""

    item: Item
    probability: float


def label_page(rubric: Rubric, sample: Sequence[Sampled], rater: str = "") -> str:
    """The page for one rater; with a name the page does not ask for one."""
    data: dict[str, Json] = {
        "about": rubric.about,
        "criteria": [_criterion(criterion) for criterion in rubric.criteria],
        "items": [_item(one) for one in sample],
        "rater": rater,
        "slot": rater or "rater",
    }
    data["key"] = content_hash(data, 24)
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return (
        environment()
        .get_template("label.html")
        .render(
            title="Labelling",
            policy=policy(LABEL_STYLES, LABEL_SCRIPTS),
            style=Markup(style(LABEL_STYLES)),  # noqa: S704 - our own file, named by its hash in the policy
            script=Markup(script(LABEL_SCRIPTS)),  # noqa: S704 - the same
            data=Markup(data_block("items", packed(text), is_packed=True)),  # noqa: S704 - base64
        )
    )


def _item(one: Sampled) -> Json:
    """What the rater sees of an item: no name of a system, no metadata, no reference, nothing said after a turn."""
    dialogue = native.to_json(one.item.dialogue)
    messages = dialogue["messages"]
    assert isinstance(messages, list)
    stop = len(messages) if one.item.turn is None else one.item.turn + 1
    return {
        "id": one.item.dialogue.id,
        "turn": one.item.turn,
        "probability": one.probability,
        "goal": dialogue.get("goal"),
        "tools": dialogue.get("tools"),
        "context": dialogue.get("context"),
        "messages": [
            {name: message[name] for name in _SHOWN if name in message}
            for message in messages[:stop]
            if isinstance(message, dict)
        ],
    }


def _criterion(criterion: Criterion) -> Json:
    return {
        "id": criterion.id,
        "question": criterion.question,
        "levels": _levels(criterion),
        "low": criterion.low,
        "high": criterion.high,
        "cannot_assess": criterion.cannot_assess,
    }


def _levels(criterion: Criterion) -> list[Json]:
    """Levels with the value that their label has in the export; none where a number is to be typed."""
    if criterion.scale is Scale.NUMERIC:
        return _numbers(criterion)
    return [
        {
            "label": level.label,
            "text": level.text,
            "value": level.label if level.value is None else level.value,
        }
        for level in criterion.levels
    ]


def _numbers(criterion: Criterion) -> list[Json]:
    low, high = criterion.minimum, criterion.maximum
    if (
        low is None
        or high is None
        or not (low.is_integer() and high.is_integer())
        or high - low >= _MOST_LEVELS
    ):
        return []
    return [{"label": str(n), "text": "", "value": n} for n in range(int(low), int(high) + 1)]
