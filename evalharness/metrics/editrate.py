"""The edits of TER (Snover et al. 2006): inserted, deleted, replaced and shifted words, as sacrebleu counts them.

sacrebleu follows Tercom: shifts are searched greedily, round by round, and edit distances are computed in a band
around the diagonal only. The same search, the same band and the same choice among equals give the same number of edits
here, many times faster, because the distances of all shifts of a round are computed together, and not at all in a round
that passes the limit of candidates, since its result would be thrown away.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from rapidfuzz.distance import Levenshtein

_MAX_SHIFT_LENGTH = 10
_MAX_SHIFT_DISTANCE = 50
_MAX_CANDIDATES = 1000
_BAND = 25
_UNREACHED = 1 << 28

_Ints: TypeAlias = npt.NDArray[np.int32]


class Shift(NamedTuple):
    """Move ``length`` words from ``start`` to before ``target`` (positions in the text before the move)."""

    length: int
    start: int
    target: int

    def apply(self, words: str) -> str:
        """The words after the move."""
        start, end, target = self.start, self.start + self.length, self.target
        if target < start:
            return words[:target] + words[start:end] + words[target:start] + words[end:]
        if target <= end:  # into itself: Tercom then counts the target from the end of what is moved
            target += self.length
        return words[:start] + words[end:target] + words[start:end] + words[target:]


def edits(hypothesis: str, reference: str) -> int:
    """The fewest edits found that make the reference of the hypothesis; texts are coded, one character per word."""
    if not reference:
        return len(hypothesis)
    words, shifts, checked = hypothesis, 0, 0
    while True:
        alignment = _align(words, reference)
        candidates = _shifts(words, reference, alignment)
        checked += len(candidates)
        if not candidates or checked >= _MAX_CANDIDATES:
            break
        gain, shift = _best(words, reference, candidates, alignment.cost)
        if gain <= 0:
            break
        words, shifts = shift.apply(words), shifts + 1
    return shifts + alignment.cost


class _Alignment(NamedTuple):
    """How the reference comes out of the text.

    ``position[r]`` is the word of the text that reference word r is aligned with (or that before the gap it fills, -1
    at the start); ``wrong_before[h]`` counts the words before h that are not kept, ``missed_before[r]`` the reference
    words before r that are not found.
    """

    cost: int
    position: list[int]
    wrong_before: list[int]
    missed_before: list[int]


class _Row(NamedTuple):
    """A row of the table of edit distances: the costs of the columns from ``first`` on; all others are unreached."""

    first: int
    costs: list[int]

    def at(self, column: int) -> int:
        """The cost in a column."""
        place = column - self.first
        return self.costs[place] if 0 <= place < len(self.costs) else _UNREACHED

    def cut(self, first: int, stop: int) -> list[int]:
        """The costs of the columns from ``first`` to before ``stop``."""
        before = max(0, self.first - first)
        known = self.costs[max(0, first - self.first) : max(0, stop - self.first)]
        return [_UNREACHED] * before + known + [_UNREACHED] * (stop - first - before - len(known))


def _bands(words: int, reference: int) -> Iterator[tuple[int, int]]:
    """For each word of the text the columns of the table that are computed: the first, and one after the last."""
    ratio = reference / max(words, 1)
    width = math.ceil(ratio / 2 + _BAND) if ratio / 2 > _BAND else _BAND
    for row in range(1, words + 1):
        diagonal = math.floor(row * ratio)
        stop = reference + 1 if row == words else min(reference + 1, diagonal + width)
        yield max(0, diagonal - width), stop


def _align(words: str, reference: str) -> _Alignment:
    columns = "\0" + reference  # no word is coded as NUL: column 0 stands before the first word
    rows = [_Row(0, list(range(len(columns))))]
    for word, (first, stop) in zip(words, _bands(len(words), len(reference)), strict=True):
        above = rows[-1].cut(first - 1, stop)
        rows.append(_Row(first, _costs(word, columns[first:stop], above)))
    return _traced(rows, words, reference)


def _costs(word: str, columns: str, above: Sequence[int]) -> list[int]:
    """The next row of the table; ``above`` begins one column before ``columns``."""
    left = _UNREACHED
    costs = []
    for wanted, diagonal, up in zip(columns, above, above[1:], strict=False):
        left = min(diagonal + (wanted != word), up + 1, left + 1)
        costs.append(left)
    return costs


def _traced(rows: Sequence[_Row], words: str, reference: str) -> _Alignment:
    """Walk back through the table; a word is rather kept or replaced than deleted, rather deleted than inserted."""
    wrong, missed = [0] * len(words), [0] * len(reference)
    position = [0] * len(reference)
    i, j = len(words), len(reference)
    while i or j:
        cost = rows[i].at(j)
        if i and j and rows[i - 1].at(j - 1) + (words[i - 1] != reference[j - 1]) == cost:
            i, j = i - 1, j - 1
            wrong[i] = missed[j] = int(words[i] != reference[j])
            position[j] = i
        elif i and rows[i - 1].at(j) + 1 == cost:
            i -= 1
            wrong[i] = 1
        else:
            j -= 1
            missed[j] = 1
            position[j] = i - 1
    return _Alignment(rows[-1].costs[-1], position, [0, *accumulate(wrong)], [0, *accumulate(missed)])


def _shifts(words: str, reference: str, alignment: _Alignment) -> list[Shift]:
    """The shifts to try: matching runs that are wrong where they are and missed where they belong.

    The list may hold a shift more than once, as Tercom's count does, and ends where the limit is passed.
    """
    places = _places(reference)
    found: list[Shift] = []
    for start, word in enumerate(words):
        for at in _near(places.get(word, ()), start):
            for length in range(1, _common_run(words, start, reference, at) + 1):
                if _is_useful(alignment, start, at, length):
                    found += (
                        Shift(length, start, target) for target in _targets(alignment.position, at, length)
                    )
        if len(found) >= _MAX_CANDIDATES:
            break
    return found


def _places(reference: str) -> dict[str, list[int]]:
    places: dict[str, list[int]] = defaultdict(list)
    for at, word in enumerate(reference):
        places[word].append(at)
    return places


def _near(places: Sequence[int], start: int) -> Sequence[int]:
    low = bisect_left(places, start - _MAX_SHIFT_DISTANCE)
    return places[low : bisect_right(places, start + _MAX_SHIFT_DISTANCE)]


def _common_run(words: str, start: int, reference: str, at: int) -> int:
    """How many words are equal from both positions on, up to the longest shift."""
    pairs = zip(
        words[start : start + _MAX_SHIFT_LENGTH], reference[at : at + _MAX_SHIFT_LENGTH], strict=False
    )
    length = 0
    for word, wanted in pairs:
        if word != wanted:
            break
        length += 1
    return length


def _is_useful(alignment: _Alignment, start: int, at: int, length: int) -> bool:
    wrong, missed = alignment.wrong_before, alignment.missed_before
    return (
        wrong[start + length] > wrong[start]
        and missed[at + length] > missed[at]
        and not start <= alignment.position[at] < start + length
    )


def _targets(position: Sequence[int], at: int, length: int) -> Iterator[int]:
    """Where a run that matches the reference from ``at`` on may go: after each word it is aligned with, and before."""
    previous = -1
    for place in range(at - 1, at + length):
        target = 0 if place < 0 else position[place] + 1
        if target != previous:
            yield target
        previous = target


def _best(words: str, reference: str, candidates: Sequence[Shift], cost: int) -> tuple[int, Shift]:
    """The shift that saves most, with its saving; among equals the longest, then the first, then the one least far."""
    shifts = sorted(set(candidates), key=lambda shift: (-shift.length, shift.start, shift.target))
    costs = _distances([shift.apply(words) for shift in shifts], reference)
    least = min(range(len(shifts)), key=costs.__getitem__)
    return cost - costs[least], shifts[least]


def _distances(texts: Sequence[str], reference: str) -> list[int]:
    """The edit distance of each text (all of one length) to the reference, within the band."""
    costs = [Levenshtein.distance(text, reference) for text in texts]
    # The path of so few edits can't leave the band (one column less for the rounding of the diagonal), so that the
    # distance within the band is the plain one.
    safe = 2 * (_BAND - 2) - abs(len(texts[0]) - len(reference))
    wide = [place for place, cost in enumerate(costs) if cost > safe]
    if wide:
        for place, cost in zip(
            wide, _banded_distances([texts[place] for place in wide], reference), strict=True
        ):
            costs[place] = cost
    return costs


def _banded_distances(texts: Sequence[str], reference: str) -> list[int]:
    """The distances within the band, row by row for all texts at once."""
    words = np.array([_codes(text) for text in texts]).T
    columns = _codes("\0" + reference)
    costs = np.full(
        (len(texts), columns.size + 1), _UNREACHED, dtype=np.int32
    )  # a column -1 stands before column 0
    costs[:, 1:] = np.arange(columns.size)
    for row, (first, stop) in zip(words, _bands(len(words), len(reference)), strict=True):
        step = np.arange(first, stop, dtype=np.int32)
        best = np.minimum(
            costs[:, first:stop] + (row[:, None] != columns[first:stop]), costs[:, first + 1 : stop + 1] + 1
        )
        costs[:] = _UNREACHED
        costs[:, first + 1 : stop + 1] = np.minimum.accumulate(best - step, axis=1) + step
    result: list[int] = costs[:, -1].tolist()
    return result


def _codes(text: str) -> _Ints:
    return np.frombuffer(text.encode("utf-32-le"), dtype=np.int32)
