"""What an item lacks that a criterion needs: then it is skipped, with the reason."""

from __future__ import annotations

from evalharness.core.dialogue import Item
from evalharness.core.rubric import Criterion, Need, Rubric
from evalharness.core.scores import Skip, SkipReason


def nothing_to_judge(item: Item) -> Skip | None:
    """The skip for a dialogue in which the assistant says and does nothing; an empty reply is judgeable."""
    if any(message.role == "assistant" for message in item.dialogue.messages):
        return None
    return Skip(SkipReason.NOTHING_TO_JUDGE, "the dialogue has no message of the assistant")


def askable(item: Item, rubric: Rubric) -> tuple[list[Criterion], dict[str, Skip]]:
    """The criteria that can be asked about an item, and the skips of the others by id."""
    asked: list[Criterion] = []
    skipped: dict[str, Skip] = {}
    for criterion in rubric.criteria:
        skip = nothing_to_judge(item) or unmet_need(item, criterion)
        if skip is None:
            asked.append(criterion)
        else:
            skipped[criterion.id] = skip
    return asked, skipped


def unmet_need(item: Item, criterion: Criterion) -> Skip | None:
    """The skip for the first need of the criterion that the item does not meet; None when all are met."""
    for need in criterion.needs:
        skip = _unmet(item, need)
        if skip is not None:
            return skip
    return None


def _unmet(item: Item, need: Need) -> Skip | None:
    match need:
        case Need.CONTEXT:
            return None if item.context else Skip(SkipReason.NO_CONTEXT)
        case Need.REFERENCES:
            return None if item.references else Skip(SkipReason.NO_REFERENCE)
        case Need.TOOLS:
            return None if _has_tools(item) else Skip(SkipReason.NO_TOOLS)
        case Need.HISTORY:
            return None if _has_history(item) else Skip(SkipReason.NO_HISTORY)


def _has_tools(item: Item) -> bool:
    """Tools are declared, or one was called up to here."""
    messages = item.history if item.turn is None else (*item.history, item.message)
    return bool(item.dialogue.tools) or any(message.tool_calls for message in messages)


def _has_history(item: Item) -> bool:
    """Something was said before the turn; in a dialogue there is more than one message. Instructions don't count."""
    said = sum(message.role != "system" for message in item.history)
    return said > (1 if item.turn is None else 0)
