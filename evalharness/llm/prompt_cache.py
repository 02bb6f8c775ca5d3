"""Deciding what a provider should keep in its prompt cache, so that caching saves money and never costs it.

Providers bill what they write into the cache at 1.25 times the price of input and what they read from it at about 0.1
times. The instructions and the rubric come first in every prompt and are always worth keeping. A dialogue is only
worth it when several requests share it, which is learnt: from how often a beginning comes again, and then from the
provider's own counts of tokens written and read, because requests sent at the same moment can't read what the others
still write.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Literal

from evalharness.llm.client import Usage
from evalharness.llm.shared_blocks import Marks

CacheMode = Literal["auto", "rubric", "dialogue", "off"]

WRITE_PREMIUM = 0.25
READ_SAVING = 0.9

_OPENING = 1024
_REMEMBERED = 4096
_OBSERVED_FIRST = 16
_WORTHWHILE_SHARE = 0.3
_MARKED_FIRST = 20


class PromptCache:
    """Learns whether dialogues are shared between requests; one per client.

    ``auto`` marks the rubric, and dialogues while that pays; ``rubric`` never marks dialogues, ``dialogue`` always
    does; ``off`` marks nothing.
    """

    def __init__(self, mode: CacheMode = "auto") -> None:
        self._mode = mode
        self._openings: OrderedDict[int, int] = OrderedDict()
        self._seen = 0
        self._again = 0
        self._equal = 0
        self._marked = 0
        self._balance = 0.0

    def marks(self, shared: str) -> Marks:
        """What to keep of a prompt with this shared text; to be asked once per request."""
        if self._mode in ("off", "rubric"):
            return Marks(rubric=self._mode == "rubric")
        self._watch(shared)
        dialogue = bool(shared) and (self._mode == "dialogue" or self._pays)
        return Marks(rubric=True, dialogue=dialogue, whole=self._equal > 0)

    def unlearned(self) -> Marks:
        """What to keep of prompts that are sent together, before any answer could tell whether dialogues pay."""
        return Marks(rubric=self._mode != "off", dialogue=self._mode == "dialogue")

    def learn(self, marks: Marks, usage: Usage, rubric_tokens: int) -> None:
        """Take in what the provider wrote and read for a request whose dialogue was marked."""
        if marks.dialogue:
            self._marked += 1
            read = max(0, usage.cached_tokens - rubric_tokens)
            self._balance += READ_SAVING * read - WRITE_PREMIUM * usage.cache_write_tokens

    @property
    def _pays(self) -> bool:
        if self._seen < _OBSERVED_FIRST or self._again < _WORTHWHILE_SHARE * self._seen:
            return False
        return self._marked < _MARKED_FIRST or self._balance > 0

    def _watch(self, shared: str) -> None:
        opening, whole = hash(shared[:_OPENING]), hash(shared)
        self._seen += 1
        if opening in self._openings:
            self._again += 1
            self._equal += self._openings[opening] == whole
        self._openings[opening] = whole
        self._openings.move_to_end(opening)
        if len(self._openings) > _REMEMBERED:
            self._openings.popitem(last=False)
