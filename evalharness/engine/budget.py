"""Limits on what a run may spend and on how much may fail, checked before each request is sent.

Money is counted with requests in flight at the most that they can cost: every byte of the prompt a token, and the
whole allowed output. Attempts whose outcome is unknown (time-outs, broken connections) count at that, too. As requests
cost much less than that, one for which there is no room waits until those in flight have told what they cost; only when
none is in flight the limit is reached.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from evalharness.core.scores import Cause
from evalharness.errors import UsageError
from evalharness.llm.client import Client, ProviderFault, Request, Usage
from evalharness.llm.pricing import Prices


class LimitReached(ProviderFault):
    """A limit that the user set is reached; nothing was sent."""

    def __init__(self, detail: str) -> None:
        super().__init__(Cause.INCOMPLETE, detail, fatal=True)


@dataclass(slots=True)
class Budget:
    """What a run has spent, has in flight, and may spend (USD); and failed items against their limit.

    ``spent`` starts with the cost of earlier processes of the run. ``max_failures`` is a number of items. ``live``
    counts the requests in flight that are not in batches: those that :meth:`room` waits for.
    """

    prices: Prices
    max_cost: float | None = None
    max_failures: int | None = None
    spent: float = 0.0
    in_flight: float = 0.0
    failures: int = 0
    live: int = 0
    _waiting: deque[asyncio.Future[None]] = field(default_factory=deque, init=False, repr=False)

    async def room(self, client: Client, request: Request) -> None:
        """Wait while a request may cost too much beside those in flight; first come, first served.

        What follows without another wait finds what there is: :meth:`reserve` tells whether it is enough.
        """
        if self.max_cost is None:
            return
        most = worst_cost(self.prices, client, request)
        if most is None or (not self._waiting and self._fits(most)):
            return
        first = False
        while self.live and not (first and self._fits(most)):
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            (self._waiting.appendleft if first else self._waiting.append)(future)
            try:
                await future
            except asyncio.CancelledError:
                self._wake()
                raise
            first = True
        self._wake()

    def _fits(self, most: float) -> bool:
        return self.max_cost is None or self.spent + self.in_flight + most <= self.max_cost

    def _wake(self) -> None:
        """Let the next one that waits look again."""
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(None)
                return

    def reserve(self, client: Client, request: Request, *, batch: bool = False) -> float | None:
        """Set aside the most that a request can cost; raises :class:`LimitReached` when that is too much.

        None where the model has no known price (which :func:`check_priced` refuses when there is a limit).
        """
        most = worst_cost(self.prices, client, request, batch=batch)
        self.take(most)
        return most

    def take(self, most: float | None) -> None:
        """Set aside an amount (USD, None where no price is known); :class:`LimitReached` when that is too much."""
        if self.max_failures is not None and self.failures > self.max_failures:
            raise LimitReached(f"{self.failures} items failed, more than --max-failures {self.max_failures}")
        if most is None:
            return
        if not self._fits(most):
            raise LimitReached(
                f"${self.spent:.4f} spent and ${self.in_flight + most:.4f} possibly in flight reach --max-cost "
                f"${self.max_cost:g}"
            )
        self.in_flight += most

    def settle(self, reserved: float | None, cost: float | None) -> None:
        """Give back what was set aside and count what was spent; an unknown cost counts at its most."""
        if reserved is not None:
            self.in_flight = max(0.0, self.in_flight - reserved)
        self.spent += cost if cost is not None else (reserved or 0.0)
        self._wake()

    def correct(self, reserved: float | None, cost: float | None) -> None:
        """A request that counted as spent at its most, perhaps by an earlier process, turned out to cost this."""
        if cost is not None:
            self.spent = max(0.0, self.spent + cost - (reserved or 0.0))


def worst_cost(prices: Prices, client: Client, request: Request, *, batch: bool = False) -> float | None:
    """The most that one attempt can cost (USD); None for an unpriced model."""
    if not prices.knows(client):
        return None
    size = sum(map(_bytes, (request.system, request.shared, request.ask)))
    limit = getattr(client, "output_limit", None)  # remote models may reason beyond the request's own limit
    answer = limit(request) if callable(limit) else request.max_tokens
    return prices.of_usage(client, Usage(size, answer), batch=batch)


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))


def check_priced(prices: Prices, client: Client) -> None:
    """A model without a known price can't be held to a limit: a :class:`UsageError`."""
    if prices.of_usage(client, Usage(1000, 1000)) is None:
        raise UsageError(
            f"the price of {client.model} is not known, so --max-cost can't hold",
            fix="State it under `prices:` in evalharness.yaml, in USD per million tokens.",
        )


def parse_share(text: str, total: int) -> int:
    """A number of items from ``20`` or ``2%`` of ``total``."""
    number = text.strip().removesuffix("%")
    try:
        value = float(number)
    except ValueError:
        value = -1.0
    if value < 0 or (text.strip().endswith("%") and value > 100):
        raise UsageError(f"{text!r} is neither a number nor a share", fix="Write e.g. 20 or 2%.")
    return int(total * value / 100) if text.strip().endswith("%") else int(value)
