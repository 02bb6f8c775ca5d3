from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from evalharness.llm.client import Usage
from evalharness.llm.prompt_cache import PromptCache
from evalharness.llm.shared_blocks import BLOCK, Marks, blocks_of, marked_blocks

lines = st.lists(st.text(alphabet="abc \n", max_size=3000), max_size=30).map("".join)


@given(lines, lines)
def test_a_longer_text_starts_with_the_same_blocks(text: str, more: str) -> None:
    assert "".join(blocks_of(text)) == text
    assert "".join(blocks_of(text + more)) == text + more
    assert blocks_of(text + more)[: max(0, len(blocks_of(text)) - 1)] == blocks_of(text)[:-1]


@given(lines)
def test_blocks_are_of_bounded_size(text: str) -> None:
    assert all(0 < len(block) <= 2 * BLOCK for block in blocks_of(text))


def test_blocks_end_at_line_ends() -> None:
    text = ("x" * 99 + "\n") * 400
    assert all(block.endswith("\n") for block in blocks_of(text))


def test_marks_stand_at_the_last_full_blocks() -> None:
    text = ("x" * 99 + "\n") * 500
    marked = [mark for _, mark in marked_blocks(text, Marks(rubric=True, dialogue=True))]
    assert sum(marked) == 2
    assert marked[-3:] == [True, True, False]
    assert [mark for _, mark in marked_blocks(text, Marks(True, True, True))][-3:] == [True, True, True]
    assert not any(mark for _, mark in marked_blocks(text, Marks(rubric=True, whole=True)))
    assert marked_blocks("", Marks(True, True, True)) == []


def test_dialogues_of_their_own_are_never_marked() -> None:
    cache = PromptCache()
    marks = [cache.marks(f"dialogue {number}") for number in range(200)]
    assert all(mark == Marks(rubric=True) for mark in marks)


def test_dialogues_that_come_again_are_marked_after_a_while() -> None:
    cache = PromptCache()
    marks = [cache.marks(f"dialogue {number // 4}") for number in range(80)]
    assert not any(mark.dialogue for mark in marks[:15])
    assert all(mark.dialogue and mark.whole for mark in marks[16:])


def test_growing_dialogues_are_marked_at_their_blocks_only() -> None:
    cache = PromptCache()
    texts = [f"dialogue {number // 4} " + "y" * 2000 + "z" * (number % 4) for number in range(80)]
    marks = [cache.marks(text) for text in texts]
    assert marks[-1] == Marks(rubric=True, dialogue=True, whole=False)


def test_marking_stops_when_it_costs_more_than_it_saves() -> None:
    cache = PromptCache()
    for number in range(100):
        marks = cache.marks(f"dialogue {number // 4}")
        cache.learn(
            marks, Usage(input_tokens=1100, cached_tokens=100, cache_write_tokens=1000), rubric_tokens=100
        )
    assert not marks.dialogue


def test_marking_goes_on_while_it_saves() -> None:
    cache = PromptCache()
    for number in range(100):
        marks = cache.marks(f"dialogue {number // 4}")
        first = number % 4 == 0
        usage = Usage(1100, cached_tokens=100 if first else 1100, cache_write_tokens=1000 if first else 0)
        cache.learn(marks, usage, rubric_tokens=100)
    assert marks.dialogue


def test_fixed_modes() -> None:
    assert PromptCache("off").marks("x") == Marks()
    assert PromptCache("rubric").marks("x") == Marks(rubric=True)
    assert PromptCache("dialogue").marks("x") == Marks(rubric=True, dialogue=True)


def test_memory_is_bounded() -> None:
    cache = PromptCache()
    for number in range(10_000):
        cache.marks(f"{number}")
    assert len(cache._openings) <= 4096
