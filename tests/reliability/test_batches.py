"""Batch APIs: whatever comes back, every request is accounted once, and the report is that of the live run."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from evalharness.api import scoring
from evalharness.engine import batch_submit
from tests.cli.runner import DATASETS, run
from tests.faultd import Answer, Break, Faultd, Hang, Seen, Status, good
from tests.faultd_acts import MALFORMED, Act, Raw
from tests.faultd_batches import Batch, Shop
from tests.faultd_wires import Said
from tests.reliability.batchbench import PRICES, SOON, WIRES, BatchBench
from tests.reliability.bench import Bench, no_backoff


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[Faultd, Shop]]:
    shop = Shop()
    with Faultd(routes=shop) as server:
        shop.join(server)
        yield server, shop


@pytest.fixture
def shop(both: tuple[Faultd, Shop]) -> Shop:
    """The shop, as if new."""
    both[1].reset()
    return both[1]


@pytest.fixture
def server(both: tuple[Faultd, Shop]) -> Faultd:
    """The server, as if new."""
    server = both[0]
    server.script = good
    server.attempts.clear()
    server.count = 0
    return server


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries follow at once, and a batch that is not listed was not made."""
    monkeypatch.setattr(scoring, "RetryPolicy", no_backoff())
    monkeypatch.setattr(batch_submit, "SETTLING", 0.0)


@pytest.fixture(params=["chat", "messages"])
def job(request: pytest.FixtureRequest, bench: Bench, shop: Shop) -> BatchBench:
    return BatchBench(bench, shop, request.param)


@pytest.fixture
def chat(bench: Bench, shop: Shop) -> BatchBench:
    return BatchBench(bench, shop, "chat")


def row_of(line: dict[str, Any]) -> int:
    """The number of the dialogue that a request is about."""
    found = re.search(r"\[row d(\d+)\]", json.dumps(line))
    assert found is not None
    return int(found.group(1))


def answered(batch: Batch, number: int) -> int:
    """Where the row of a dialogue stands among the good rows."""
    name = next(line["custom_id"] for line in batch.lines if row_of(line) == number)
    return next(at for at, row in enumerate(batch.good) if json.loads(row)["custom_id"] == name)


def once(change: Callable[[Batch], None]) -> Callable[[Batch], None]:
    """The change for the first batch only."""
    done: list[int] = []

    def files(batch: Batch) -> None:
        if not done:
            done.append(1)
            change(batch)

    return files


@pytest.mark.parametrize("wire", WIRES)
def test_submitted_then_collected(bench: Bench, shop: Shop, wire: str):
    job = BatchBench(bench, shop, wire)
    whole = job.whole(fresh=True)
    first = job.batch("--batch-size", "5")
    assert first.code == 3, first.err
    assert len(job.shop.batches) == 3
    assert job.bench.execution("r")["in_batches"] == 12
    assert "12 items wait for batches in flight" in first.err
    shown = run("runs", "show", "r")
    assert shown.out.count("batch in flight: batch_") == 3
    second = job.batch("--batch-size", "5")
    assert second.code == 0, second.err
    job.check_paid()
    job.check_accounted(whole)
    assert job.bench.attempts("r") == {"ok": 12}
    live, batched = job.bench.execution("whole"), job.bench.execution("r")
    assert batched["cost_usd"] == pytest.approx(live["cost_usd"] / 2)
    assert batched["input_tokens"] == live["input_tokens"]
    assert "batch in flight" not in run("runs", "show", "r").out


def test_waiting_polls_until_all_is_in(job: BatchBench):
    whole = job.whole()
    job.shop.polls = 3
    assert job.batch(*SOON).code == 0
    assert job.shop.calls.count("status") == 4
    job.check_paid()
    job.check_accounted(whole)


def test_one_more_command_after_the_end_asks_nothing(job: BatchBench):
    assert job.finish() == 2
    calls = len(job.shop.calls)
    assert job.batch().code == 0
    assert len(job.shop.calls) == calls


