"""Workers beside the ledger do what the engine does in one process; here they and the keeper share this process."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from evalharness.api import scoring
from evalharness.data.ledger.store import Ledger
from evalharness.engine import on_ray
from evalharness.engine.blocks import BlockScorer, Row, WorkerJob, share_of
from evalharness.engine.keeping import Keeper, KeeperJob
from evalharness.engine.on_ray import Cluster, RayRun
from evalharness.engine.plan import Limits, RunPlan
from evalharness.engine.progress import Progress
from evalharness.engine.run import Finished
from evalharness.errors import StorageError
from tests.cli.runner import DATASETS, report, run
from tests.faultd import RETRYABLE, Act, Answer, Seen, Status, always, good, mixed
from tests.reliability.bench import PRICES, Bench, no_backoff

Order = Callable[[list[list[Row]]], list[list[Row]]]
WORKERS = 2


@contextmanager
def crew(job: WorkerJob, keeper: Keeper) -> Iterator[list[BlockScorer]]:
    """Workers that were sent their job as Ray sends it."""
    workers = [
        BlockScorer(pickle.loads(pickle.dumps(replace(job, limits=share_of(job.limits, WORKERS)))), keeper)
        for _ in range(WORKERS)
    ]
    try:
        yield workers
    finally:
        for worker in workers:
            worker.close()
        keeper.close()


def here(order: Order) -> Callable[..., RayRun]:
    """Stands in for Ray: workers take blocks of 8 dialogues in turns, in the given order."""

    def execute(
        ledger: Ledger,
        plan: RunPlan,
        job: WorkerJob,
        keeper_job: KeeperJob,
        _cluster: Cluster,
        _progress: Progress,
    ) -> RayRun:
        keeper = Keeper(keeper_job)
        blocks = [[(stored.seq, stored.body) for stored in block] for block in ledger.dialogue_blocks(8)]
        with crew(job, keeper) as workers:
            for number, block in enumerate(order(blocks)):
                assert workers[number % WORKERS].score(block) == len(block)
            names = dict(zip(job.judge_numbers, (judge.name for judge in plan.judges), strict=True))
            stopped = keeper.stopped(names)
        return RayRun(Finished(stopped, None), keeper.cached(), keeper.warnings())

    return execute


@pytest.fixture(autouse=True)
def workers_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "execute_on_ray", here(lambda blocks: blocks))
    monkeypatch.setattr(scoring, "check_ray", lambda cluster: None)
    monkeypatch.setattr(scoring, "RetryPolicy", no_backoff())


def test_the_report_is_the_same_under_faults_whatever_the_order(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    bench.write(40)
    assert bench.here("whole", "--no-cache", "--metric", "surface").code == 0
    bench.server.script = mixed(RETRYABLE, 0.3)
    monkeypatch.setattr(scoring, "execute_on_ray", here(lambda blocks: blocks[::-1]))
    for seed in range(3):
        bench.server.seed = seed
        bench.forget()
        bench.remove("r")
        ran = bench.here("r", "--no-cache", "--metric", "surface", "--engine", "ray")
        assert ran.code == 0, ran.err
        assert bench.report("r") == bench.report("whole")
        attempts = bench.attempts("r")
        assert attempts["ok"] == 40
        assert sum(attempts.values()) == bench.server.count > 40


def test_the_sample_is_scored_alike(bench: Bench):
    options = [
        DATASETS / "sample.jsonl",
        "--rubric",
        "support-reply",
        "--judge",
        bench.spec,
        "--no-cache",
        "-q",
    ]
    options += ["--metric", "bleu,rouge,surface", "--check", "contains:the", "--set", "system=v1"]
    assert run("score", *options, "-o", "whole").code == 0
    bench.server.script = mixed(RETRYABLE, 0.3)
    ran = run("score", *options, "-o", "r", "--engine", "ray")
    assert ran.code == 0, ran.err
    for name in ("report.json", "scores.jsonl"):
        assert (bench.work / "r" / name).read_bytes() == (bench.work / "whole" / name).read_bytes()


def test_a_panel_of_the_settings_is_weighed_over_all_blocks(bench: Bench):
    bench.write(40)
    members = [f"openai:{name}@{bench.server.url}" for name in ("m1", "m2", "m3")]
    settings = {"judges": {"jury": {"panel": members, "combine": "weighted"}}}
    (bench.work / "evalharness.yaml").write_text(json.dumps(settings))
    options = ("--no-cache", "--judge", "jury")
    assert bench.here("whole", *options).code == 0
    ran = bench.here("r", *options, "--engine", "ray")
    assert ran.code == 0, ran.err
    assert bench.report("r") == bench.report("whole")


def test_another_model_is_noticed_by_all_workers(bench: Bench):
    names = {"m": 0}

    def moving(seen: Seen) -> Act:
        names["m"] += 1
        return Answer(model="m-later" if names["m"] > 10 else "m")

    bench.server.script = moving
    ran = bench.here("r", "--no-cache", "--engine", "ray", "--concurrency", "2")
    assert ran.code == 3
    assert "m-later" in ran.err + ran.out
    assert bench.server.count <= 12


def test_batches_and_ray_exclude_each_other(bench: Bench):
    ran = bench.here("r", "--engine", "ray", "--batch")
    assert ran.code == 2
    assert "--batch" in ran.err


def test_a_block_that_comes_twice_is_asked_once(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(scoring, "execute_on_ray", here(lambda blocks: [*blocks, *blocks]))
    assert bench.here("r", "--no-cache", "--engine", "ray").code == 0
    assert set(bench.asked().values()) == {1}
    assert bench.attempts("r") == {"ok": bench.rows}


def test_a_run_begun_here_goes_on_there_and_back(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    assert bench.here("whole", "--no-cache").code == 0
    bench.forget()
    monkeypatch.setattr(scoring, "execute_on_ray", here(lambda blocks: blocks[:1]))
    assert bench.here("r", "--no-cache", "--engine", "ray").code == 0
    assert bench.server.count == 8
    assert bench.here("r", "--no-cache").code == 0
    assert set(bench.asked().values()) == {1}
    assert bench.report("r") == bench.report("whole")


def test_a_refusal_stops_the_judge_for_all_workers(bench: Bench):
    bench.write(60)
    bench.server.script = always(Status(401, "invalid_api_key"))
    ran = bench.here("r", "--no-cache", "--engine", "ray", "--concurrency", "4")
    assert ran.code == 3
    assert 1 <= bench.server.count <= 2
    assert "j stopped: auth" in json.dumps(report(bench.work / "r"))
    bench.server.script = good
    assert bench.here("r", "--no-cache", "--engine", "ray").code == 0


def test_max_cost_holds_for_all_workers_together(bench: Bench):
    (bench.work / "evalharness.yaml").write_text(PRICES)
    assert bench.here("r", "--max-cost", "0.004", "--no-cache", "--engine", "ray").code == 3
    assert 0 < bench.server.count < bench.rows
    assert bench.execution("r")["cost_usd"] <= 0.004


def test_cached_verdicts_are_used_and_counted(bench: Bench):
    assert bench.here("first").code == 0
    bench.forget()
    assert bench.here("r", "--engine", "ray").code == 0
    assert bench.server.count == 0
    assert bench.execution("r")["from_cache"] == bench.rows
    assert bench.report("r") == bench.report("first")


def test_nothing_is_sent_after_a_stop_or_when_it_cannot_be_recorded(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    def stopping(ledger: Ledger, plan: RunPlan, job: WorkerJob, keeper_job: KeeperJob, *_: object) -> RayRun:
        keeper = Keeper(keeper_job)
        keeper.stop("interrupted before it was sent")
        with crew(job, keeper) as workers:
            assert isinstance(keeper.begin(job.judge_numbers[0], None, {}), str)  # type: ignore[arg-type]
            workers[0].score([(1, ledger.dialogue(1).body)])
        return RayRun(Finished((), 2), {}, ())

    monkeypatch.setattr(scoring, "execute_on_ray", stopping)
    assert bench.here("r", "--no-cache", "--engine", "ray").code == 130
    assert bench.server.count == 0


def test_a_full_disk_is_remembered(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    assert bench.here("r", "--no-cache").code == 0
    keeper = Keeper(KeeperJob(str(bench.work / "r" / "run.sqlite"), use_cache=False))

    def full(*_: object, **__: object) -> int:
        raise StorageError("can't write run.sqlite: database or disk is full")

    monkeypatch.setattr(Ledger, "begin_attempt", full)
    with pytest.raises(StorageError):
        keeper.begin(1, None, {})  # type: ignore[arg-type]
    assert "disk is full" in keeper.news().trouble
    assert "disk is full" in str(keeper.begin(1, None, {}))  # type: ignore[arg-type]
    keeper.close()


def test_shares_add_up_to_no_more_than_the_limit():
    share = share_of(Limits(concurrency=7, rpm=100.0, tpm=None), 3)
    assert (share.concurrency, share.rpm, share.tpm) == (2, pytest.approx(100 / 3), None)
    assert share_of(Limits(concurrency=1), 2).concurrency == 1


def test_ray_options_without_the_engine_are_refused(bench: Bench):
    ran = bench.here("r", "--ray-workers", "2")
    assert ran.code == 2
    assert "--engine ray" in ran.err


def test_without_ray_the_extra_is_named(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(scoring, "check_ray", on_ray.check_ray)
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    ran = bench.here("r", "--engine", "ray")
    assert ran.code == 2
    assert "pip install 'evalharness[ray]'" in ran.err
    assert len(ran.err.strip().splitlines()) <= 3


def test_an_address_from_outside_the_cluster_is_refused(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(scoring, "check_ray", on_ray.check_ray)
    ran = bench.here("r", "--engine", "ray", "--ray-address", "ray://head:10001")
    assert ran.code == 2
    assert "--ray-address auto" in ran.err
