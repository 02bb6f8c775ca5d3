"""The small job of ``bench``, asked by way of batches on each wire."""

from __future__ import annotations

from dataclasses import dataclass

from tests.cli.runner import Ran
from tests.faultd_batches import Shop
from tests.reliability.bench import Bench
from tests.reliability.nursery import Nursery, Nursling

WIRES = {"chat": (), "responses": ("--api", "responses"), "messages": ()}
PRICES = "prices:\n  m: {input: 1.0, output: 2.0, batch: 0.5}\n"
_WHOLE: dict[tuple[int, str, bytes], bytes] = {}
SOON = ("--wait", "--poll", "0.01")


@dataclass
class BatchBench:
    """A job and the shop that answers its batches; ``wire`` names how the judge is asked."""

    bench: Bench
    shop: Shop
    wire: str = "chat"

    def __post_init__(self) -> None:
        (self.bench.work / "evalharness.yaml").write_text(PRICES)

    @property
    def flags(self) -> tuple[str, ...]:
        server = self.bench.server
        spec = f"anthropic:m@{server.root}" if self.wire == "messages" else f"openai:m@{server.url}"
        return ("--judge", f"j={spec}", *WIRES[self.wire], "--no-cache")

    def live(self, out: str, *more: str) -> Ran:
        """The job without batches."""
        return self.bench.here(out, *self.flags, *more)

    def batch(self, *more: str, out: str = "r") -> Ran:
        """The job by batches."""
        return self.bench.here(out, *self.flags, "--batch", *more)

    def fork(self, nursery: Nursery, *more: str, point: str = "") -> Nursling:
        """The job by batches in a child process."""
        return self.bench.fork(nursery, "r", *self.flags, "--batch", *more, point=point)

    def whole(self, *, fresh: bool = False) -> bytes:
        """The report of a live run, made once for all tests of a server unless ``fresh``; counters start anew."""
        name = (self.bench.server.port, self.wire, (self.bench.work / "in.jsonl").read_bytes())
        if fresh or name not in _WHOLE:
            ran = self.live("whole")
            assert ran.code == 0, ran.err
            self.bench.forget()
            if fresh:
                return self.bench.report("whole")
            _WHOLE[name] = self.bench.report("whole")
        return _WHOLE[name]

    def finish(self, *more: str, rounds: int = 8) -> int:
        """The same command until it is done; how often it was given."""
        for number in range(1, rounds + 1):
            ran = self.batch(*more)
            if ran.code == 0:
                return number
            assert ran.code == 3, ran.err
        raise AssertionError(f"not done after {rounds} commands: {ran.err}")

    @property
    def report(self) -> bytes:
        return self.bench.report("r")

    def check_paid(self, most: int = 1) -> None:
        """Every row was answered, and none more often than that."""
        billed = self.shop.billed
        assert set(billed) == {f"d{number}" for number in range(self.bench.rows)}
        assert max(billed.values()) <= most, billed

    def check_accounted(self, whole: bytes) -> None:
        """The report is that of the live run, every answer is an attempt, and no request is left in flight."""
        assert self.report == whole
        told = self.bench.execution("r")
        attempts = self.bench.attempts("r")
        assert attempts.get("batched", 0) == told["in_batches"] == 0
        assert told["unknown_outcome"] == attempts.get("unknown", 0)
        assert sum(self.shop.billed.values()) <= attempts["ok"] + attempts.get("unknown", 0)