@pytest.mark.parametrize(
    "fate", ["expired", "cancelled", (500, "server_error"), (429, "rate_limit_exceeded")]
)
def test_what_was_not_answered_goes_into_the_next_batch(job: BatchBench, fate: Any):
    whole = job.whole()
    job.shop.fate = lambda batch, line, run: fate if row_of(line) % 2 and run == 1 else "ok"
    job.shop.ending = [fate if isinstance(fate, str) else "completed", "completed"]
    assert job.finish() == 3
    assert [len(batch.lines) for batch in job.shop.batches.values()] == [12, 6]
    job.check_paid()
    job.check_accounted(whole)
    assert job.bench.execution("r")["unknown_outcome"] == 0


@pytest.mark.parametrize("ending", ["expired", "cancelled"])
def test_an_ended_batch_without_rows_for_the_rest(chat: BatchBench, ending: str):
    whole = chat.whole()
    chat.shop.fate = lambda batch, line, run: ending if row_of(line) > 3 and run == 1 else "ok"
    chat.shop.ending = [ending, "completed"]
    chat.shop.files = once(lambda batch: batch.bad.clear())
    assert chat.finish() == 3
    chat.check_paid()
    chat.check_accounted(whole)
    assert chat.bench.attempts("r") == {"ok": 12, "fault": 8}


def test_a_row_that_never_works_is_a_failure_that_a_later_command_asks_again(chat: BatchBench):
    whole = chat.whole()
    chat.shop.fate = lambda batch, line, run: (500, "server_error") if row_of(line) == 3 else "ok"
    ran = chat.batch(*SOON, "--attempts", "3")
    assert ran.code == 0, ran.err
    assert len(chat.shop.batches) == 3
    assert chat.bench.execution("r")["faults"] == {"server_error": 3}
    assert '"server_error"' in chat.bench.acknowledged("r")["d3"]
    chat.shop.fate = lambda batch, line, run: "ok"
    assert chat.finish() == 2
    chat.check_paid()
    chat.check_accounted(whole)


def test_refused_requests_fail_as_they_do_live(job: BatchBench):
    def refuse(seen: Seen) -> Act:
        return Status(400, "invalid_request_error", "no") if seen.row in ("d2", "d7") else Answer()

    job.bench.server.script = refuse
    whole = job.whole(fresh=True)
    assert b"bad_request" in whole
    fate = (400, "invalid_request_error")
    job.shop.fate = lambda batch, line, run: fate if row_of(line) in (2, 7) else "ok"
    assert job.finish() == 2
    job.check_accounted(whole)
    assert job.bench.execution("r")["faults"] == {"bad_request": 2}


def test_rows_in_any_order(job: BatchBench):
    whole = job.whole()

    def disorder(batch: Batch) -> None:
        batch.good[:] = batch.good[7:] + batch.good[6::-1]

    job.shop.files = disorder
    assert job.finish() == 2
    job.check_paid()
    job.check_accounted(whole)


def test_doubled_rows_count_once(job: BatchBench):
    whole = job.whole()

    def double(batch: Batch) -> None:
        first = batch.good[0]
        other = re.sub(rb"\\\"polite\\\": ?\\\"?(yes|no)", b"", batch.good[1]).replace(
            b"reason", b"other reason"
        )
        name = json.dumps(json.loads(first)["custom_id"]).encode()
        foreign = json.dumps(json.loads(batch.good[1])["custom_id"]).encode()
        batch.good += [first, other.replace(foreign, name)]

    job.shop.files = double
    ran = [job.batch(), job.batch()]
    assert [r.code for r in ran] == [3, 0]
    job.check_paid()
    job.check_accounted(whole)
    assert job.bench.attempts("r") == {"ok": 12}


def test_an_answer_counts_more_than_an_error_for_the_same_request(chat: BatchBench):
    whole = chat.whole()

    def contradict(batch: Batch) -> None:
        name = json.loads(batch.good[2])["custom_id"]
        error = {"custom_id": name, "response": {"status_code": 500, "body": {"error": {"message": "x"}}}}
        batch.bad.append(json.dumps(error).encode())
        batch.good.insert(0, json.dumps(error).encode())

    chat.shop.files = contradict
    assert chat.finish() == 2
    chat.check_paid()
    chat.check_accounted(whole)


