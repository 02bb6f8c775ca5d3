from __future__ import annotations

import pytest

from evalharness.llm.bodies import MalformedBody
from evalharness.llm.client import Reply
from evalharness.llm.questions import Answered, Kind, Option, Question, confidence, distribution
from evalharness.llm.replyjson import from_json, to_json

LEVELS = Question("q", Kind.SCORE, "How?", tuple(Option(str(level)) for level in range(1, 5)))


def test_rounded_probabilities_are_renormalised():
    answer = distribution(LEVELS, [0.25, 0.25, 0.25, 0.26])
    assert answer.probabilities is not None
    assert sum(answer.probabilities.values()) == pytest.approx(1.0, abs=1e-12)
    assert answer.probabilities["4"] == pytest.approx(0.26 / 1.01)


@pytest.mark.parametrize("given", [[0.5, 0.5], [0.25, 0.25, 0.25, 0.30], [0.2] * 4, [0.0] * 4])
def test_what_is_no_distribution_is_refused(given: list[float]):
    with pytest.raises(MalformedBody):
        distribution(LEVELS, given)


@pytest.mark.parametrize("kind", [Kind.SCORE, Kind.CHOICE])
def test_confidence_runs_from_uniform_to_certain(kind: Kind):
    assert confidence(kind, [0.25] * 4) <= 0.01
    assert confidence(kind, [0.0, 0.0, 1.0, 0.0]) == 1.0


def test_doubt_between_neighbours_counts_less_than_between_ends():
    near, far = [0.0, 0.6, 0.4, 0.0, 0.0], [0.6, 0.0, 0.0, 0.0, 0.4]
    assert confidence(Kind.SCORE, near) > confidence(Kind.SCORE, far)
    assert confidence(Kind.CHOICE, near) == confidence(Kind.CHOICE, far)


def test_answers_survive_the_cache():
    reply = Reply("", answers=(Answered("a", {"1": 0.25, "2": 0.75}), Answered("b", None)))
    assert from_json(to_json(reply)) == reply
    assert "answers" not in to_json(Reply("x"))
