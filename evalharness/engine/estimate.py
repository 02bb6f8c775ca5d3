"""What a run would send and cost, worked out before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

from evalharness.data.cache import VerdictCache
from evalharness.data.ledger.store import Ledger
from evalharness.engine.asking import cache_key
from evalharness.engine.batch_rows import custom_id
from evalharness.engine.batching import ROOM, batch_api
from evalharness.engine.budget import worst_cost
from evalharness.engine.judging import item_count, lane_count, pending_items
from evalharness.engine.plan import RunPlan, scorer_key, title
from evalharness.judges.interface import Judge, PlannedRequest
from evalharness.llm.batches import BatchClient, BatchLimits
from evalharness.llm.client import Usage
from evalharness.llm.pricing import Prices

TYPICAL_ANSWER = 110
"""Tokens that a text judge usually writes per criterion: evidence, a short rationale, the value."""
SECONDS_PER_REQUEST = 3.0
"""What a hosted text judge usually takes; the expected time says that it assumes this."""


@dataclass(frozen=True, slots=True)
class JudgeEstimate:
    """One judge's share of a run. Costs are None for an unpriced model; tokens are estimates.

    ``most_cost`` is what ``--max-cost`` counts for these requests before it knows what they cost; repairs of answers
    and further attempts come on top of it.
    ``in_batches`` requests were submitted before; ``batches`` is how many would be submitted, None for a live run.
    """

    name: str
    items: int
    done: int
    requests: int
    cached: int
    input_tokens: int
    output_tokens: int
    typical_cost: float | None
    most_cost: float | None
    seconds: float | None
    in_batches: int = 0
    batches: int | None = None


def estimate(
    ledger: Ledger,
    plan: RunPlan,
    cache: VerdictCache | None,
    prices: Prices,
    batch: BatchLimits | None = None,
) -> list[JudgeEstimate]:
    """An estimate for each judge of what is still to do, by way of batches if ``batch``; a recording sends nothing."""
    shared = set[str]() if cache is not None and _share_a_model(plan.judges) else None
    return [_of(ledger, plan, judge, cache, prices, batch, shared) for judge in plan.judges]


def _share_a_model(judges: Sequence[Judge]) -> bool:
    """Whether two judges ask the same model, so that they may send equal requests."""
    models = [(c.backend, c.endpoint, c.model) for judge in judges for c in judge.clients]
    return len(set(models)) < len(models)


def _of(
    ledger: Ledger,
    plan: RunPlan,
    judge: Judge,
    cache: VerdictCache | None,
    prices: Prices,
    batch: BatchLimits | None,
    shared: set[str] | None,
) -> JudgeEstimate:
    """``shared`` holds the keys of requests that judges of the run send: equal ones are paid once."""
    scorer = ledger.scorer(scorer_key(judge.columns), judge.columns)
    criteria = max(1, len(judge.columns) - 1)
    requests = cached = pending = tokens_in = tokens_out = 0
    typical: float | None = 0.0
    most: float | None = 0.0
    planner = getattr(judge, "requests", None)
    secret = ledger.secret()
    batched, by_batch = bool(ledger.batches), batch is not None
    in_batches = 0
    trays = _Trays(batch)
    for ref, item in pending_items(ledger, plan, judge, scorer):
        pending += 1
        for planned in planner(item, secret) if planner is not None else ():
            if cache is not None and _is_cached(planned, cache, plan.epoch):
                cached += 1
                continue
            key = cache_key(planned.client, planned.request, planned.sample, plan.epoch)
            if batched and ledger.batches.find(key, None if cache is not None else (scorer, ref)):
                in_batches += 1
                continue
            if shared is not None:
                if key in shared:
                    cached += 1
                    continue
                shared.add(key)
            requests += 1
            trays.add(planned)
            size, answer = _tokens(planned, criteria)
            tokens_in += size
            tokens_out += answer
            typical = _plus(typical, prices.of_usage(planned.client, Usage(size, answer), batch=by_batch))
            most = _plus(most, worst_cost(prices, planned.client, planned.request, batch=by_batch))
    items = item_count(ledger, plan, judge)
    seconds = _seconds(plan, judge, requests, tokens_in + tokens_out) if judge.clients else None
    name = title(judge.columns)
    return JudgeEstimate(
        name,
        items,
        items - pending,
        requests,
        cached,
        tokens_in,
        tokens_out,
        typical,
        most,
        seconds,
        in_batches,
        trays.count if by_batch else None,
    )


@dataclass(slots=True)
class _Trays:
    """Counts the batches that requests would make, as the run cuts them."""

    limits: BatchLimits | None
    count: int = 0
    requests: int = 0
    size: int = 0

    def add(self, planned: PlannedRequest) -> None:
        """One more request."""
        api = batch_api(planned.client)
        if self.limits is None or api is None:
            return
        client = cast(BatchClient, planned.client)
        length = len(
            api.line(custom_id("eh-0123456789abcdef", self.requests), client.batch_body(planned.request))
        )
        full = self.requests >= self.limits.requests or self.size + length + ROOM > self.limits.bytes
        if self.count == 0 or full:
            self.count, self.requests, self.size = self.count + 1, 0, 0
        self.requests += 1
        self.size += length + 1


def estimate_requests(
    name: str, items: int, planned: Iterable[PlannedRequest], criteria: int, prices: Prices
) -> JudgeEstimate:
    """An estimate of requests that are known one by one and none of which is cached; no time is given."""
    requests = tokens_in = tokens_out = 0
    typical: float | None = 0.0
    most: float | None = 0.0
    for one in planned:
        requests += 1
        size, answer = _tokens(one, criteria)
        tokens_in += size
        tokens_out += answer
        typical = _plus(typical, prices.of_usage(one.client, Usage(size, answer)))
        most = _plus(most, worst_cost(prices, one.client, one.request))
    return JudgeEstimate(name, items, 0, requests, 0, tokens_in, tokens_out, typical, most, None)


def _seconds(plan: RunPlan, judge: Judge, requests: int, tokens: int) -> float:
    """The expected time (s): what requests in flight allow, or --rpm and --tpm if those allow less."""
    limits = plan.limits
    free = requests * SECONDS_PER_REQUEST / lane_count(plan, judge)
    by_requests = 60.0 * requests / limits.rpm if limits.rpm else 0.0
    by_tokens = 60.0 * tokens / limits.tpm if limits.tpm else 0.0
    return max(free, by_requests, by_tokens)


def _tokens(planned: PlannedRequest, criteria: int) -> tuple[int, int]:
    """Prompt tokens and usual answer tokens of a request."""
    request = planned.request
    size = sum(planned.client.count_tokens(text) for text in (request.system, request.shared, request.ask))
    if request.labels:
        return size, 1
    asked = len(request.schema.get("required", ())) if request.schema else criteria  # type: ignore[arg-type]
    return size, min(request.max_tokens, TYPICAL_ANSWER * max(1, asked))


def _is_cached(planned: PlannedRequest, cache: VerdictCache, epoch: str) -> bool:
    return cache.get(cache_key(planned.client, planned.request, planned.sample, epoch)) is not None


def _plus(total: float | None, cost: float | None) -> float | None:
    return None if total is None or cost is None else total + cost
