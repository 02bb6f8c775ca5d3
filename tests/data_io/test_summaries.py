from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from evalharness.data.summaries import Histogram, Lengths, NameCounter, Names


@given(st.lists(st.sampled_from("abc")))
def test_names_are_counted_and_ranked(names: list[str]) -> None:
    counter = NameCounter()
    counter.add(*names)
    assert dict(counter.names().counts) == Counter(names)
    assert list(counter.names().counts) == sorted(
        counter.names().counts, key=lambda pair: (-pair[1], pair[0])
    )
    assert counter.names().total == len(names)
    assert len(counter) == len(set(names))


def test_names_beyond_the_cap_are_pooled() -> None:
    counter = NameCounter()
    counter.add(*map(str, range(Names.MOST + 50)), "0")
    names = counter.names()
    assert (len(names.counts), names.more, names.total) == (Names.MOST, 50, Names.MOST + 51)
    assert names.counts[0] == ("0", 2)


def test_a_long_name_is_cut() -> None:
    counter = NameCounter()
    counter.add("x" * 100_000)
    assert counter.names().counts == (("x" * 119 + "…", 1),)


@given(st.lists(st.integers(0, 999), min_size=1))
def test_short_lengths_are_exact(lengths: list[int]) -> None:
    histogram = Histogram()
    for length in lengths:
        histogram.add(length)
    ranked = sorted(lengths)
    found = histogram.lengths()
    assert (found.count, found.least, found.greatest) == (len(ranked), ranked[0], ranked[-1])
    assert found.mean == sum(ranked) / len(ranked)
    assert found.median == ranked[(len(ranked) - 1) // 2]


@given(st.lists(st.integers(0, 10**9), min_size=1))
def test_long_lengths_are_right_to_three_digits(lengths: list[int]) -> None:
    histogram = Histogram()
    for length in lengths:
        histogram.add(length)
    exact = sorted(lengths)[(len(lengths) - 1) // 2]
    found = histogram.lengths().median
    assert found <= exact < found * 1.01 + 1


def test_no_lengths_at_all() -> None:
    assert Histogram().lengths() == Lengths(0, 0, 0.0, 0, 0, 0)
