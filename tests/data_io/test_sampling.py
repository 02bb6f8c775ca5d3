from collections import Counter
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.core.dialogue import Dialogue, Message
from evalharness.data.dialogues import Origin, Read
from evalharness.data.sampling import MAX_STRATA, PROBABILITY, STRATUM, Allocation, draw
from evalharness.errors import InputError, UsageError


def made(*systems: str) -> list[Read]:
    """A dialogue for each system, with ids d0, d1 …"""
    return [
        Read(
            Dialogue(
                f"d{number}", (Message("assistant", "x"),), metadata={"system": system} if system else {}
            ),
            Origin("f", number + 1),
        )
        for number, system in enumerate(systems)
    ]


POPULATION = made(*["a"] * 60, *["b"] * 30, *["c"] * 9, "")


def drawn_ids(**options) -> list[str]:
    return [read.dialogue.id for read in draw(POPULATION, 20, **options).reads]


def test_the_seed_decides_and_the_order_of_rows_does_not() -> None:
    backwards = [read.dialogue.id for read in draw(POPULATION[::-1], 20, seed=5, by="system").reads]
    assert drawn_ids(seed=5, by="system") == backwards
    assert drawn_ids(seed=5) != drawn_ids(seed=6)
    assert len(set(drawn_ids(seed=5))) == 20


def test_every_dialogue_is_drawn_equally_often() -> None:
    counts: Counter[str] = Counter()
    for seed in range(400):
        counts.update(drawn_ids(seed=seed))
    assert sum(counts.values()) == 400 * 20
    # 400 draws with p = .2: mean 80, standard deviation 8; 5.5 of them for the worst of a hundred
    assert all(36 <= counts[read.dialogue.id] <= 124 for read in POPULATION)


def test_without_strata_the_probability_is_the_share() -> None:
    sample = draw(POPULATION, 25)
    assert {read.dialogue.metadata[PROBABILITY] for read in sample.reads} == {0.25}
    assert all(STRATUM not in read.dialogue.metadata for read in sample.reads)
    assert [(s.name, s.population, s.drawn, s.probability) for s in sample.strata] == [("", 100, 25, 0.25)]


def test_proportional_strata() -> None:
    sample = draw(POPULATION, 20, by="system")
    assert [(s.name, s.population, s.drawn) for s in sample.strata] == [
        ("(none)", 1, 1),
        ("a", 60, 11),
        ("b", 30, 6),
        ("c", 9, 2),
    ]
    for read in sample.reads:
        stratum = next(s for s in sample.strata if s.name == read.dialogue.metadata[STRATUM])
        assert read.dialogue.metadata[PROBABILITY] == stratum.probability
        assert read.dialogue.metadata.get("system", "(none)") == stratum.name


def test_even_strata_give_what_small_ones_lack_to_the_others() -> None:
    sample = draw(POPULATION, 40, by="system", allocation=Allocation.EQUAL)
    assert {s.name: s.drawn for s in sample.strata} == {"(none)": 1, "c": 9, "b": 15, "a": 15}


@given(
    st.dictionaries(st.sampled_from("abcdefg"), st.integers(1, 12), min_size=1),
    st.integers(1, 60),
    st.sampled_from(list(Allocation)),
)
def test_shares_add_up_and_fit(sizes: dict[str, int], size: int, allocation: Allocation) -> None:
    population = made(*(name for name, count in sizes.items() for _ in range(count)))
    sample = draw(population, size, by="system", allocation=allocation)
    assert len(sample.reads) == sum(s.drawn for s in sample.strata) == min(size, len(population))
    assert {s.name: s.population for s in sample.strata} == sizes
    assert all(s.drawn <= s.population for s in sample.strata)
    if size >= len(sizes):
        assert all(s.drawn for s in sample.strata)
    weights = sum(1 / read.dialogue.metadata[PROBABILITY] for read in sample.reads)  # type: ignore[operator]
    if size >= len(sizes):
        assert weights == pytest.approx(len(population))  # Horvitz-Thompson


def test_a_second_sample_multiplies_the_probabilities() -> None:
    first = draw(POPULATION, 50, seed=1)
    second = draw(first.reads, 10, seed=2)
    assert {read.dialogue.metadata[PROBABILITY] for read in second.reads} == {0.1}


def test_a_sample_of_everything_has_probability_one() -> None:
    sample = draw(POPULATION, 1000)
    assert len(sample.reads) == 100
    assert {read.dialogue.metadata[PROBABILITY] for read in sample.reads} == {1.0}


def test_strata_by_group() -> None:
    reads = [
        Read(Dialogue(f"d{n}", (Message("user", "x"),), group=f"g{n % 2}"), Origin("f", n + 1))
        for n in range(8)
    ]
    assert {s.name: s.drawn for s in draw(reads, 4, by="group").strata} == {"g0": 2, "g1": 2}


def test_other_metadata_and_the_dialogue_stay_as_they_are() -> None:
    (read,) = draw(made("a"), 1, by="system").reads
    metadata = dict(read.dialogue.metadata)
    assert metadata.pop(PROBABILITY) == 1
    assert metadata.pop(STRATUM) == "a"
    assert (metadata, read.dialogue.messages) == ({"system": "a"}, made("a")[0].dialogue.messages)


def test_what_cannot_be_sampled() -> None:
    with pytest.raises(UsageError, match="at least one"):
        draw(POPULATION, 0)
    with pytest.raises(InputError, match="the id 'd0' is used in f:1, too"):
        draw([*POPULATION, POPULATION[0]], 5)
    with pytest.raises(UsageError, match="more than 1000 values"):
        draw(made(*map(str, range(1, MAX_STRATA + 2))), 5, by="system")
    listed = Read(Dialogue("x", (Message("user", "x"),), metadata={"tags": ["a"]}), Origin("f", 1))
    with pytest.raises(UsageError, match="'tags' of dialogue 'x' is a list"):
        draw([listed], 1, by="tags")


def test_each_order_of_a_small_population_gives_the_same_sample() -> None:
    small = made("a", "a", "b", "")
    samples = {
        tuple(read.dialogue.id for read in draw(order, 2, seed=9, by="system").reads)
        for order in permutations(small)
    }
    assert len(samples) == 1
