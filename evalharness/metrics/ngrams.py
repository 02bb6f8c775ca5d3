"""Clipped n-gram matches of many texts at once: the counting behind BLEU, chrF and ROUGE-N.

A text is a string of symbols, one character per symbol (characters themselves for chrF, coded tokens for the others,
see :mod:`evalharness.metrics.coding`). All windows of a block of texts are packed into integers and sorted once; a
run of equal prefixes is then one n-gram, for every order at the same time. Counts are whole numbers, so the result
does not depend on the path taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

Ints: TypeAlias = npt.NDArray[np.int64]

Flags: TypeAlias = npt.NDArray[np.bool_]

_BLOCK_SYMBOLS = 32_768  # a block's keys stay within the processor's cache
_KEY_BITS = 63


def clipped_matches(hypotheses: Sequence[str], references: Sequence[Sequence[str]], order: int) -> Ints:
    """Matches of each hypothesis with its references, for the n-gram orders 1 … ``order`` (at most 6).

    An n-gram matches as often as it stands in the hypothesis, but at most as often as in the reference that has it
    most often. Shape: hypotheses × orders.
    """
    counts = np.zeros((len(hypotheses), order), dtype=np.int64)
    for start, stop in _blocks(hypotheses, references):
        _count_block(hypotheses[start:stop], references[start:stop], counts[start:stop])
    return counts


def ngram_totals(texts: Sequence[str], order: int) -> Ints:
    """How many n-grams of the orders 1 … ``order`` each text has. Shape: texts × orders."""
    lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    totals: Ints = np.maximum(lengths[:, None] - np.arange(order), 0)
    return totals


def _blocks(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> Iterator[tuple[int, int]]:
    start = size = 0
    for index, (hypothesis, others) in enumerate(zip(hypotheses, references, strict=True)):
        symbols = len(hypothesis) + sum(map(len, others))
        if size and size + symbols > _BLOCK_SYMBOLS:
            yield start, index
            start, size = index, 0
        size += symbols
    if start < len(hypotheses):
        yield start, len(hypotheses)


class _Windows(Protocol):
    """Sorted windows of ``order`` symbols: equal n-grams of an item stand next to each other for every n."""

    @property
    def size(self) -> int:
        """How many windows there are."""
        ...

    @property
    def side(self) -> Ints:
        """0 where the window stands in the hypothesis, else the number of the reference, from 1."""
        ...

    def prefix(self, n: int) -> Ints:
        """A number for (item, first n symbols) of each window: equal exactly where these are equal."""
        ...

    def symbol(self, n: int, rows: Ints) -> Ints:
        """The n-th symbol of the windows in ``rows``, 0 where the text has ended."""
        ...

    def item(self, rows: Ints) -> Ints:
        """The item that the windows in ``rows`` belong to."""
        ...

    def only(self, kept: Flags) -> _Windows:
        """These windows without those that are not ``kept``."""
        ...


@dataclass(frozen=True)
class _Packed:
    """Windows whose item, symbols and side fit into one key."""

    keys: Ints
    symbol_bits: int
    side_bits: int
    order: int

    @property
    def size(self) -> int:
        return self.keys.size

    @property
    def side(self) -> Ints:
        return self.keys & ((1 << self.side_bits) - 1)

    def prefix(self, n: int) -> Ints:
        return self.keys >> self._shift(n)

    def symbol(self, n: int, rows: Ints) -> Ints:
        return (self.keys[rows] >> self._shift(n)) & ((1 << self.symbol_bits) - 1)

    def item(self, rows: Ints) -> Ints:
        return self.keys[rows] >> self._shift(0)

    def only(self, kept: Flags) -> _Packed:
        return replace(self, keys=self.keys[kept])

    def _shift(self, n: int) -> int:
        return self.side_bits + self.symbol_bits * (self.order - n)


@dataclass(frozen=True)
class _Ranked:
    """Windows over a wide alphabet: the two halves of each window are replaced by their rank among all halves."""

    keys: Ints
    rank_bits: int
    side_bits: int
    symbol_bits: int
    halves: Ints  # the packed half windows, by rank
    half: int

    @property
    def size(self) -> int:
        return self.keys.size

    @property
    def side(self) -> Ints:
        return self.keys & ((1 << self.side_bits) - 1)

    def prefix(self, n: int) -> Ints:
        ranked, within = self._half_at(self.keys, n)
        heads = self.halves >> (self.symbol_bits * (self.half - within))
        lowest = np.searchsorted(heads, heads)  # the lowest rank with these first symbols names the prefix
        numbers: Ints = (ranked & ~self._mask) | lowest[ranked & self._mask]
        return numbers

    def symbol(self, n: int, rows: Ints) -> Ints:
        ranked, within = self._half_at(self.keys[rows], n)
        packed = self.halves[ranked & self._mask]
        symbols: Ints = (packed >> (self.symbol_bits * (self.half - within))) & ((1 << self.symbol_bits) - 1)
        return symbols

    def item(self, rows: Ints) -> Ints:
        return self.keys[rows] >> (self.side_bits + 2 * self.rank_bits)

    def only(self, kept: Flags) -> _Ranked:
        return replace(self, keys=self.keys[kept])

    @property
    def _mask(self) -> int:
        return (1 << self.rank_bits) - 1

    def _half_at(self, keys: Ints, n: int) -> tuple[Ints, int]:
        """The keys cut after the half that holds the n-th symbol, and that symbol's number within the half."""
        if n > self.half:
            return keys >> self.side_bits, n - self.half
        return keys >> (self.side_bits + self.rank_bits), n


