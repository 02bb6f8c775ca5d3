"""tau-bench: trajectories of a tool-using agent with their reward, several trials of each task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evalharness.core.canonical import Json
from evalharness.data.readers.interface import RecordReader
from evalharness.data.readers.messages import read_messages
from evalharness.data.readers.parts import Draft, finished, keep_unknown
from evalharness.data.reading import Read, Record, RecordError
from evalharness.data.words import json_kind

_KNOWN = frozenset(("task_id", "trial", "reward", "traj", "info"))


class TauBenchReader(RecordReader):
    """One dialogue for each trajectory: id ``tau-<task>-<trial>``, group the task, reward and trial in metadata."""

    name = "tau-bench"
    looks_for = "'task_id', 'reward' and a list 'traj' of chat messages"

    def recognises(self, value: dict[str, Any]) -> bool:
        """The fields of a trajectory."""
        return isinstance(value.get("traj"), list) and "task_id" in value and "reward" in value

    def dialogues(self, record: Record) -> Sequence[Read]:
        """The one dialogue of the record; the goal is the instruction of the simulated user."""
        value = record.value
        task, trial, reward = value.get("task_id"), value.get("trial", 0), value.get("reward")
        for key, found in (("task_id", task), ("trial", trial)):
            if type(found) not in (int, str):
                raise RecordError(f"{key!r} is {json_kind(found)}, not a number")
        if type(reward) not in (int, float):
            raise RecordError(f"'reward' is {json_kind(reward)}, not a number")
        notes: list[str] = []
        messages = read_messages(value.get("traj"), notes)
        metadata: dict[str, Json] = {"task_id": task, "trial": trial, "reward": reward}
        keep_unknown(value, _KNOWN, metadata, notes)
        info = value.get("info")
        if info:
            metadata["info"] = info
        draft = Draft(
            messages,
            id=f"tau-{task}-{trial}",
            group=f"tau-{task}",
            goal=_instruction(info),
            metadata=metadata,
            notes=notes,
        )
        return (finished(draft, record),)


def _instruction(info: Any) -> str | None:
    task = info.get("task") if isinstance(info, dict) else None
    instruction = task.get("instruction") if isinstance(task, dict) else None
    return instruction if isinstance(instruction, str) else None
