"""Combining verdicts: ties, levels between levels, and the posterior of Dawid and Skene item by item."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.core import scorejson
from evalharness.core.scores import Cause, Failure, Score, Skip, SkipReason
from evalharness.judges.opinion import by_dawid_skene
from evalharness.judges.votes import Combine, combine_votes, disagreement, level_of, members_of
from evalharness.stats.dawid_skene import DawidSkene, fit_dawid_skene
from tests.judges.fakes import binary, ordinal

CANT = Skip(SkipReason.CANNOT_ASSESS)


def voted(*values: float, how: Combine = Combine.MAJORITY):
    votes = {f"m{place}": Score(value) for place, value in enumerate(values)}
    return combine_votes(ordinal(), votes, how, 1)


def test_a_mean_between_levels_votes_for_the_nearest_of_two_the_lower():
    assert [level_of(ordinal(), value) for value in (2.4, 2.5, 2.6, 5.0)] == ["2", "2", "3", "5"]
    assert voted(4.4, 3.6, 1.0).value == 4.0


def test_a_tie_is_no_verdict_and_keeps_what_was_said():
    found = voted(1.0, 5.0)
    assert isinstance(found, Failure)
    assert (found.cause, found.samples) == (Cause.TWO_VERDICTS, (1.0, 5.0))
    assert scorejson.from_json(scorejson.to_json(found)) == found
    assert members_of(found) == {"m0": Score(1.0), "m1": Score(5.0)}


def test_members_that_cannot_tell_are_no_votes():
    votes = {"a": Score(4.0), "b": CANT, "c": CANT}
    assert combine_votes(ordinal(), votes, Combine.MEAN, 1) == replace(
        combine_votes(ordinal(), votes, Combine.MEAN, 1), value=4.0
    )
    found = combine_votes(ordinal(), votes, Combine.MEAN, 2)
    assert found == Skip(SkipReason.CANNOT_ASSESS, "said by 2 of 3 members")
    no_context = Skip(SkipReason.NO_CONTEXT)
    assert combine_votes(ordinal(), dict.fromkeys("ab", no_context), Combine.MEAN, 1) == no_context


def test_the_commonest_cause_is_the_panels():
    votes = {
        "a": Failure(Cause.TIMEOUT),
        "b": Failure(Cause.EMPTY),
        "c": Failure(Cause.TIMEOUT),
        "d": Score(1.0),
    }
    found = combine_votes(ordinal(), votes, Combine.MEAN, 3)
    assert isinstance(found, Failure)
    assert found.cause is Cause.TIMEOUT
    assert found.samples == (Cause.TIMEOUT, Cause.EMPTY, Cause.TIMEOUT, 1.0)


def test_probabilities_are_averaged_where_all_members_have_them():
    sure, torn = Score(1.0, {"no": 0.0, "yes": 1.0}), Score(0.5, {"no": 0.5, "yes": 0.5})
    found = combine_votes(binary(), {"a": sure, "b": torn}, Combine.MEAN, 1)
    assert isinstance(found, Score)
    assert found.probabilities == {"no": 0.25, "yes": 0.75}
    bare = combine_votes(binary(), {"a": sure, "b": Score(0.0)}, Combine.MEAN, 1)
    assert isinstance(bare, Score)
    assert bare.probabilities is None


def test_disagreement_is_a_share_of_the_scale():
    assert disagreement(1.0, 5.0, [1.0, 5.0]) == 1.0
    assert disagreement(1.0, 5.0, [2.0, 2.0, 4.0]) == pytest.approx(1 / 3)
    assert disagreement(None, None, ["cold", "warm", "warm"]) == pytest.approx(2 / 3)
    assert disagreement(0.0, 10.0, [3.0, 4.0]) == pytest.approx(0.1)
    assert disagreement(1.0, 5.0, [3.0]) is None


@given(
    st.lists(
        st.lists(st.one_of(st.none(), st.integers(0, 2)), min_size=3, max_size=3), min_size=4, max_size=12
    )
)
def test_an_items_posterior_is_that_of_the_fitted_model(rows: list[list[int | None]]):
    """What is computed of one item from prevalence and confusion is what the fit says of it, at the last step."""
    spoken = [row for row in rows if any(code is not None for code in row)]
    if len({place for row in spoken for place, code in enumerate(row) if code is not None}) < 3:
        return
    votes = [(i, m, c) for i, row in enumerate(spoken) for m, c in enumerate(row) if c is not None]
    fitted = fit_dawid_skene(*(np.array(column) for column in zip(*votes, strict=True)), classes=3)
    assert isinstance(fitted, DawidSkene)
    opinion = by_dawid_skene("abc", rows, 3)
    for item, row in enumerate(spoken):
        said = {"abc"[m]: "xyz"[c] for m, c in enumerate(row) if c is not None}
        found = opinion.posterior("xyz", said)
        assert list(found.values()) == pytest.approx(fitted.posterior[item].tolist(), abs=1e-6)


def test_without_a_fitted_model_votes_are_counted():
    opinion = by_dawid_skene("abc", [[0, None, None], [1, 0, None]], 2)
    assert "needs at least 3 raters" in opinion.note
    assert opinion.posterior("xy", {"a": "x", "b": "y"}) == {"x": 0.5, "y": 0.5}