def test_a_lost_row_may_have_been_paid_and_is_asked_once_more(job: BatchBench):
    whole = job.whole()

    def lose(batch: Batch) -> None:
        del batch.good[answered(batch, 4)]
        del batch.good[answered(batch, 9)]

    job.shop.files = once(lose)
    assert job.finish() == 3
    assert job.shop.billed["d4"] == job.shop.billed["d9"] == 2
    assert sum(job.shop.billed.values()) == 14
    job.check_accounted(whole)
    told = job.bench.execution("r")
    assert told["unknown_outcome"] == 2
    assert told["unknown_outcome_most_usd"] > 0


def test_rows_of_no_request_of_ours_are_passed_over(job: BatchBench):
    whole = job.whole()

    def foreign(batch: Batch) -> None:
        template = batch.good[0]
        name = json.loads(template)["custom_id"]
        marker = name.rpartition("-")[0]
        for other in (
            "",
            "x",
            f"{marker}-12",
            f"{marker}-007",
            f"{marker}--1",
            f"{marker}-\u0663",
            "eh-00-1",
        ):
            batch.good.insert(0, template.replace(json.dumps(name).encode(), json.dumps(other).encode()))

    job.shop.files = foreign
    assert job.batch().code == 3
    log = job.batch("--log-file", "log.jsonl")
    assert log.code == 0, log.err
    assert '"foreign": 7' in (job.bench.work / "log.jsonl").read_text()
    job.check_paid()
    job.check_accounted(whole)


def test_two_files_are_both_read(chat: BatchBench):
    whole = chat.whole()
    chat.shop.fate = lambda batch, line, run: (503, "server_error") if row_of(line) < 6 and run == 1 else "ok"
    assert chat.batch().code == 3
    assert chat.batch().code == 3
    assert chat.shop.calls.count("results") == 2
    assert chat.batch().code == 0
    chat.check_paid()
    chat.check_accounted(whole)
    assert chat.bench.attempts("r") == {"ok": 12, "fault": 6}


def test_completed_with_nothing_but_errors(job: BatchBench):
    whole = job.whole()
    job.shop.fate = lambda batch, line, run: (500, "server_error") if run == 1 else "ok"
    assert job.finish() == 3
    job.check_paid()
    job.check_accounted(whole)


JUNK = (b"{", b"null", b"[]", b"\xff\xfe", b'{"custom_id": NaN}', b"[" * 9000, b"{}", b'{"custom_id": "x"}')


def test_unreadable_lines(job: BatchBench):
    whole = job.whole()

    def spoil(batch: Batch) -> None:
        places = [answered(batch, number) for number in range(len(JUNK))]
        for at, junk in zip(places, JUNK, strict=True):
            batch.good[at] = junk
        batch.good.insert(0, b"  ")

    job.shop.files = once(spoil)
    assert job.finish() == 3
    job.check_accounted(whole)
    assert sum(job.shop.billed.values()) == 12 + len(JUNK)
    assert job.bench.execution("r")["unknown_outcome"] == len(JUNK)


BODIES = ("object", "null_parts", "wrong_parts", "wrong_items", "wrong_texts", "error_object", "null", "list")


def test_bodies_that_are_no_answer_are_asked_once_more(job: BatchBench):
    whole = job.whole()

    def spoil(batch: Batch) -> None:
        for number, name in enumerate(BODIES):
            at = answered(batch, number)
            row = json.loads(batch.good[at])
            holder, place = (
                (row["result"], "message") if job.wire == "messages" else (row["response"], "body")
            )
            holder[place] = json.loads(MALFORMED[name])
            batch.good[at] = json.dumps(row).encode()

    job.shop.files = once(spoil)
    assert job.finish() == 3
    job.check_accounted(whole)
    assert job.bench.attempts("r") == {"ok": 12, "unknown": len(BODIES)}


