"""Results as JSON and back."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from evalharness.core import scorejson
from evalharness.core.scores import Cause, Evidence, Failure, Result, Score, Skip, SkipReason, status_of

_values = st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5)
_samples = st.lists(_values | st.sampled_from(Cause), max_size=3).map(tuple)
_scores = st.builds(
    Score,
    value=_values,
    probabilities=st.none() | st.dictionaries(st.text(max_size=3), st.floats(0, 1), max_size=3),
    samples=_samples,
    rationale=st.none() | st.text(max_size=10),
    evidence=st.lists(
        st.builds(
            Evidence, message=st.none() | st.integers(0, 9), quote=st.text(max_size=5), found=st.booleans()
        ),
        max_size=2,
    ).map(tuple),
    stats=st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=3).map(tuple),
)
_failures = st.builds(Failure, cause=st.sampled_from(Cause), detail=st.text(max_size=5), samples=_samples)
_skips = st.builds(Skip, reason=st.sampled_from(SkipReason), detail=st.text(max_size=5))


@given(_scores | _failures | _skips)
def test_results_survive_the_way_through_json(result: Result):
    assert scorejson.from_json(json.loads(json.dumps(scorejson.to_json(result)))) == result


def test_the_three_outcomes_have_names():
    assert status_of(Score(1.0)) == "scored"
    assert status_of(Failure(Cause.EMPTY)) == "failed"
    assert status_of(Skip(SkipReason.NO_CONTEXT)) == "skipped"
