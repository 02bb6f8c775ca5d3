"""The hash of a request: put together around a frame, it is that of the whole request's canonical JSON."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from evalharness.core.canonical import canonical_json, sha256_text
from evalharness.llm.client import Request, Sampling

requests = st.builds(
    Request,
    system=st.text(max_size=9),
    shared=st.text(max_size=9),
    ask=st.text(max_size=9),
    schema=st.none() | st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=3), max_size=2),
    labels=st.lists(st.text(max_size=3), max_size=2).map(tuple),
    max_tokens=st.integers(1, 9),
    logprobs=st.booleans(),
    sampling=st.builds(
        Sampling,
        temperature=st.none() | st.sampled_from([0, 0.0, 1, 1.0, 0.5]),
        top_p=st.none() | st.sampled_from([1, 1.0]),
        seed=st.none() | st.integers(0, 2),
        effort=st.none() | st.just("low"),
    ),
)


def _whole(request: Request) -> str:
    wishes = request.sampling
    return sha256_text(
        canonical_json(
            {
                "system": request.system, "shared": request.shared, "ask": request.ask,
                "schema": request.schema, "labels": list(request.labels), "max_tokens": request.max_tokens,
                "logprobs": request.logprobs,
                "sampling": [wishes.temperature, wishes.top_p, wishes.seed, wishes.effort],
            }
        )
    )  # fmt: skip


@given(requests)
def test_the_hash_is_that_of_everything_that_is_sent(request: Request):
    assert request.content_hash() == _whole(request)


def test_the_fence_is_left_out():
    one, other = (Request("s", f"begins #{mark}", f"see #{mark}", fence=mark) for mark in ("ab12", "cd34"))
    assert (
        one.content_hash() == other.content_hash() == _whole(Request("s", "begins #<fence>", "see #<fence>"))
    )