def test_an_unreadable_verdict_is_repaired_in_the_next_batch(job: BatchBench):
    def garble(seen: Seen) -> Act:
        return Answer("Perhaps, who knows.") if seen.row == "d6" and seen.attempt == 1 else Answer()

    job.bench.server.script = garble
    whole = job.whole(fresh=True)
    job.shop.fate = lambda batch, line, run: (
        Said("Perhaps, who knows.") if row_of(line) == 6 and run == 1 else "ok"
    )
    assert job.finish() == 3
    job.check_accounted(whole)
    assert job.shop.billed["d6"] == 2
    assert job.bench.attempts("r") == {"ok": 13}


def test_several_samples_share_the_batch(chat: BatchBench):
    ran = chat.live("whole", "--samples", "3")
    assert ran.code == 0, ran.err
    chat.bench.forget()
    assert chat.finish("--samples", "3") == 2
    assert chat.report == chat.bench.report("whole")
    assert chat.shop.sent == 36


@pytest.mark.parametrize("fate", [(401, "invalid_api_key"), (429, "insufficient_quota")])
def test_a_refused_key_in_the_rows_stops_the_judge(chat: BatchBench, fate: Any):
    whole = chat.whole()
    chat.shop.fate = lambda batch, line, run: fate if run == 1 else "ok"
    assert chat.batch().code == 3
    stopped = chat.batch()
    assert stopped.code == 3
    assert "stopped: " in stopped.err
    assert len(chat.shop.batches) == 1
    assert chat.finish() == 2
    chat.check_paid()
    chat.check_accounted(whole)


def test_a_line_at_fault_fails_and_the_others_are_submitted_again(chat: BatchBench):
    whole = chat.whole()
    chat.shop.ending = ["failed", "completed"]

    def refuse(batch: Batch) -> None:
        line = next(at for at, line in enumerate(batch.lines, 1) if row_of(line) == 8)
        batch.errors.append({"code": "invalid_request", "line": line, "message": "no", "param": None})

    chat.shop.files = once(refuse)
    assert chat.finish() == 3
    assert [len(batch.lines) for batch in chat.shop.batches.values()] == [12, 11]
    assert "bad_request" in chat.bench.acknowledged("r")["d8"]
    assert chat.bench.attempts("r") == {"ok": 11, "fault": 12}
    chat.shop.fate = lambda batch, line, run: "ok"
    while chat.batch("--retry-failed").code == 3:
        assert len(chat.shop.batches) <= 3
    chat.check_paid()
    chat.check_accounted(whole)


@pytest.mark.parametrize(
    "errors", [[], [{"code": "model_not_found", "message": "no such model", "line": None}]]
)
def test_a_batch_refused_as_a_whole_stops_the_judge(chat: BatchBench, errors: list[dict[str, Any]]):
    chat.shop.ending = ["failed"]
    chat.shop.files = lambda batch: batch.errors.extend(errors)
    ran = chat.batch(*SOON)
    assert ran.code == 3
    assert "failed its validation" in ran.err
    assert len(chat.shop.batches) == 1
    assert chat.bench.attempts("r") == {"fault": 12}
    assert chat.bench.execution("r")["cost_usd"] == 0


def test_a_full_queue_is_tried_again_later(chat: BatchBench):
    whole = chat.whole()
    chat.shop.ending = ["failed", "failed", "completed"]
    chat.shop.files = lambda batch: batch.errors.extend(
        [{"code": "token_limit_exceeded", "message": "Enqueued token limit reached"}]
        if not batch.good
        else []
    )
    assert chat.batch(*SOON).code == 0
    assert len(chat.shop.batches) == 3
    chat.check_paid()
    chat.check_accounted(whole)


@pytest.mark.parametrize("how", ["--resubmit-lost", "--finish-live"])
def test_a_batch_that_vanished_is_asked_again_only_when_told(job: BatchBench, how: str):
    whole = job.whole()
    assert job.batch("--batch-size", "6").code == 3
    job.shop.batches["batch_1"].gone = True
    ran = job.batch(*SOON)
    assert ran.code == 3, ran.err
    assert "not known to the provider" in ran.err
    assert "--resubmit-lost" in ran.err
    assert job.batch().code == 3
    assert len(job.shop.batches) == 2
    assert job.bench.execution("r")["in_batches"] == 6
    live = job.live("r", how) if how == "--finish-live" else job.batch(how, *SOON)
    assert live.code == 0, live.err
    job.check_accounted(whole)
    assert job.bench.execution("r")["unknown_outcome"] == 6
    assert len(job.shop.batches) == (2 if how == "--finish-live" else 3)


