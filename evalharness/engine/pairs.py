"""Pairs of systems' answers to the same scenarios: which belong together, and judging them in both orders.

Dialogues are matched by group. Within a group two systems' dialogues are matched by their own ids where these are the
same, else in the order of their ids (trials); replies by their number. What has no partner is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from evalharness.core.canonical import content_hash
from evalharness.core.dialogue import Dialogue, Item, TurnChoice
from evalharness.core.pairs import OWN_ID, Order, Pair
from evalharness.core.scores import Column
from evalharness.data.ledger.store import ItemRef, Ledger
from evalharness.engine.asking import Asker, Desk
from evalharness.engine.judging import Stopped, ask_again, work_side_by_side, workers_of
from evalharness.engine.plan import Limits
from evalharness.engine.progress import Progress, causes
from evalharness.judges.pairwise import PairJudge
from evalharness.llm.client import ProviderFault, prepare


@dataclass(frozen=True, slots=True)
class Placed:
    """A dialogue and its number in the ledger."""

    seq: int
    dialogue: Dialogue

    @property
    def own_id(self) -> str:
        """The id under which it came in."""
        own = self.dialogue.metadata.get(OWN_ID)
        return own if isinstance(own, str) else self.dialogue.id


@dataclass(frozen=True, slots=True)
class Match:
    """A pair with its place: outcomes stand under the first system's item, in a scorer of the second system's name."""

    ref: ItemRef
    a: Item
    b: Item
    systems: tuple[str, str]
    listed: tuple[Item, ...] = ()

    def shown(self, order: Order) -> Pair:
        """The pair as it is shown in this order."""
        return Pair(self.a, self.b, order, self.listed)


@dataclass(frozen=True, slots=True)
class Matched:
    """All pairs of a run, and how many items of either system had no partner."""

    matches: tuple[Match, ...]
    alone: int


def match_all(ledger: Ledger, systems: Sequence[str], turns: TurnChoice | None) -> Matched:
    """Every pair of every two systems, ordered by group; ``turns`` None compares whole dialogues."""
    matches: list[Match] = []
    alone = 0
    for group in _groups(ledger):
        own: list[Match] = []
        for first, second in combinations(systems, 2):
            found, left = _match_group(group.get(first, []), group.get(second, []), (first, second), turns)
            own += found
            alone += left
        matches += _with_lists(own, systems)
    return Matched(tuple(matches), alone)


def _with_lists(matches: Sequence[Match], systems: Sequence[str]) -> list[Match]:
    """The pairs of a group, each with the answers of all systems that are matched with one another."""
    lists: dict[tuple[str, int | None], dict[str, Item]] = {}
    for match in matches:
        joined: dict[str, Item] = {}
        for system, item in zip(match.systems, (match.a, match.b), strict=True):
            joined |= lists.get(_key(item), {system: item})
        for item in joined.values():
            lists[_key(item)] = joined
    return [replace(match, listed=_in_order(lists[_key(match.a)], systems, match)) for match in matches]


def _in_order(found: Mapping[str, Item], systems: Sequence[str], match: Match) -> tuple[Item, ...]:
    """The answers in the order of the systems; the pair alone where trials don't line up between systems."""
    items = tuple(found[system] for system in systems if system in found)
    return items if match.a in items and match.b in items else (match.a, match.b)


def _key(item: Item) -> tuple[str, int | None]:
    return item.dialogue.id, item.turn


def _groups(ledger: Ledger) -> Iterator[dict[str, list[Placed]]]:
    """The dialogues of each group by system; the ledger gives them in the order of groups."""
    current: str | None = None
    group: dict[str, list[Placed]] = {}
    for stored in ledger.sorted_dialogues():
        dialogue = stored.load()
        if dialogue.cluster != current and group:
            yield group
            group = {}
        current = dialogue.cluster
        group.setdefault(dialogue.system, []).append(Placed(stored.seq, dialogue))
    if group:
        yield group


def _match_group(
    ours: list[Placed], theirs: list[Placed], systems: tuple[str, str], turns: TurnChoice | None
) -> tuple[list[Match], int]:
    pairs = _match_dialogues(ours, theirs)
    matches: list[Match] = []
    alone = 0
    for mine, other in pairs:
        first, second = _items(mine, turns), _items(other, turns)
        matches += [
            Match(ItemRef(mine.seq, first[key].turn), first[key], second[key], systems)
            for key in first
            if key in second
        ]
        alone += len(first.keys() ^ second.keys())
    unmatched = {p.seq for p in (*ours, *theirs)} - {p.seq for pair in pairs for p in pair}
    alone += sum(len(_items(p, turns)) for p in (*ours, *theirs) if p.seq in unmatched)
    return matches, alone


