"""One line on every cause of failure and reason of a skip."""

from __future__ import annotations

from collections.abc import Mapping

MEANINGS: Mapping[str, str] = {
    "no_verdict": "The judge answered, but no verdict could be read from its words.",
    "two_verdicts": "The answer holds two verdicts that contradict each other.",
    "out_of_range": "The verdict is not a value of the scale.",
    "refusal": "The judge declined to answer.",
    "empty": "The judge answered nothing.",
    "truncated": "The answer breaks off before its verdict.",
    "filtered": "The provider's content filter withheld the answer.",
    "timeout": "No answer within the time allowed, tries included.",
    "connection": "The provider could not be reached.",
    "rate_limited": "The provider kept refusing because of its rate limit.",
    "server_error": "The provider kept failing.",
    "protocol": "The provider's answer was not understood.",
    "bad_request": "The provider refused the request.",
    "too_long": "The dialogue does not fit into the judge's window.",
    "auth": "The provider refused the key.",
    "quota": "The account's quota or credit is used up.",
    "model_not_found": "The provider does not know the model.",
    "model_moved": "Another model answers under the name than before.",
    "not_recorded": "The recording holds no answer for this item.",
    "scorer_error": "The scorer itself failed.",
    "incomplete": "A criterion that the overall needs failed.",
    "no_reference": "There is no reference to compare with.",
    "no_context": "There are no context documents.",
    "no_tools": "The dialogue declares and calls no tools.",
    "no_history": "Nothing was said before this turn.",
    "no_earlier_reply": "It is the first reply, so there is no earlier one to compare with.",
    "no_user_turn": "No user message comes before this turn.",
    "cannot_assess": "The judge said that this can't be assessed here.",
    "nothing_to_judge": "There is nothing in it to judge.",
    "pending": "Not scored yet: the same command goes on where the run stopped.",
}


def title_of(cause: str) -> str:
    """A cause or reason as words: ``no_verdict`` is ``no verdict``."""
    return cause.replace("_", " ")