def test_a_vanished_batch_that_comes_back_is_collected(chat: BatchBench):
    whole = chat.whole()
    assert chat.batch().code == 3
    chat.shop.batches["batch_1"].gone = True
    assert chat.batch().code == 3
    chat.shop.batches["batch_1"].gone = False
    assert chat.batch().code == 0
    chat.check_paid()
    chat.check_accounted(whole)


BROKEN: dict[str, Act] = {
    "reset": Break(), "close": Break("half", reset=False), "503": Status(503), "502": Status(502),
    "html": Raw(200, MALFORMED["html"]), "empty": Raw(200, b""),
}  # fmt: skip


@pytest.mark.parametrize("moment", ["before", "after"])
def test_calls_that_break_again_and_again(job: BatchBench, moment: str):
    whole = job.whole()
    job.shop.polls = 1
    if moment == "before":
        job.shop.before["create"] = [Status(429, "rate_limit", retry_after="0")]
    job.shop.after["create"] = [Break()]
    for kind in ("list", "status", *(["upload"] if job.wire == "chat" else [])):
        getattr(job.shop, moment)[kind] = list(BROKEN.values())[:4]
    getattr(job.shop, moment)["results"] = [Break(), Break("half", reset=False), Status(503), Raw(200, b"")]
    ran = job.batch(*SOON)
    assert ran.code == 0, ran.err
    job.check_paid()
    job.check_accounted(whole)
    assert not any(job.shop.before.values())
    assert not any(job.shop.after.values())


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("fault", ["reset", "502", "html"])
def test_a_submission_whose_answer_is_lost(job: BatchBench, moment: str, fault: str):
    job.bench.write(3)
    whole = job.whole()
    getattr(job.shop, moment)["create"] = [BROKEN[fault]]
    assert job.finish() == (3 if moment == "before" else 2)
    assert len(job.shop.batches) == 1
    job.check_paid()
    job.check_accounted(whole)


def test_results_cut_off_in_the_middle_are_fetched_anew(job: BatchBench):
    whole = job.whole()
    job.shop.after["results"] = [Raw(200, b'{"custom_id": "x", "resp'), Break("half")]
    assert job.batch(*SOON).code == 0
    job.check_paid()
    job.check_accounted(whole)


def test_a_hanging_call_ends_at_the_deadline(chat: BatchBench, monkeypatch: pytest.MonkeyPatch):
    whole = chat.whole()
    monkeypatch.setattr(
        scoring, "RetryPolicy", lambda **named: no_backoff()(**{**named, "attempt_timeout": 0.5})
    )
    chat.shop.before["status"] = [Hang()]
    assert chat.batch(*SOON).code == 0
    chat.check_accounted(whole)


@pytest.mark.parametrize(
    ("kind", "refusal"),
    [("upload", Status(401, "invalid_api_key")), ("create", Status(429, "insufficient_quota"))],
)
def test_a_refused_submission_leaves_nothing_behind(chat: BatchBench, kind: str, refusal: Act):
    whole = chat.whole()
    chat.shop.before[kind] = [refusal]
    ran = chat.batch()
    assert ran.code == 3, ran.err
    assert "stopped: " in ran.err
    assert chat.bench.attempts("r") == {}
    assert chat.finish() == 2
    chat.check_paid()
    chat.check_accounted(whole)


def test_a_submission_that_may_have_arrived_is_not_repeated_before_the_list_has_settled(
    job: BatchBench, monkeypatch: pytest.MonkeyPatch
):
    whole = job.whole()
    monkeypatch.setattr(batch_submit, "SETTLING", 3600.0)
    job.shop.before["create"] = [Break()]
    assert job.batch().code == 3
    assert job.batch().code == 3
    assert not job.shop.batches
    monkeypatch.setattr(batch_submit, "SETTLING", 0.0)
    assert job.finish() == 2
    job.check_paid()
    job.check_accounted(whole)