def _match_dialogues(ours: list[Placed], theirs: list[Placed]) -> list[tuple[Placed, Placed]]:
    by_id = {placed.own_id: placed for placed in theirs}
    if {placed.own_id for placed in ours} & by_id.keys():
        return [(mine, by_id[mine.own_id]) for mine in ours if mine.own_id in by_id]
    ordered = [sorted(side, key=lambda placed: placed.own_id) for side in (ours, theirs)]
    return list(zip(*ordered, strict=False))


def _items(placed: Placed, turns: TurnChoice | None) -> dict[int, Item]:
    """The items of a dialogue by reply number (0 for the whole dialogue)."""
    dialogue = placed.dialogue
    if turns is None:
        return {0: Item(dialogue)}
    return {dialogue.reply_number(turn): Item(dialogue, turn) for turn in dialogue.assistant_turns(turns)}


def pair_scorer_key(columns: Sequence[Column], systems: tuple[str, str], order: Order) -> str:
    """The key under which the ledger holds a judge's verdicts on two systems in one order."""
    made = [[c.scorer, c.rubric, c.criterion, c.signature] for c in columns]
    return content_hash(["pairwise", made, list(systems), order.value], 32)


@dataclass(frozen=True, slots=True)
class _Task:
    scorer: int
    match: Match
    order: Order


async def run_pair_judges(
    desk: Desk,
    judges: Sequence[PairJudge],
    matches: Sequence[Match],
    limits: Limits,
    progress: Progress,
    stopped: Callable[[], bool],
    *,
    retry_failed: bool,
) -> tuple[Stopped, ...]:
    """Let every judge compare what it has not compared yet, both orders next to each other."""
    lanes = [
        _Lane(desk, judge, matches, progress, stopped, retry_failed, workers_of(limits, judge.clients))
        for judge in judges
    ]
    return await work_side_by_side(lanes)


class _Lane:
    """One judge with its workers, which share one stream of pairs and orders."""

    def __init__(
        self,
        desk: Desk,
        judge: PairJudge,
        matches: Sequence[Match],
        progress: Progress,
        stopped: Callable[[], bool],
        retry_failed: bool,
        workers: int,
    ) -> None:
        self.judge = judge
        self.workers = workers
        self.fatal: ProviderFault | None = None
        self._desk = desk
        self._progress = progress
        self._stopped = stopped
        self._name = f"judge {judge.name} on {judge.rubric.name}"
        tasks = list(_tasks(desk.ledger, judge, matches, retry_failed))
        total = len(matches) * len(Order)
        if tasks and not desk.offline:
            prepare(judge.clients)
        progress.start(self._name, total, total - len(tasks))
        self._tasks = iter(tasks)

    @property
    def judge_name(self) -> str:
        """The judge's name."""
        return self.judge.name

    async def work(self) -> None:
        """Take pairs until there are none, or the run or this judge is stopped."""
        for task in self._tasks:
            if self._stopped() or self.fatal is not None:
                return
            await self._one(task)

    async def _one(self, task: _Task) -> None:
        asker = Asker(self._desk, task.scorer, task.match.ref)
        results = await self.judge.judge(task.match.shown(task.order), asker)
        if asker.fatal is not None:
            self.fatal = asker.fatal
            return
        self._desk.ledger.put(task.scorer, task.match.ref, results)
        failed = causes(results)
        self._desk.budget.failures += bool(failed)
        self._progress.advance(self._name, 1, failed, asker.cost)


def _tasks(ledger: Ledger, judge: PairJudge, matches: Sequence[Match], retry_failed: bool) -> Iterator[_Task]:
    done: dict[int, dict[ItemRef, str]] = {}
    for match in matches:
        for order in Order:
            scorer = ledger.scorer(pair_scorer_key(judge.columns, match.systems, order), judge.columns)
            if scorer not in done:
                done[scorer] = ledger.done(scorer, 0, 1 << 62)
            body = done[scorer].get(match.ref)
            if body is None or ask_again(body, retry_failed):
                yield _Task(scorer, match, order)
