"""A reply of a model to a request: its answers with their checked evidence and their probabilities."""

from __future__ import annotations

from collections.abc import Sequence

from evalharness.core.dialogue import Item
from evalharness.core.rubric import Criterion
from evalharness.judges.aggregate import RAW_LIMIT, Reading
from evalharness.judges.answers import Answer, CannotAssess, Odd, Verdict, answer_of
from evalharness.judges.evidence import checked
from evalharness.judges.probabilities import Distribution, of_labels, of_tokens
from evalharness.judges.prompt import Window
from evalharness.judges.transcript import sources
from evalharness.judges.verdict import Shown, read_answers
from evalharness.llm.client import Finish, Reply, Request


def read_reply(
    reply: Reply,
    request: Request,
    item: Item,
    window: Window,
    criteria: Sequence[Criterion],
    *,
    expectation: bool = True,
) -> dict[str, Reading]:
    """The reading of each criterion.

    A reply to a request for labels that comes with their probabilities is read from these alone, never from its text.
    """
    labels = of_labels(reply.label_probs, reply.label_mass) if request.labels else None
    if labels is not None:
        return {
            criterion.id: _from_labels(criterion, labels, expectation, reply.text) for criterion in criteria
        }
    finish = Finish.REFUSAL if reply.refusal and not reply.text.strip() else reply.finish
    structured = request.schema is not None
    if not structured and finish is Finish.LENGTH:
        finish = Finish.STOP  # a label was asked for in very few tokens: running out of them is expected
    answers = read_answers(
        reply.text,
        criteria,
        finish=finish,
        shown=Shown(request.shared),
        structured=structured,
        places=bool(reply.tokens),
    )
    parts = sources(item, window.span)
    wanted = expectation and (request.logprobs or bool(request.labels))
    return {c.id: _from_text(c, answers[c.id], reply, parts, expectation, wanted) for c in criteria}


def _from_labels(criterion: Criterion, found: Distribution, expectation: bool, raw: str) -> Reading:
    likeliest = max(found.probabilities, key=lambda label: found.probabilities[label])
    fit = found.fit(criterion) if expectation else Distribution({likeliest: 1.0}, 1.0).fit(criterion)
    answer = answer_of(criterion, fit, likeliest)
    return Reading(answer, (), dict(found.probabilities), found.mass, raw[:RAW_LIMIT])


def _from_text(
    criterion: Criterion, answer: Answer, reply: Reply, parts: dict[str, str], expectation: bool, wanted: bool
) -> Reading:
    """``wanted``: probabilities were asked for; a verdict without them is marked, never taken for an expectation."""
    raw = reply.text[:RAW_LIMIT] or reply.refusal[:RAW_LIMIT]
    match answer:
        case Verdict():
            evidence = checked(answer.citations, answer.rationale, parts)
            found = of_tokens(reply.text, reply.tokens, answer.start, criterion) if expectation else None
            if found is None:
                return Reading(answer, evidence, raw=raw, as_written=wanted)
            return Reading(
                _expected(criterion, answer, found), evidence, dict(found.probabilities), found.mass, raw
            )
        case _:
            return Reading(answer, raw=raw)


def _expected(criterion: Criterion, answer: Verdict, found: Distribution) -> Answer:
    """The verdict with the expectation as its value; "cannot assess" where that is the likeliest answer."""
    fit = found.fit(criterion)
    if fit is Odd.CANNOT_ASSESS:
        return CannotAssess(answer.rationale)
    return answer if isinstance(fit, Odd) else Verdict(fit, answer.rationale, answer.citations, answer.start)