def test_finishing_live_cancels_keeps_what_came_and_asks_the_rest(job: BatchBench):
    whole = job.whole()
    job.shop.polls = 2
    job.shop.fate = lambda batch, line, run: "cancelled" if batch.cancelling and row_of(line) > 4 else "ok"
    assert job.batch().code == 3
    ran = job.live("r", "--finish-live", "--poll", "0.01")
    assert ran.code == 0, ran.err
    assert job.shop.calls.count("cancel") == 1
    assert sum(job.shop.billed.values()) == 5
    assert job.bench.attempts("r") == {"ok": 12, "fault": 7}
    job.check_accounted(whole)


def test_without_batch_only_what_is_in_no_batch_is_asked_live(job: BatchBench):
    job.bench.write(6)
    job.shop.polls = 2
    assert job.batch().code == 3
    job.bench.write(12)
    whole = job.whole()
    ran = job.live("r", "--update")
    assert ran.code == 3, ran.err
    assert len(job.bench.acknowledged("r")) == 6
    assert max(job.bench.asked().values()) <= 6  # six calls about batches have no row
    assert job.live("r", "--update").code == 3
    assert job.live("r", "--update").code == 0
    assert sum(job.shop.billed.values()) == 6
    assert job.report == whole


def test_a_changed_dialogue_is_asked_anew_and_its_old_answer_is_counted(chat: BatchBench):
    assert chat.batch().code == 3
    chat.bench.write(12, edit=3)
    whole = chat.whole()
    while chat.batch("--update").code == 3:
        assert len(chat.shop.batches) <= 2
    assert chat.report == whole
    assert chat.bench.attempts("r") == {"ok": 13}


def test_max_cost_bounds_what_is_submitted(chat: BatchBench):
    ran = chat.batch("--max-cost", "0.008")
    assert ran.code == 3, ran.err
    assert 0 < chat.shop.sent < 12
    assert "reach --max-cost" in ran.err
    sent = chat.shop.sent
    ran = chat.batch("--max-cost", "0.008", *SOON)
    assert ran.code == 0, ran.err  # real costs are far below the most that was set aside
    assert chat.shop.sent == 12 > sent
    assert chat.bench.execution("r")["cost_usd"] <= 0.008


def test_max_cost_that_is_used_up_stops_with_everything_paid_kept(chat: BatchBench):
    ran = chat.batch("--max-cost", "0.0015", *SOON)
    assert ran.code == 3, ran.err
    kept = len(chat.bench.acknowledged("r"))
    assert 0 < kept == chat.shop.sent < 12
    assert chat.bench.execution("r")["in_batches"] == 0


def test_a_dry_run_tells_batch_prices_and_what_is_in_flight(chat: BatchBench):
    live = chat.live("r", "--dry-run", "--json").json[0]
    told = chat.batch("--dry-run", "--batch-size", "5", "--json").json[0]
    assert told["batches"] == 3
    assert told["most_cost"] == pytest.approx(live["most_cost"] / 2)
    assert not chat.shop.calls
    assert chat.batch().code == 3
    after = chat.batch("--dry-run", "--json").json[0]
    assert (after["requests"], after["in_batches"], after["batches"]) == (0, 12, 0)


