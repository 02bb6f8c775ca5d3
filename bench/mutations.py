"""Turn each defence off, one at a time, in a copy of the project, and see that its tests notice.

    python bench/mutations.py [NAME …]

Prints a line per defence and ends with 1 when a mutant survives, or when its tests fail without the change.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PARTS = (
    "evalharness",
    "tests",
    "rubrics",
    "datasets",
    "docs",
    "bench",
    "pyproject.toml",
    "README.md",
    "CHANGELOG.md",
)


@dataclass(frozen=True)
class Mutant:
    """A defence: the text that makes it, what stands there without it, and the tests that must notice."""

    name: str
    file: str
    text: str
    instead: str
    tests: tuple[str, ...]


R = "tests/reliability"
MUTANTS = (
    Mutant("attempt recorded before it is sent", "engine/asking.py",
           "token: int = asker.desk.ledger.begin_attempt(", "token: int = (lambda *a, **k: 0)(",
           (f"{R}/test_faults.py::test_mixed_faults_leave_the_report_byte_equal",)),
    Mutant("outcome committed before the next item", "engine/judging.py",
           "            self._desk.ledger.put_body(self.scorer, ref, body)\n",
           "            self._late = [*getattr(self, '_late', []), (ref, body)]\n"
           "            if len(self._late) >= 4:\n"
           "                for late in self._late:\n"
           "                    self._desk.ledger.put_body(self.scorer, *late)\n"
           "                self._late = []\n",
           (f"{R}/test_killed.py",)),
    Mutant("checksum of remembered outcomes", "data/cached_outcomes.py",
           "if crc == _crc(key, turn, body, models, replies):", "if True:",
           (f"{R}/test_cached.py",)),
    Mutant("nothing is sent before its record is committed", "data/ledger/attempts.py",
           "            self._group.commit()\n        return int", "            pass\n        return int",
           ("tests/engine/test_judging.py",)),
    Mutant("lock on the run folder", "data/lock.py", "fcntl.LOCK_EX | fcntl.LOCK_NB", "fcntl.LOCK_SH | fcntl.LOCK_NB",
           (f"{R}/test_resume.py::test_a_second_process_is_refused_and_a_dead_one_leaves_no_lock",)),
    Mutant("checksum of outcomes", "data/ledger/schema.py", 'f"{dialogue},{turn},{scorer},{body}".encode()', 'b""',
           ("tests/data_ledger/test_store.py",)),
    Mutant("changed input refused", "engine/ingest.py", "RunConflictError(", "StorageError(",
           (f"{R}/test_resume.py::test_what_changed_is_refused_by_name", "tests/cli/test_score.py")),
    Mutant("reports written whole or not at all", "data/files.py", "os.replace(name, path)  # noqa: PTH105",
           "Path(path).write_text(Path(name).read_text()[:-200]); os.replace(name, path)",
           (f"{R}/test_killed.py",)),
    Mutant("another model is not mixed in", "engine/answering.py", "and not self.mixed:", "and False:",
           (f"{R}/test_resume.py",)),
    Mutant("cache key names the model", "engine/asking.py", "[dict(client.identity), request", "[{}, request",
           ("tests/engine/test_judging.py",)),
    Mutant("cache key names the epoch", "engine/asking.py", "sample, epoch], 64)", "sample, ''], 64)",
           ("tests/engine/test_judging.py", f"{R}/test_faults.py")),
    Mutant("equal requests paid once", "engine/asking.py",
           "        await lock.acquire()\n        return _Alone(self, key)",
           "        lock = asyncio.Lock()\n        self._locks[key] = (lock, users + 1)\n        await lock.acquire()\n"
           "        return _Alone(self, key)",
           ("tests/engine/test_judging.py",)),
    Mutant("requests in flight count against --max-cost", "engine/budget.py", "self.spent + self.in_flight + most",
           "self.spent", (f"{R}/test_faults.py",)),
    Mutant("waits that are nonsense are ignored", "llm/retry_after.py",
           '_NUMBER.fullmatch(value.strip()) if value is not None else None',
           '_NUMBER.search(value) if value is not None else None',
           ("tests/llm/test_retry_after.py", f"{R}/test_provider.py")),
    Mutant("waits are capped", "llm/throttle.py", "min(seconds, self._bounds.max_wait)", "seconds",
           (f"{R}/test_provider.py",)),
    Mutant("a refusal ends the lane", "llm/throttle.py", "if fault.fatal:", "if False:",
           (f"{R}/test_faults.py",)),
    Mutant("circuit breaker", "llm/breaker.py", "if self._failures >= self.threshold:", "if False:",
           (f"{R}/test_provider.py",)),
    Mutant("deadline of an attempt", "llm/retry.py", "asyncio.timeout(seconds)", "asyncio.timeout(20 + seconds)",
           (f"{R}/test_provider.py", "tests/llm/test_retry.py")),
    Mutant("attempts are capped", "llm/retry.py", "or number >= policy.attempts", "or number >= 50",
           ("tests/llm/test_retry.py",)),
    Mutant("bodies are capped", "llm/http.py", "if size > limit:", "if False:", ("tests/llm/test_providers.py",)),
    Mutant("redirects are not followed", "llm/http.py", "options.update(stream=True, follow_redirects=False)",
           "options.update(stream=True, follow_redirects=True)",
           ("tests/llm/test_providers.py", "tests/llm/test_leaks.py")),
    Mutant("keys stay with their host", "llm/keys.py", "if asked is not None and asked not in names:",
           "if False:", ("tests/llm/test_keys.py",)),
    Mutant("plain http needs leave", "llm/keys.py",
           'endpoint.scheme == "http" and not', 'endpoint.scheme == "x" and not',
           ("tests/llm/test_keys.py",)),
    Mutant("secrets are scrubbed", "llm/scrub.py", "text = text.replace(secret, REMOVED_SECRET)", "pass",
           ("tests/llm/test_scrub.py",)),
    Mutant("two verdicts are none", "judges/verdict.py", "if len(values) > 1:", "if len(values) > 100:",
           ("tests/judges/test_verdict.py", "tests/judges/test_attacks.py")),
    Mutant("copied verdicts are not read", "judges/verdict.py",
           "if not _copied(reply, key, shown)", "if True", ("tests/judges/test_attacks.py",)),
    Mutant("the fence is secret", "judges/transcript.py", "hmac.new(secret, message", "hmac.new(b'known', message",
           ("tests/judges/test_attacks.py",)),
    Mutant("island text is inert", "report/html/island.py", '"[<>&', '"[&', ("tests/report/test_page_hostile.py",)),
    Mutant("no formula in a CSV cell", "data/csvcells.py", 'return f"\'{text}" if _acts(text) else text', "return text",
           ("tests/data_io/test_csvcells.py",)),
    Mutant("no command in a CI log", "core/text.py", 'if stripped.startswith("::") or "##[" in stripped:', "if False:",
           ("tests/core/test_text.py",)),
)  # fmt: skip


def copy_of_project(place: Path) -> None:
    """The parts that tests need."""
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, place / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, place / part)


def tests_pass(place: Path, tests: tuple[str, ...], patience: float = 1500.0) -> bool:
    """Whether the tests pass in the copy; the first failure, or hanging for ``patience`` seconds, ends them."""
    research = os.environ.get("EVALHARNESS_TEST_DATA", str(ROOT.parent / "shared" / "data"))
    environment = {
        **os.environ, "PYTHONPATH": str(place), "PYTHONDONTWRITEBYTECODE": "1", "EVALHARNESS_TEST_DATA": research,
    }  # fmt: skip
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-n", "0", *tests]
    try:
        done = subprocess.run(
            command, cwd=place, env=environment, capture_output=True, timeout=patience, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def is_noticed(place: Path, mutant: Mutant) -> bool:
    """Change the copy, run the tests, change it back."""
    path = place / "evalharness" / mutant.file
    whole = path.read_text(encoding="utf-8")
    if whole.count(mutant.text) != 1:
        sys.exit(
            f"{mutant.name}: {mutant.file} holds {mutant.text!r} {whole.count(mutant.text)} times, not once"
        )
    path.write_text(whole.replace(mutant.text, mutant.instead), encoding="utf-8")
    try:
        return not tests_pass(place, mutant.tests, 120.0)
    finally:
        path.write_text(whole, encoding="utf-8")


def main() -> None:
    """All defences, or those whose name holds one of the words given."""
    words = sys.argv[1:]
    chosen = [mutant for mutant in MUTANTS if not words or any(word in mutant.name for word in words)]
    survivors = 0
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        copy_of_project(place)
        every = tuple(sorted({test for mutant in chosen for test in mutant.tests}))
        if not tests_pass(place, every):
            sys.exit("the tests fail without any change")
        for mutant in chosen:
            noticed = is_noticed(place, mutant)
            survivors += not noticed
            sys.stdout.write(f"{'noticed ' if noticed else 'SURVIVES'}  {mutant.name}  ({mutant.file})\n")
            sys.stdout.flush()
    sys.stdout.write(f"{len(chosen) - survivors} of {len(chosen)} defences are missed when they are off\n")
    sys.exit(survivors > 0)


if __name__ == "__main__":
    main()
