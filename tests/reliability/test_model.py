"""R16: random sequences of what people and machines do to a run folder, against a model that is one dictionary."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from evalharness.data.lock import exclusive
from evalharness.engine.judging import ask_again
from tests.faultd import Act, Answer, Faultd, Seen, Status
from tests.reliability.bench import Bench, mark
from tests.reliability.killing import POINTS
from tests.reliability.nursery import Nursery

FLAGS = ("--no-cache", "--concurrency", "2")
DEADLY = sorted(set(POINTS) - {"after_cache", "before_ingest"})


def machine(server: Faultd, nursery: Nursery) -> type[RuleBasedStateMachine]:
    """The machine over a server and a nursery that live as long as the test."""

    class RunFolder(RuleBasedStateMachine):
        """``texts`` is the input; ``changed`` says that the ledger was started with another one."""

        def __init__(self) -> None:
            super().__init__()
            self.place = tempfile.TemporaryDirectory()
            self.bench = Bench(server, Path(self.place.name), rows=0)
            os.chdir(self.place.name)
            self.texts: dict[int, int] = {}
            self.changed = False
            self.refused: set[str] = set()
            server.script = self.act
            self.bench.forget()

        def act(self, seen: Seen) -> Act:
            return Status(400, "invalid_request_error") if seen.row in self.refused else Answer()

        @initialize(rows=st.integers(1, 5))
        def begin(self, rows: int) -> None:
            self.texts = dict.fromkeys(range(rows), 0)
            self.write()

        def write(self) -> None:
            self.bench.write_versions(self.texts)

        @rule(rows=st.integers(1, 3))
        def add(self, rows: int) -> None:
            self.texts |= dict.fromkeys(range(len(self.texts), len(self.texts) + rows), 0)
            self.write()
            self.changed = True

        @rule(data=st.data())
        def edit(self, data: st.DataObject) -> None:
            row = data.draw(st.sampled_from(sorted(self.texts)))
            self.texts[row] += 1
            self.write()
            self.changed = True

        @rule(data=st.data())
        def refuse_a_row(self, data: st.DataObject) -> None:
            row = data.draw(st.sampled_from(sorted(self.texts)))
            self.refused.add(mark(row, self.texts[row]))

        @rule()
        def refuse_none(self) -> None:
            self.refused.clear()

        @precondition(lambda self: not self.refused)
        @rule()
        def run(self) -> None:
            before = self.acknowledged()
            ran = self.bench.here("r", *FLAGS, "--update", "--retry-failed")
            assert ran.code == 0, ran.err
            self.check(before)
            self.changed = False
            assert self.bench.report("r") == self.fresh()

        @rule()
        def run_among_refusals(self) -> None:
            before = self.acknowledged()
            assert self.bench.here("r", *FLAGS, "--update").code == 0
            self.check(before)
            self.changed = False

        @rule(point=st.sampled_from(DEADLY), passage=st.integers(1, 6))
        def die(self, point: str, passage: int) -> None:
            before = self.acknowledged()
            ran = self.bench.fork(nursery, "r", *FLAGS, "--update", point=f"{point}:{passage}").wait()
            assert ran.code in (0, -9), ran.err
            self.check(before)

        @precondition(lambda self: self.changed and (self.bench.work / "r" / "run.sqlite").exists())
        @rule()
        def run_without_leave_to_change(self) -> None:
            count = server.count
            ran = self.bench.here("r", *FLAGS)
            if ran.code:
                assert "changed" in ran.err or "--update" in ran.err, ran.err
                assert server.count == count

        @precondition(lambda self: (self.bench.work / "r").exists())
        @rule()
        def run_beside_another(self) -> None:
            count = server.count
            with exclusive(self.bench.work / "r"):
                assert self.bench.here("r", *FLAGS, "--update").code != 0
            assert server.count == count

        def acknowledged(self) -> dict[str, tuple[str, int]]:
            """Verdicts in the ledger by the mark of their text, with how often the server was asked about it."""
            return {
                mark: (body, server.attempts[mark])
                for mark, body in self.bench.verdicts("r").items()
                if not ask_again(body, retry_failed=True)
            }

        def check(self, before: dict[str, tuple[str, int]]) -> None:
            """A verdict on a text that is still in the input is there still, and nobody asked for it again."""
            current = {mark(row, version) for row, version in self.texts.items()}
            after = self.bench.verdicts("r")
            for text, (body, asked) in before.items():
                assert server.attempts[text] == asked
                assert text not in current or after[text] == body

        def fresh(self) -> bytes:
            asked = Counter(server.attempts)
            self.bench.remove("fresh")
            assert self.bench.here("fresh", *FLAGS).code == 0
            server.attempts.clear()
            server.attempts.update(asked)
            return self.bench.report("fresh")

        def teardown(self) -> None:
            os.chdir("/")
            self.place.cleanup()

    return RunFolder


@pytest.mark.parametrize("examples", [pytest.param(4), pytest.param(300, marks=pytest.mark.slow)])
def test_any_sequence_of_events_leaves_what_the_model_says(
    server: Faultd, nursery: Nursery, own_home: Path, examples: int
):
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    chosen = settings(
        max_examples=examples,
        stateful_step_count=10,
        deadline=None,
        suppress_health_check=checks,
        database=None,
    )
    run_state_machine_as_test(machine(server, nursery), settings=chosen)  # type: ignore[no-untyped-call]
