"""Large runs from the cache: several processes at work, the same files, nothing asked."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from evalharness.api import choosing
from evalharness.data.cache import VerdictCache
from evalharness.engine import recalling
from evalharness.engine.forks import can_copy
from tests.reliability.bench import Bench

pytestmark = pytest.mark.skipif(
    not can_copy(), reason="this machine has one processor or can't copy processes"
)
FILES = ("report.json", "scores.jsonl", "scores.csv")


@pytest.fixture(autouse=True)
def little_is_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recalling, "WORTH", 3)
    monkeypatch.setattr(choosing, "WORTH", 3)


def test_a_cached_run_asks_nothing_and_writes_the_same(bench: Bench):
    assert bench.here("first").code == 0
    asked = bench.server.count
    assert bench.here("second").code == 0
    assert bench.server.count == asked
    for name in FILES:
        assert (bench.work / "second" / name).read_bytes() == (bench.work / "first" / name).read_bytes(), name
    execution = json.loads((bench.work / "second" / "execution.json").read_text())
    assert sum(judge["from_cache"] for judge in execution["judges"]) == bench.rows
    page = (bench.work / "second" / "report.html").read_text()
    assert page.count('"r11"') == (bench.work / "first" / "report.html").read_text().count('"r11"')


def test_a_cached_run_loads_no_sdk(bench: Bench):
    assert bench.here("first").code == 0
    program = (
        "import atexit, sys; from evalharness.cli import main; "
        "atexit.register(lambda: print(*{'openai', 'anthropic'} & set(sys.modules), file=sys.stderr)); main()"
    )
    command = [sys.executable, "-c", program, *bench.arguments("second")]
    done = subprocess.run(command, cwd=bench.work, capture_output=True, text=True, check=True)
    assert done.stderr.strip() == ""
    assert (bench.work / "second" / "report.json").exists()


def test_what_is_not_in_the_cache_is_asked(bench: Bench):
    assert bench.here("first").code == 0
    bench.forget()
    bench.write(bench.rows, edit=4)
    assert bench.here("second").code == 0
    assert bench.server.count == 1


def test_a_damaged_entry_is_asked_again_and_nothing_else(bench: Bench):
    assert bench.here("first").code == 0
    bench.forget()
    cache = VerdictCache()
    cache._db.execute("UPDATE verdicts SET value = value || ' ' WHERE key = (SELECT min(key) FROM verdicts)")
    cache.outcomes.clear()
    cache.close()
    assert bench.here("second").code == 0
    assert bench.server.count == 1
    assert (bench.work / "second" / "report.json").read_bytes() == (
        bench.work / "first" / "report.json"
    ).read_bytes()


DAMAGE = {"body": "replace(body, '1', '0')", "replies": "replies + 1", "turn": "turn + 2"}


@pytest.mark.parametrize("column", DAMAGE)
def test_a_damaged_outcome_is_read_anew_from_its_verdicts(bench: Bench, column: str):
    assert bench.here("first").code == 0
    asked = bench.server.count
    cache = VerdictCache()
    assert cache.outcomes.count() == bench.rows
    cache._db.execute(f"UPDATE outcomes SET {column} = {DAMAGE[column]}")
    cache.close()
    assert bench.here("second").code == 0
    assert bench.server.count == asked
    for name in FILES:
        assert (bench.work / "second" / name).read_bytes() == (bench.work / "first" / name).read_bytes(), name
    execution = json.loads((bench.work / "second" / "execution.json").read_text())
    assert sum(judge["from_cache"] for judge in execution["judges"]) == bench.rows


def test_a_damaged_name_of_a_model_does_not_make_the_right_one_another(bench: Bench):
    assert bench.here("first").code == 0
    asked = bench.server.count
    cache = VerdictCache()
    cache._db.execute("""UPDATE outcomes SET models = '["another"]'""")
    cache.close()
    bench.write(bench.rows + 1)
    assert bench.here("second").code == 0
    assert bench.server.count == asked + 1


def test_the_page_is_chosen_here_where_no_copy_can_do_it(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    assert bench.here("first").code == 0
    monkeypatch.setattr(choosing, "Ledger", None)  # what the copy opens
    assert bench.here("second").code == 0
    assert (bench.work / "second" / "report.html").stat().st_size > 10_000
