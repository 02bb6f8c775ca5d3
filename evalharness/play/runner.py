"""Playing scenarios: workers with a target each; a failing target is a counted failure."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from evalharness.core import native
from evalharness.core.dialogue import Dialogue, Message
from evalharness.core.scenario import Scenario
from evalharness.play.target import Asked, Target, TargetError


@dataclass(frozen=True, slots=True)
class Play:
    """One playing of a scenario; ``trial`` counts from 1 of ``trials``."""

    scenario: Scenario
    trial: int
    trials: int

    @property
    def name(self) -> str:
        """The id that the dialogue gets: the scenario's, with the trial's number where there are several."""
        return self.scenario.id if self.trials == 1 else f"{self.scenario.id}#{self.trial}"


@dataclass(frozen=True, slots=True)
class Played:
    """How a playing ended: with a dialogue, or at which user turn (from 1) and why not."""

    play: Play
    dialogue: Dialogue | None
    failed_at: int = 0
    cause: str = ""
    detail: str = ""


def plays(scenarios: Iterable[Scenario], trials: int) -> Iterator[Play]:
    """Every playing, scenario by scenario."""
    for scenario in scenarios:
        for trial in range(1, trials + 1):
            yield Play(scenario, trial, trials)


async def play_all(
    wanted: Sequence[Play],
    make_target: Callable[[], Target],
    done: Callable[[Played], None],
    *,
    concurrency: int,
    stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Play them all; ``done`` is told of each as it ends. A target's failure ends its playing, nothing else."""
    queue = iter(wanted)

    async def work() -> None:
        target = make_target()
        try:
            for play in queue:
                if stopped():
                    return
                done(await play_one(play, target))
        finally:
            await target.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(max(1, min(concurrency, len(wanted)))):
            group.create_task(work())


async def play_one(play: Play, target: Target) -> Played:
    """Say what the user says, turn by turn, and keep what the target answers."""
    scenario = play.scenario
    messages: list[Message] = [Message("system", scenario.system)] if scenario.system else []
    for turn, text in enumerate(scenario.user, 1):
        messages.append(Message("user", text))
        asked = Asked(scenario.id, play.trial, _chat(messages))
        try:
            messages += _referenced(await target.reply(asked), scenario, messages)
        except TargetError as fault:
            return Played(play, None, turn, fault.cause.value, fault.detail)
    return Played(play, _dialogue(play, tuple(messages)))


def _chat(messages: Sequence[Message]) -> list[dict[str, object]]:
    """The conversation as an OpenAI chat: what the target said comes back to it, references don't."""
    rows = native.to_json(Dialogue("", tuple(replace(m, references=(), context=()) for m in messages)))[
        "messages"
    ]
    assert isinstance(rows, list)
    return [row for row in rows if isinstance(row, dict)]


def _referenced(answer: Sequence[Message], scenario: Scenario, before: Sequence[Message]) -> list[Message]:
    """The answer with the known good replies of the scenario, by the number of each reply."""
    number = sum(message.role == "assistant" for message in before)
    messages = []
    for message in answer:
        number += message.role == "assistant"
        known = scenario.references.get(number, ()) if message.role == "assistant" else ()
        messages.append(replace(message, references=known))
    return messages


def _dialogue(play: Play, messages: tuple[Message, ...]) -> Dialogue:
    scenario = play.scenario
    return Dialogue(
        id=play.name,
        messages=messages,
        group=scenario.id,
        goal=scenario.goal,
        tools=scenario.tools,
        context=scenario.context,
        metadata={**scenario.metadata, "trial": play.trial},
    )
