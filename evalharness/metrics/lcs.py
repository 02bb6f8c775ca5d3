"""Longest common subsequences of coded texts (one character per token)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress

from rapidfuzz.distance import LCSseq


def lcs_length(first: str, second: str) -> int:
    """The length of the longest common subsequence; bit-parallel, in C."""
    length: int = LCSseq.similarity(first, second)
    return length


def union_lcs(reference: str, candidates: Sequence[str]) -> list[int]:
    """The positions in ``reference`` that stand in its longest common subsequence with at least one candidate.

    Of several longest common subsequences the one is taken that rouge-score's backtracking finds, since the union
    depends on the choice: from the ends, equal tokens are taken, else the candidate is shortened if only that keeps
    the length, else the reference.
    """
    masks = _position_masks(reference)
    union = 0
    for candidate in candidates:
        union |= _chosen_positions(len(reference), [masks.get(token, 0) for token in candidate])
    return list(compress(range(len(reference)), map(int, reversed(f"{union:b}"))))


def _position_masks(text: str) -> dict[str, int]:
    """For each token the set of its positions, as bits."""
    masks: dict[str, int] = {}
    for position, token in enumerate(text):
        masks[token] = masks.get(token, 0) | 1 << position
    return masks


def _chosen_positions(length: int, equal: Sequence[int]) -> int:
    """The reference positions of one longest common subsequence; ``equal[j]`` has those equal to candidate token j."""
    everything = (1 << length) - 1
    steps = _steps(equal, everything)
    chosen = 0
    below = everything
    for j in range(len(equal) - 1, -1, -1):
        found = ((equal[j] | steps[j]) & below).bit_length()
        if not found:
            break
        bit = 1 << (found - 1)
        if equal[j] & bit:
            chosen |= bit
            below = bit - 1
        else:
            below = (bit << 1) - 1
    return chosen


def _steps(equal: Sequence[int], everything: int) -> list[int]:
    """Per candidate token the reference positions where the common length grows by one, as bits.

    The column recurrence of Hyyrö 2004 ("Bit-parallel LCS-length computation revisited"), on whole numbers of any size.
    """
    flat = everything
    steps = []
    for mask in equal:
        meeting = flat & mask
        flat = ((flat + meeting) | (flat - meeting)) & everything
        steps.append(flat ^ everything)
    return steps
