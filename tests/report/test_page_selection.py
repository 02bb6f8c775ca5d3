"""What the page holds when it can't hold everything, and that it takes one pass and bounded memory to choose it."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator

import pytest

from evalharness.core.dialogue import Dialogue, Message
from evalharness.core.scores import Result, Score
from evalharness.data.ledger.store import StoredDialogue
from evalharness.report.html.columns import ColumnSet
from evalharness.report.html.joining import join
from evalharness.report.html.pool import Cap
from evalharness.report.html.selection import Chosen, Selector
from evalharness.report.page import report_page
from tests.report.page_data import Key, Run, failed, judge_columns, make_run
from tests.report.page_dom import islands, parse, visible_text

COLUMNS = {1: judge_columns(), 2: judge_columns("claude-haiku")}


def _scores(helpfulness: float) -> tuple[Result, ...]:
    return Score(helpfulness), Score(0.0), Score((helpfulness - 1) / 4)


def _large_run(count: int, *, text: int = 400) -> Run:
    """Dialogues of one reply; every 50th failed, every 40th is poor, on every 30th the judges disagree."""
    rng = random.Random(3)
    talks, results = [], dict[Key, tuple[Result, ...]]()
    for number in range(count):
        name = f"d{number:04d}"
        words = " ".join(
            rng.choice("alpha beta gamma delta epsilon zeta eta theta".split()) for _ in range(text // 6)
        )
        talks.append(Dialogue(name, (Message("user", "Hi"), Message("assistant", f"{number} {words}"))))
        results[name, 1, 1] = failed() if number % 50 == 7 else _scores(1.0 if number % 40 == 3 else 4.0)
        results[name, 1, 2] = _scores(1.5 if number % 30 == 11 else 4.0)
    return make_run(talks, COLUMNS, results)


def _choose(run: Run, cap: Cap) -> Chosen:
    selector = Selector(ColumnSet.of(run.columns), cap)
    for joined in join(run.stored, run.rows):
        selector.offer(joined)
    return selector.chosen()


def _numbers(chosen: Chosen) -> list[int]:
    return [int(entry.index[3:7]) for entry in chosen.entries]


RUN = _large_run(1000)


def test_everything_is_kept_while_it_fits():
    chosen = _choose(RUN, Cap(turns=1000))
    assert chosen.complete
    assert _numbers(chosen) == list(range(1000))


def test_the_most_telling_dialogues_stay_and_chance_fills_the_rest():
    chosen = _choose(RUN, Cap(turns=200))
    numbers = _numbers(chosen)
    assert numbers == sorted(numbers)
    assert 195 <= len(numbers) <= 200
    assert {n for n in range(1000) if n % 50 == 7} <= set(numbers)
    assert {n for n in range(1000) if n % 40 == 3} <= set(numbers)
    assert len({n for n in numbers if n % 30 == 11}) >= 28
    rest = [n for n in numbers if n % 50 != 7 and n % 40 != 3 and n % 30 != 11]
    assert len(rest) > 90
    assert abs(sum(rest) / len(rest) - 500) < 100


def test_counts_are_of_the_whole_run():
    chosen = _choose(RUN, Cap(turns=50))
    assert (chosen.dialogues, chosen.turns, chosen.failed) == (1000, 1000, 20)
    assert [lowest.low.share for lowest in chosen.lowest] == [0.0, 0.0, 0.0]
    assert all(int(lowest.dialogue[1:]) % 40 == 3 for lowest in chosen.lowest)


def test_another_seed_is_another_sample():
    one, other = (set(_numbers(_choose(RUN, Cap(turns=200, seed=seed)))) for seed in (0, 1))
    assert one != other


def test_the_choice_does_not_depend_on_the_order_of_the_input():
    backwards = Run(
        RUN.analysis, RUN.columns, RUN.stored[::-1], tuple(sorted(RUN.rows, key=lambda r: -r.seq))
    )
    assert set(_numbers(_choose(backwards, Cap(turns=200)))) == set(_numbers(_choose(RUN, Cap(turns=200))))


@pytest.mark.parametrize("size", [20_000, 60_000])
def test_a_size_is_kept_to_within_some_percent(size: int):
    data = [piece for piece in RUN.pieces(cap=Cap(size=size)) if piece.startswith("<script type")]
    assert 0.75 * size < sum(map(len, data)) < 1.1 * size


def test_packed_data_comes_back_as_it_was():
    page = RUN.page(cap=Cap(size=150_000))
    assert 'type="application/octet-stream" id="run-index"' in page
    blocks = islands(page)
    held = [row[0] for row in blocks["run-index"]["dialogues"]]
    records = [record for name, block in blocks.items() if name.startswith("block-") for record in block]
    assert [record["d"]["id"] for record in records] == held
    assert [len(blocks[f"block-{n}"]) for n in range(len(blocks) - 1)] == blocks["run-index"]["blocks"]


def test_the_page_says_what_it_leaves_out():
    words = visible_text(parse(RUN.page(cap=Cap(turns=100))))
    assert "of 1,000 dialogues are in this page" in words
    assert "scores.jsonl has all" in words
    assert "are in this page" not in visible_text(parse(RUN.page()))


def test_a_dialogue_larger_than_the_page_is_left_out():
    rng = random.Random(1)
    huge = Dialogue(
        "huge", (Message("user", "".join(chr(rng.randint(0x4E00, 0x9FFF)) for _ in range(100_000))),)
    )
    run = make_run([huge, Dialogue("small", (Message("user", "Hi"),))], COLUMNS, {})
    chosen = _choose(run, Cap(size=50_000))
    assert [entry.index[2:7] for entry in chosen.entries] == ["small"]


def test_input_is_read_once_and_not_hoarded():
    """When the last dialogue is asked for, no more than what fits is still held."""
    import gc

    class Counted(str):
        """A body that can be found in memory."""

    def bodies() -> Iterator[StoredDialogue]:
        for one in RUN.stored:
            yield StoredDialogue(one.seq, one.source, one.line, Counted(one.body))

    def alive() -> int:
        gc.collect()
        return sum(type(thing) is Counted for thing in gc.get_objects())

    seen: list[int] = []

    def watched(dialogues: Iterable[StoredDialogue]) -> Iterator[StoredDialogue]:
        for n, one in enumerate(dialogues):
            if n == 999:
                seen.append(alive())
            yield one

    list(report_page(RUN.analysis, RUN.columns, watched(bodies()), iter(RUN.rows)))
    assert seen[0] < 10
