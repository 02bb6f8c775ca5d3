"""The reliability rows at full counts: `python bench/reliability.py` (or `make reliability`) writes a table of results.

Each row repeats one experiment of ``tests/reliability`` until its count or its time is reached, and stops at the first
violation. ``--minutes`` bounds each row; the table says how many repetitions were really made.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from evalharness.api import scoring
from tests.faultd import Faultd
from tests.reliability import test_faults, test_killed, test_resume
from tests.reliability.bench import Bench, no_backoff
from tests.reliability.nursery import Nursery

Steps = Iterator[tuple[int, str]]
"""Repetitions made so far, and what is worth telling about them."""


@dataclass(frozen=True)
class Row:
    """One experiment: its name in the table, what is repeated, how often, and how."""

    name: str
    unit: str
    count: int
    run: Callable[[Bench, Nursery, int], Steps]


def faults(bench: Bench, _nursery: Nursery, count: int) -> Steps:
    """R1: seeds of mixed faults, 50 dialogues each."""
    attempts = 0
    with patch.object(scoring, "RetryPolicy", no_backoff()):
        for number, sent in enumerate(test_faults.mixed_faults(bench, range(count)), 1):
            attempts += sent
            yield number, f"{attempts:,} requests for {50 * number:,} verdicts, reports byte-equal"


def kills(bench: Bench, nursery: Nursery, count: int) -> Steps:
    """R10: SIGKILL at random requests."""
    for number, again in test_killed.kill_many(bench, nursery, count):
        yield number, f"0 acknowledged verdicts lost or asked again; {again:,} in flight sent again"


def damage(bench: Bench, _nursery: Nursery, count: int) -> Steps:
    """R15: ledgers with a flipped bit or a cut-off end."""
    refused = 0
    for number, found in enumerate(test_resume.damage_stores(bench, count), 1):
        refused += found
        yield (
            number,
            f"{refused:,} refused, {number - refused:,} without effect on the report, 0 wrong scores",
        )


ROWS = {
    "R1": Row("30 % mixed faults", "seeds", 1000, faults),
    "R10": Row("SIGKILL", "kills", 1000, kills),
    "R15": Row("damaged ledgers", "damages", 2000, damage),
}


def measured(name: str, row: Row, minutes: float) -> str:
    """Run a row; returns its line of the table."""
    started = time.monotonic()
    number, told, failed = 0, "", ""
    with tempfile.TemporaryDirectory() as folder, Faultd(keep=False) as server, Nursery() as nursery:
        os.environ["XDG_CACHE_HOME"] = f"{folder}/cache"
        os.chdir(folder)
        try:
            for step in row.run(Bench(server, Path(folder)), nursery, row.count):
                number, told = step
                if time.monotonic() - started > 60.0 * minutes:
                    break
        except AssertionError as error:
            failed = f"VIOLATED after {number}: {str(error).splitlines()[0][:200] if str(error) else 'see the test'}"
        os.chdir("/")
    seconds = time.monotonic() - started
    return f"| {name} | {row.name} | {number:,} of {row.count:,} {row.unit} | {failed or told} | {seconds:.0f} s |"


def main() -> int:
    """Run the rows that are named, all by default."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", help=f"some of {', '.join(ROWS)}")
    parser.add_argument("--minutes", type=float, default=30.0, help="the longest time for one row")
    parser.add_argument("--out", default="reports/reliability.md", help="where the table goes")
    options = parser.parse_args()
    out = Path(options.out).resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        f"Python {platform.python_version()}, {platform.system()}, {os.cpu_count()} processors", "",
        "| row | what | repetitions | result | time |", "|---|---|---|---|---|",
    ]  # fmt: skip
    for name in options.rows or list(ROWS):
        lines.append(measured(name, ROWS[name], options.minutes))
        out.write_text("\n".join(lines) + "\n", encoding="utf-8")
        print(lines[-1], flush=True)
    return int(any("VIOLATED" in line for line in lines))


if __name__ == "__main__":
    sys.exit(main())
