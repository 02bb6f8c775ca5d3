"""A run in pieces gives the report of the run in one piece."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.api import scoring
from evalharness.engine.shards import Shard
from evalharness.errors import UsageError
from tests.cli.runner import DATASETS, run
from tests.faultd import RETRYABLE, Faultd, mixed
from tests.reliability.bench import no_backoff
from tests.report.page_dom import islands

SAMPLE = DATASETS / "sample.jsonl"


def _piece(number: int, count: int, *more: str) -> str:
    out = f"piece{number}of{count}{''.join(more)}"
    ran = run("score", SAMPLE, "--metric", "bleu,surface", "--shard", f"{number}/{count}", "-o", out, *more)
    assert ran.code == 0, ran.err
    return out


def test_merged_pieces_equal_the_whole():
    assert run("score", SAMPLE, "--metric", "bleu,surface", "-o", "whole").code == 0
    pieces = [_piece(number, 3) for number in (3, 1, 2)]
    merged = run("runs", "merge", *pieces, "--out", "merged")
    assert merged.code == 0, merged.err
    for name in ("report.json", "scores.jsonl", "scores.csv"):
        assert Path("merged", name).read_bytes() == Path("whole", name).read_bytes(), name
    pages = [Path(folder, "report.html").read_text(encoding="utf-8") for folder in ("merged", "whole")]
    assert islands(pages[0]) == islands(pages[1])  # the title and the time that it took differ


def test_merged_pieces_equal_the_whole_under_faults(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(scoring, "RetryPolicy", no_backoff())
    with Faultd() as server:
        job = [
            "score",
            SAMPLE,
            "--rubric",
            "support-reply",
            "--judge",
            f"j=openai:m@{server.url}",
            "--no-cache",
        ]
        job += ["--metric", "bleu,surface", "--quiet"]
        assert run(*job, "-o", "whole").code == 0
        asked = server.count
        server.script = mixed(RETRYABLE, 0.3)
        server.attempts.clear()
        pieces = [f"piece{number}" for number in (2, 3, 1)]
        for piece in pieces:
            assert run(*job, "--shard", f"{piece[-1]}/3", "-o", piece).code == 0
        assert server.count > 2 * asked
    assert run("runs", "merge", *pieces, "--out", "merged").code == 0
    for name in ("report.json", "scores.jsonl", "scores.csv"):
        assert Path("merged", name).read_bytes() == Path("whole", name).read_bytes(), name


def test_gaps_overlaps_and_other_settings_are_refused():
    one, two = _piece(1, 3), _piece(2, 3)
    gap = run("runs", "merge", one, two, "--out", "m")
    assert gap.code == 2
    assert "piece 3 of 3 is missing" in gap.err
    double = run("runs", "merge", one, one, two, "--out", "m")
    assert "are both piece 1/3" in double.err
    other = _piece(3, 3, "--turns=last")
    assert "--turns" in run("runs", "merge", one, two, other, "--out", "m").err
    assert not Path("m").exists()


def test_a_piece_of_another_input_is_refused():
    lines = SAMPLE.read_text(encoding="utf-8").splitlines(keepends=True)
    Path("more.jsonl").write_text("".join([*lines, lines[0].replace('"id": "', '"id": "new-', 1)]))
    Path("turned.jsonl").write_text("".join(reversed(lines)))
    job = ["score", "--metric", "surface", "--quiet"]
    for name, source, *more in (
        ("a", SAMPLE), ("b", SAMPLE), ("more", "more.jsonl"), ("few", SAMPLE, "--limit", "1"), ("turned", "turned.jsonl"),
    ):  # fmt: skip
        number = 1 if name == "a" else 2
        assert run(*job, source, "--shard", f"{number}/2", "-o", name, *more).code == 0
    for other in ("more", "few"):
        ran = run("runs", "merge", "a", other, "--out", "m")
        assert ran.code == 2
        assert f"{other} was made from another input than a" in ran.err
    assert run("runs", "merge", "a", "turned", "--out", "m").code == 0


def test_a_piece_without_a_group_is_a_piece():
    Path("one.jsonl").write_text(SAMPLE.read_text(encoding="utf-8").splitlines()[0])
    job = ["score", "one.jsonl", "--metric", "bleu,surface", "--quiet"]
    assert run(*job, "-o", "whole").code == 0
    for number in (1, 2, 3):
        ran = run(*job, "--shard", f"{number}/3", "-o", f"piece{number}")
        assert ran.code == 0, ran.err
    merged = run("runs", "merge", "piece1", "piece2", "piece3", "--out", "merged")
    assert merged.code == 0, merged.err
    assert Path("merged/report.json").read_bytes() == Path("whole/report.json").read_bytes()
    Path("none.jsonl").write_text("")
    assert run("score", "none.jsonl", "--shard", "1/2", "-o", "none").code == 2


def test_a_run_that_was_killed_is_not_complete(monkeypatch: pytest.MonkeyPatch):
    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    job = ["score", SAMPLE, "--metric", "surface", "--quiet", "--shard", "1/1", "-o", "piece"]
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(scoring, "execute", die)
        run(*job)
    assert "PARTIAL (running, or killed)" in run("runs", "list", ".").out
    assert "piece is incomplete" in run("runs", "merge", "piece", "--out", "m").err
    assert run(*job).code == 0
    assert run("runs", "merge", "piece", "--out", "m").code == 0


def test_a_piece_is_not_mixed_with_another():
    out = _piece(1, 3)
    ran = run("score", SAMPLE, "--metric", "bleu,surface", "--shard", "2/3", "-o", out)
    assert ran.code == 2
    assert "--shard: changed" in ran.err


@given(st.text(), st.integers(1, 20))
def test_every_group_is_in_exactly_one_piece(group: str, count: int):
    assert sum(Shard(number, count).holds(group) for number in range(1, count + 1)) == 1


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "a/b", "1/0", "-1/3", "1/3/5"])
def test_nonsense_is_no_shard(text: str):
    with pytest.raises(UsageError, match="is no shard"):
        Shard.parse(text)
