"""Random faults of a provider change neither scores nor counts; refusals and limits stop a run in time."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from evalharness.api import scoring
from tests.cli.runner import report
from tests.faultd import RETRYABLE, Status, always, good, mixed
from tests.reliability.bench import PRICES, Bench, no_backoff
from tests.tiny import POLITE


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries follow at once, so that no time is lost."""
    monkeypatch.setattr(scoring, "RetryPolicy", no_backoff())


def mixed_faults(bench: Bench, seeds: range) -> Iterator[int]:
    """One run of 50 dialogues per seed with 30 % of attempts failing; yields the attempts that it took."""
    bench.write(50)
    assert bench.here("whole", "--no-cache").code == 0
    whole = bench.report("whole")
    bench.server.script = mixed(RETRYABLE, 0.3)
    for seed in seeds:
        bench.server.seed = seed
        bench.forget()
        bench.remove("r")
        ran = bench.here("r", "--no-cache")
        assert ran.code == 0, (seed, ran.err)
        assert bench.report("r") == whole, seed
        attempts = bench.attempts("r")
        assert attempts["ok"] == 50
        assert sum(attempts.values()) == bench.server.count > 50
        yield bench.server.count


def test_mixed_faults_leave_the_report_byte_equal(bench: Bench):
    assert len(list(mixed_faults(bench, range(6)))) == 6


@pytest.mark.slow
def test_mixed_faults_of_a_thousand_seeds(bench: Bench):
    assert len(list(mixed_faults(bench, range(1000)))) == 1000


@pytest.mark.parametrize(
    "refusal",
    [
        Status(401, "invalid_api_key"),
        Status(402, "payment_required"),
        Status(429, "insufficient_quota"),
        Status(404, "model_not_found"),
    ],
    ids=["401", "402", "quota", "404"],
)
def test_a_refusal_stops_the_judge_at_once_and_the_run_resumes(bench: Bench, refusal: Status):
    assert bench.here("whole", "--no-cache").code == 0
    bench.forget()
    bench.server.script = always(refusal)
    ran = bench.here("r", "--no-cache", "--concurrency", "4")
    assert ran.code == 3, ran.err
    assert 1 <= bench.server.count <= 4
    assert report(bench.work / "r") != report(bench.work / "whole")
    bench.server.script = good
    assert bench.here("r", "--no-cache", "--concurrency", "4").code == 0
    assert bench.report("r") == bench.report("whole")


def test_a_refusal_stops_every_judge_that_waits_for_the_same_model(bench: Bench):
    (bench.work / "other.yaml").write_text(POLITE.replace("rubric: ", "rubric: other-"))
    bench.server.script = always(Status(401, "invalid_api_key"))
    ran = bench.here("r", "--no-cache", "--concurrency", "4", "--rubric", "other.yaml")
    assert ran.code == 3, ran.err
    assert 1 <= bench.server.count <= 4


def test_max_cost_stops_before_the_limit_and_a_higher_one_goes_on(bench: Bench):
    (bench.work / "evalharness.yaml").write_text(PRICES)
    assert bench.here("r", "--max-cost", "0.004", "--no-cache").code == 3
    sent = bench.server.count
    assert 0 < sent < bench.rows
    assert bench.execution("r")["cost_usd"] <= 0.004
    assert bench.here("r", "--max-cost", "5", "--no-cache").code == 0
    assert bench.server.count == bench.rows


def test_max_cost_that_is_enough_is_enough_whatever_may_be_in_flight(bench: Bench):
    """Requests cost far less than they might: one for which there is no room yet waits for those in flight."""
    (bench.work / "evalharness.yaml").write_text(PRICES)
    assert bench.here("a", "--concurrency", "1", "--no-cache").code == 0
    cost = bench.execution("a")["cost_usd"]
    with closing(sqlite3.connect(bench.work / "a" / "run.sqlite")) as ledger:
        (most,) = ledger.execute("SELECT max(possible) FROM attempts").fetchone()
    ran = bench.here("r", "--max-cost", str(cost + most), "--concurrency", "16", "--no-cache")
    assert ran.code == 0, ran.err
    assert bench.execution("r")["cost_usd"] == pytest.approx(cost)


def test_max_cost_needs_a_price(bench: Bench):
    ran = bench.here("r", "--max-cost", "1")
    assert ran.code == 2
    assert "price of m is not known" in ran.err
    assert bench.server.count == 0


def test_max_failures_stops_the_run(bench: Bench):
    bench.server.script = always(Status(400, "invalid_request_error"))
    ran = bench.here("r", "--max-failures", "2", "--concurrency", "1", "--no-cache")
    assert ran.code == 3, ran.err
    assert bench.server.count == 3


def test_a_dry_run_sends_nothing_and_makes_no_folder(bench: Bench):
    ran = bench.here("r", "--dry-run")
    assert ran.code == 0, ran.err
    assert bench.server.count == 0
    assert not (bench.work / "r").exists()


def test_a_dry_run_tells_the_most_that_is_set_aside(bench: Bench):
    """Reasoning and what ``extra_body`` allows included, as --max-cost counts them."""
    (bench.work / "evalharness.yaml").write_text(
        f"{PRICES}models:\n  m: {{extra_body: {{max_tokens: 900}}}}\n"
    )
    (told,) = json.loads(bench.here("r", "--dry-run", "--json", "--no-cache").out)
    assert bench.here("r", "--no-cache").code == 0
    with closing(sqlite3.connect(bench.work / "r" / "run.sqlite")) as ledger:
        (most,) = ledger.execute("SELECT sum(possible) FROM attempts").fetchone()
    assert told["most_cost"] == pytest.approx(most)


def test_a_dry_run_counts_requests_that_two_judges_share_once(bench: Bench):
    judges = [word for name in ("a", "b") for word in ("--judge", f"{name}=openai:m@{bench.server.url}")]
    rows = json.loads(bench.here("r", *judges, "--dry-run", "--json").out)
    assert [(row["requests"], row["cached"]) for row in rows] == [(bench.rows, 0), (0, bench.rows)]
    assert bench.here("r", *judges).code == 0
    assert bench.server.count == bench.rows


@pytest.mark.parametrize(
    "change", [("--temperature", "0.5"), ("--epoch", "two"), ("--max-tokens", "300"), ("--samples", "2")]
)
def test_another_setting_shares_no_cached_verdict(bench: Bench, change: tuple[str, str]):
    (bench.work / "evalharness.yaml").write_text("models:\n  m: {temperature: true}\n")
    assert bench.here("a").code == 0
    bench.forget()
    ran = bench.here("b", *change)
    assert ran.code == 0, ran.err
    assert bench.server.count >= bench.rows


def test_the_same_settings_share_every_verdict(bench: Bench):
    assert bench.here("a").code == 0
    bench.forget()
    assert bench.here("b").code == 0
    assert bench.server.count == 0
    assert bench.report("a") == bench.report("b")