@dataclass(frozen=True)
class _Block:
    """The symbols of a block, dense and followed by enough zeros that no window reaches into the next text."""

    symbols: Ints
    starts: Ints  # where windows begin: every position that holds a symbol
    item: Ints
    side: Ints
    items: int

    @property
    def symbol_bits(self) -> int:
        return int(self.symbols.max(initial=0)).bit_length()

    @property
    def item_bits(self) -> int:
        return (self.items - 1).bit_length()

    @property
    def side_bits(self) -> int:
        return int(self.side.max(initial=0)).bit_length()

    def pack(self, width: int) -> Ints:
        """The ``width`` symbols from each position as one number, first symbol highest."""
        bits = self.symbol_bits
        count = self.symbols.size - width + 1
        keys = self.symbols[:count].copy()
        for offset in range(1, width):
            keys <<= bits
            keys |= self.symbols[offset : offset + count]
        return keys


def _count_block(hypotheses: Sequence[str], references: Sequence[Sequence[str]], counts: Ints) -> None:
    """Fill ``counts`` (hypotheses × orders, zero before)."""
    order = counts.shape[1]
    block = _block(hypotheses, references, order)
    if not block.starts.size:
        return
    windows = _windows(block, order)
    for n in range(1, order + 1):
        windows = _match(windows, n, counts)
        if not windows.size:
            break


def _match(windows: _Windows, n: int, counts: Ints) -> _Windows:
    """Fill in the matches of order ``n``; the windows that can still match at order n + 1."""
    prefix = windows.prefix(n)
    is_first = np.concatenate([[True], prefix[1:] != prefix[:-1]])
    firsts = np.flatnonzero(is_first)
    run: Ints = np.cumsum(is_first) - 1
    matched = _clipped(windows.side, firsts, run)
    hits = np.flatnonzero(matched)
    hits = hits[windows.symbol(n, firsts[hits]) != 0]
    counts[:, n - 1] = np.bincount(windows.item(firsts[hits]), matched[hits], len(counts))
    go_on = np.zeros(firsts.size, dtype=np.bool_)
    go_on[hits] = True
    return windows.only(go_on[run])


def _clipped(side: Ints, firsts: Ints, run: Ints) -> Ints:
    """Matches of each run of equal n-grams: what the hypothesis has, up to the most that one reference has.

    ``firsts`` says where the runs begin, ``run`` to which one each window belongs.
    """
    if int(side.max()) > 1:
        return _clipped_by_best(side, firsts.size, run)
    lengths = np.diff(firsts, append=side.size)
    in_reference = np.add.reduceat(side, firsts)
    matched: Ints = np.minimum(lengths - in_reference, in_reference)
    return matched


def _clipped_by_best(side: Ints, runs: int, run: Ints) -> Ints:
    """The matches where an item has several references."""
    sides = int(side.max()) + 1
    present, count = np.unique(run * sides + side, return_counts=True)
    of_run, of_side = np.divmod(present, sides)
    own = np.zeros(runs, dtype=np.int64)
    best = np.zeros(runs, dtype=np.int64)
    is_own = of_side == 0
    own[of_run[is_own]] = count[is_own]
    np.maximum.at(best, of_run[~is_own], count[~is_own])
    matched: Ints = np.minimum(own, best)
    return matched


def _block(hypotheses: Sequence[str], references: Sequence[Sequence[str]], order: int) -> _Block:
    texts: list[str] = []
    sides: list[int] = []
    per_item: list[int] = []
    for hypothesis, others in zip(hypotheses, references, strict=True):
        texts.append(hypothesis)
        texts.extend(others)
        sides.extend(range(len(others) + 1))
        per_item.append(len(others) + 1)
    lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    item_of_text = np.repeat(np.arange(len(per_item)), per_item)
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    starts = np.arange(codes.size) + np.repeat(np.arange(len(texts)) * (order - 1), lengths)
    symbols = np.zeros(codes.size + len(texts) * (order - 1) + 1, dtype=np.int64)
    symbols[starts] = _dense(codes)
    side = np.repeat(np.asarray(sides, dtype=np.int64), lengths)
    return _Block(symbols, starts, np.repeat(item_of_text, lengths), side, len(per_item))


def _dense(codes: npt.NDArray[np.uint32]) -> Ints:
    """The codes renumbered from 1 without gaps, in their order."""
    if not codes.size:
        return codes.astype(np.int64)
    present = np.zeros(int(codes.max()) + 1, dtype=np.bool_)
    present[codes] = True
    numbers: Ints = np.cumsum(present)
    return numbers[codes]


def _windows(block: _Block, order: int) -> _Windows:
    if block.item_bits + order * block.symbol_bits + block.side_bits <= _KEY_BITS:
        keys = (block.item << (order * block.symbol_bits)) | block.pack(order)[block.starts]
        keys = (keys << block.side_bits) | block.side
        keys.sort()
        return _Packed(keys, block.symbol_bits, block.side_bits, order)
    return _ranked(block, order)


def _ranked(block: _Block, order: int) -> _Ranked:
    half = (order + 1) // 2
    halves, ranks = np.unique(block.pack(half), return_inverse=True)
    bits = max((halves.size - 1).bit_length(), 1)
    keys = (((block.item << bits) | ranks[block.starts]) << bits) | ranks[block.starts + half]
    keys = (keys << block.side_bits) | block.side
    keys.sort()
    return _Ranked(keys, bits, block.side_bits, block.symbol_bits, halves, half)