def test_equal_requests_are_sent_once_where_the_cache_is_used(bench: Bench, shop: Shop):
    job = BatchBench(bench, shop)
    rows = [{"id": f"d{n}", "messages": [{"role": "user", "content": "[row d0] Hi"},
            {"role": "assistant", "content": "Hello."}]} for n in range(4)]  # fmt: skip
    (bench.work / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    cached = tuple(flag for flag in job.flags if flag != "--no-cache")
    assert bench.here("r", *cached, "--batch").code == 3
    assert shop.sent == 1
    assert bench.here("r", *cached, "--batch").code == 0
    assert len(bench.acknowledged("r")) == 4
    bench.forget()
    assert bench.here("again", *cached, "--batch").code == 0
    assert shop.sent == 1


@pytest.mark.parametrize(
    ("judge", "more", "told"),
    [
        ("replay:answers.jsonl", (), "can't be asked in batches"),
        ("decisions:gpt-6-luna@{url}", (), "can't be asked in batches"),
        ("systemone:jev@{url}", (), "can't be asked in batches"),
        ("openai:m@{url}", ("--wait",), "--wait needs --batch"),
        ("openai:m@{url}", ("--batch", "--finish-live"), "exclude each other"),
        ("openai:m@{url}", ("--resubmit-lost",), "--resubmit-lost needs --batch"),
    ],
)
def test_what_makes_no_sense_is_refused(
    bench: Bench, shop: Shop, judge: str, more: tuple[str, ...], told: str
):
    (bench.work / "answers.jsonl").write_text(
        '{"dialogue": "d0", "turn": 1, "criterion": "polite", "outputs": [1]}\n'
    )
    named = judge.format(url=bench.server.url)
    ran = bench.here("r", "--judge", named, *(more or ("--batch",)))
    assert ran.code == 2, ran.err
    assert told in ran.err
    assert "Traceback" not in ran.err
    assert not shop.calls


def test_batches_without_a_judge_are_refused(bench: Bench):
    ran = run("score", "in.jsonl", "--batch", "-o", "r")
    assert ran.code == 2
    assert "--batch needs a judge" in ran.err


def test_neither_key_nor_dialogue_reaches_a_log_or_a_message(
    chat: BatchBench, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("EVALHARNESS_LOCAL_KEY", "sk-test-0123456789abcdef")

    def echo(batch: Batch) -> None:
        row = json.loads(batch.good[0])
        text = json.dumps(batch.lines[0])[:3000]
        row["response"] = {"status_code": 400, "body": {"error": {"message": f"bad: {text}"}}}
        batch.good[0] = json.dumps(row).encode()

    chat.shop.files = echo
    assert chat.batch("--log-file", "log.jsonl").code == 3
    ran = chat.batch("--log-file", "log.jsonl")
    assert ran.code == 0, ran.err
    log = (chat.bench.work / "log.jsonl").read_text()
    assert "batch collected" in log
    assert "batch submitted" in log
    failed = [body for body in chat.bench.acknowledged("r").values() if "bad_request" in body]
    assert len(failed) == 1
    for text in (log, ran.err, *failed):
        assert "Where is it" not in text
        assert "Reply 0" not in text


def _fate(seed: int) -> Callable[[Batch, dict[str, Any], int], Any]:
    """A third of the rows go wrong in their first two runs, each in a way of its own."""
    fates = ("expired", "cancelled", (500, "server_error"), (429, "rate_limit_exceeded"))

    def fate(batch: Batch, line: dict[str, Any], run: int) -> Any:
        draw = hash((seed, len(json.dumps(line)), run)) % 12
        return fates[draw] if run < 3 and draw < len(fates) else "ok"

    return fate


@pytest.mark.parametrize(("wire", "seed"), [("chat", 1), ("responses", 2), ("messages", 3)])
def test_sample_dialogues_give_the_live_report_under_mixed_faults(
    bench: Bench, shop: Shop, wire: str, seed: int
):
    job = BatchBench(bench, shop, wire)
    (bench.work / "in.jsonl").write_bytes((DATASETS / "small.jsonl").read_bytes())
    live = bench.here("whole", *job.flags, rubric="support-reply")
    assert live.code == 0, live.err
    bench.forget()
    shop.fate = _fate(seed)

    def disorder(batch: Batch) -> None:
        batch.good.sort(key=lambda line: hash((seed, line)))
        batch.good += batch.good[:2]

    shop.files = disorder
    shop.after["create"] = [None, Break(), None, Status(504)]
    shop.before["status"] = [Status(503), Break()]
    shop.after["results"] = [Break("half")]
    ran = bench.here("r", *job.flags, "--batch", "--batch-size", "20", *SOON, rubric="support-reply")
    assert ran.code == 0, ran.err
    assert bench.report("r") == bench.report("whole")
    assert (bench.work / "evalharness.yaml").read_text() == PRICES
    attempts = bench.attempts("r")
    assert attempts["ok"] == sum(shop.billed.values())
    assert attempts.get("unknown", 0) == attempts.get("batched", 0) == 0
