"""`evalharness audit` of a judge that compares pairs: two systems, both orders, repeats, votes of people."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.runner import Ran, run
from tests.faultd import Answer, Faultd
from tests.faultd_acts import Seen

ROWS = 10


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for system, reply in (("mine", "Parcel {n} is in Lyon and on its way."), ("other", "No idea about {n}.")):
        rows = [
            {
                "id": f"{system}-{n}",
                "group": f"s{n}",
                "messages": [
                    {"role": "user", "content": f"Where is {n}?"},
                    {"role": "assistant", "content": reply.format(n=n)},
                ],
            }
            for n in range(ROWS)
        ]
        Path(f"{system}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def verdict(choose: Callable[[str], str]) -> Callable[[Seen], Answer]:
    def script(seen: Seen) -> Answer:
        member = {"rationale": "Because.", "value": choose(seen.asked.text)}
        return Answer(text=json.dumps({"preference": member}))

    return script


def lyon(text: str) -> str:
    """The better reply, wherever it stands."""
    return "a" if text.index("in Lyon") < text.index("No idea") else "b"


def audit(server: Faultd, *more: str) -> Ran:
    judge = f"j=openai:m@{server.url}"
    return run("audit", "mine.jsonl", "other.jsonl", "-j", judge, "-r", "mt-bench-pair", "-o", "out", *more)


def found() -> dict[str, dict[str, Any]]:
    document = json.loads(Path("out/audit.json").read_text())
    return {row["measure"]: row for row in document["measures"]}


def test_a_judge_that_takes_the_first_is_told_so():
    with Faultd(verdict(lambda text: "a")) as server:
        ran = audit(server)
        assert server.count == ROWS * 2 * 2
    assert ran.code == 0, ran.err
    assert f"to send: {ROWS * 4} requests" in ran.err
    assert found()["position"]["estimate"]["value"] == 1.0
    assert {row["finding"] for row in found().values()} == {"flagged"}
    assert "This judge prefers the reply shown first (preference)" in ran.out
    assert "Order, length and author" in (Path("out") / "judge-card.html").read_text()


def test_a_judge_that_reads_the_replies_is_not_and_people_s_votes_settle_the_rest():
    votes = [f"mine-{n},other-{n},1,preference,x,{'a' if n % 2 else 'b'}\n" for n in range(ROWS)]
    Path("votes.csv").write_text("dialogue_a,dialogue_b,turn,criterion,rater,value\n" + "".join(votes))
    with Faultd(verdict(lyon)) as server:
        ran = audit(server, "--labels", "votes.csv", "--own", "mine")
    assert ran.code == 0, ran.err
    rows = found()
    assert rows["position"]["finding"] == rows["changed by order beyond noise"]["finding"] == "ok"
    assert rows["self-preference"]["estimate"]["value"] == pytest.approx(0.5)
    assert (rows["longer reply beyond people's"]["judge"], rows["self-preference"]["beside"]) == (1.0, 0.5)
    assert "favours its own model beyond what people do" in " ".join(ran.out.split())


def test_pairs_on_which_two_samples_differ_are_noise_and_are_not_dropped():
    """Every second answer is the other one, so the two samples of an order always differ."""
    answers: dict[str, int] = {}

    def fickle(seen: Seen) -> Answer:
        number = answers[seen.asked.text] = answers.get(seen.asked.text, 0) + 1
        return Answer(text=json.dumps({"preference": {"rationale": "", "value": "ab"[number % 2]}}))

    with Faultd(fickle) as server:
        assert audit(server).code == 0
    swaps = found()["changed by order beyond noise"]
    assert (swaps["judge"], swaps["beside"], swaps["estimate"]["n"]) == (0.5, 1.0, ROWS)


def test_labels_without_preferences_are_one_clear_error():
    Path("labels.csv").write_text("dialogue,turn,criterion,rater,value\nmine-1,1,preference,x,3\n")
    with Faultd(verdict(lyon)) as server:
        ran = audit(server, "--labels", "labels.csv")
        assert server.count == 0
    assert ran.code == 2
    assert "no preference between two replies" in ran.err
