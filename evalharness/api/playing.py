"""`run`: scripted users against a system under test; dialogues for `score` come out."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from evalharness.core import native
from evalharness.core.canonical import content_hash
from evalharness.core.dialogue import Dialogue
from evalharness.data.files import write_text
from evalharness.data.scenarios import read_scenarios
from evalharness.errors import InputError, UsageError
from evalharness.play.runner import Play, Played, play_all, plays
from evalharness.play.target import Target


@dataclass(frozen=True, slots=True)
class RunJob:
    """Everything that `evalharness run` can be told.

    ``target`` is a command, an http(s) address or ``module:function``; ``template`` a JSON file for other APIs than
    chat completions; ``set`` adds metadata (``system`` …) to every dialogue. ``function`` is the target itself, where
    it is at hand.
    """

    scenarios: tuple[str, ...]
    target: str
    out: Path
    trials: int = 1
    concurrency: int = 4
    timeout: float = 60.0
    model: str = "default"
    template: str | None = None
    set: Mapping[str, str] = field(default_factory=dict)
    function: Callable[..., Any] | None = None


@dataclass(frozen=True, slots=True)
class PlayResult:
    """What was played: dialogues written, failures by cause, playings that an interrupt left open."""

    out: Path
    dialogues: int
    failures: tuple[Played, ...]
    left: int

    @property
    def complete(self) -> bool:
        """Whether every playing gave a dialogue."""
        return not self.failures and not self.left


class Journal:
    """What has been played, a line each, so that a second run goes on where the first stopped."""

    def __init__(self, path: Path, key: Callable[[Play], str]) -> None:
        self.path = path
        self._key = key
        self._held: dict[str, Dialogue] = {}
        if path.exists():
            for line in path.read_bytes().split(b"\n")[
                :-1
            ]:  # what stands behind the last line end is a torn line
                row = json.loads(line)
                self._held[row["key"]] = native.from_json(row["dialogue"])

    def get(self, play: Play) -> Dialogue | None:
        """The dialogue of a playing, if it is done."""
        return self._held.get(self._key(play))

    def put(self, play: Play, dialogue: Dialogue) -> None:
        """Keep a dialogue: it is on disk when this returns."""
        self._held[self._key(play)] = dialogue
        line = json.dumps({"key": self._key(play), "dialogue": native.to_json(dialogue)}, ensure_ascii=True)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            data = line.encode() + b"\n"
            while data:
                data = data[os.write(descriptor, data) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def run_scenarios(job: RunJob, progress: Callable[[int, int], None] | None = None) -> PlayResult:
    """Play every scenario; write the dialogues in the order of the scenarios, and the failures beside them.

    A failing target is a failure with its cause, never a dialogue. The same job goes on where it stopped; failures are
    played again. Raises ``InputError`` for bad scenarios, ``UsageError`` for a target that can't be used.
    """
    wanted = list(plays(read_scenarios(job.scenarios), job.trials))
    make_target = _target_maker(job)
    made = content_hash([job.target, job.model, job.template or "", dict(job.set)], 32)
    job.out.parent.mkdir(parents=True, exist_ok=True)
    journal = Journal(
        job.out.with_name(f"{job.out.name}.journal"),
        lambda play: f"{play.scenario.content()}:{play.name}:{made}",
    )
    failures: list[Played] = []
    open_plays = [play for play in wanted if journal.get(play) is None]
    finished = len(wanted) - len(open_plays)

    def done(played: Played) -> None:
        nonlocal finished
        finished += 1
        if played.dialogue is None:
            failures.append(played)
        else:
            extra = {**played.dialogue.metadata, **job.set}
            journal.put(played.play, replace(played.dialogue, metadata=extra))
        if progress is not None:
            progress(finished, len(wanted))

    interrupted = _run(open_plays, make_target, done, job.concurrency)
    return _write(job, wanted, journal, failures, interrupted)


def _run(
    wanted: list[Play], make_target: Callable[[], Target], done: Callable[[Played], None], concurrency: int
) -> bool:
    """Play; whether Ctrl-C came. What was played before it is kept."""
    try:
        asyncio.run(play_all(wanted, make_target, done, concurrency=concurrency))
    except KeyboardInterrupt:
        return True
    return False


def _write(
    job: RunJob, wanted: list[Play], journal: Journal, failures: list[Played], interrupted: bool
) -> PlayResult:
    dialogues = [dialogue for play in wanted if (dialogue := journal.get(play)) is not None]
    write_text(job.out, (json.dumps(native.to_json(d), ensure_ascii=False) + "\n" for d in dialogues))
    ordered = sorted(failures, key=lambda played: (played.play.scenario.id, played.play.trial))
    path = job.out.with_name(f"{job.out.name}.failures")
    if ordered:
        write_text(path, (json.dumps(_failure(played)) + "\n" for played in ordered))
    else:
        path.unlink(missing_ok=True)
    left = len(wanted) - len(dialogues) - len(failures)
    if not ordered and not interrupted and not left:
        journal.path.unlink(missing_ok=True)
    return PlayResult(job.out, len(dialogues), tuple(ordered), left)


def _failure(played: Played) -> dict[str, Any]:
    play = played.play
    return {
        "scenario": play.scenario.id, "trial": play.trial, "user_turn": played.failed_at, "cause": played.cause,
        "detail": played.detail,
    }  # fmt: skip


def _target_maker(job: RunJob) -> Callable[[], Target]:
    target, given = job.target, job.function
    if given is not None:
        from evalharness.play.function_target import FunctionTarget

        return lambda: FunctionTarget(given, job.timeout)
    if target.startswith(("http://", "https://")):
        return _http_maker(job)
    if ":" in target and " " not in target and not Path(target).exists():
        from evalharness.play.function_target import FunctionTarget, find_function

        function = find_function(target)
        return lambda: FunctionTarget(function, job.timeout)
    from evalharness.play.process_target import ProcessTarget

    if not target.strip():
        raise UsageError(
            "the target is empty", fix="Write --target 'python bot.py', an address, or module:function."
        )
    return lambda: ProcessTarget(target, job.timeout)


def _http_maker(job: RunJob) -> Callable[[], Target]:
    """A key goes along only as `llm.keys` allows it for the host; plain http goes to this machine alone."""
    from evalharness.llm.keys import OPENAI, PLACEHOLDER, Trust, endpoint_for, key_for
    from evalharness.play.http_target import HttpTarget, Template

    trust = Trust.from_environment()
    endpoint = endpoint_for(OPENAI, job.target, trust)
    if job.template is not None:
        template, url = _template(job.template), endpoint.url
        key = ""
    else:
        template = Template.chat(job.model)
        url = (
            endpoint.url
            if endpoint.path.endswith("/chat/completions")
            else f"{endpoint.url}/chat/completions"
        )
        value = str(key_for(OPENAI, endpoint, trust).value)
        key = "" if value == PLACEHOLDER else value
    return lambda: HttpTarget(url, template, job.timeout, key)


def _template(name: str) -> Any:
    from evalharness.data import strictjson
    from evalharness.play.http_target import Template

    try:
        value = strictjson.loads(Path(name).read_bytes())
    except OSError as fault:
        raise InputError(f"{name}: can't read it: {fault.strerror}") from fault
    except strictjson.JsonError as fault:
        raise InputError(f"{name}: {fault}") from fault
    if not isinstance(value, dict) or "body" not in value or not isinstance(value.get("reply"), str):
        raise InputError(
            f"{name}: a template has body and reply",
            fix='Write {"body": {"text": "$last"}, "reply": "answer.text"}.',
        )
    headers = value.get("headers", {})
    return Template(value["body"], value["reply"], headers if isinstance(headers, dict) else {})
