"""`evalharness audit` of judges that the settings make of others: each is repeated and changed as a whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.runner import Ran, run
from tests.faultd import Answer, Faultd
from tests.faultd_acts import Seen
from tests.tiny import HELPFULNESS

ROWS = 8
NOWHERE = "http://127.0.0.1:9/v1"


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    Path("tiny.yaml").write_text(HELPFULNESS)
    Path("in.jsonl").write_text("".join(json.dumps(dialogue(n)) + "\n" for n in range(ROWS)))


def dialogue(number: int) -> dict[str, Any]:
    said = f"Parcel {number} is in Lyon and comes on day {number}. Take care."
    reply = {"role": "assistant", "content": said, "context": [{"text": f"Parcel {number} is in Lyon."}]}
    return {
        "id": f"d{number}",
        "messages": [{"role": "user", "content": f"Where is parcel {number}?"}, reply],
    }


def settings(**judges: Any) -> None:
    Path("evalharness.yaml").write_text(json.dumps({"judges": judges}))


def level(seen: Seen) -> Answer:
    """One model that likes padding, one that always gives 4 and one that always gives 2."""
    padded = "nothing further needs to be added" in seen.asked.text
    value = {"long": 5 if padded else 1, "four": 4, "two": 2}[seen.body["model"]]
    return Answer(text=json.dumps({"helpfulness": {"evidence": [], "rationale": "So.", "value": value}}))


def audit(judge: str, *more: str, rubric: str = "tiny.yaml") -> Ran:
    return run("audit", "in.jsonl", "-j", judge, "-r", rubric, "-o", "out", *more)


def document() -> Any:
    return json.loads(Path("out/audit.json").read_text())


def test_a_panel_is_asked_twice_as_a_whole_and_its_members_are_no_repetitions():
    with Faultd(level) as server:
        settings(jury={"panel": [f"{name}=openai:{name}@{server.url}" for name in ("long", "four", "two")]})
        assert "to send" in (ran := audit("jury", "--probe", "verbosity")).err
        assert server.count == 3 * ROWS * (2 + 1)
    assert ran.code == 0, ran.err
    found = document()
    assert (found["judge"], found["stability"][0]["same"]) == ("jury", 1.0)
    effect = next(row for row in found["effects"] if row["criterion"] == "helpfulness")
    assert effect["shift"]["value"] > 1, "one of three goes from 1 to 5"
    assert effect["finding"] == "flagged"


def test_a_cascade_goes_on_with_copies_as_with_originals():
    """The cheap panel agrees on nothing but padded replies; asking twice does not make it surer."""
    with Faultd(level) as server:
        cheap = [f"{name}=openai:{name}@{server.url}" for name in ("long", "four")]
        settings(
            pair={"panel": cheap},
            both={"cascade": ["pair", f"dear=openai:two@{server.url}"], "accept": 0.7},
        )
        ran = audit("both", "--probe", "verbosity")
        dear = [seen for seen in server.requests if seen.body["model"] == "two"]
    assert ran.code == 0, ran.err
    assert len(dear) == 2 * ROWS
    assert f"stages that judged: dear {ROWS} of the originals; pair {ROWS} of the changed" in " ".join(
        ran.out.split()
    )


def claims(seen: Seen) -> Answer:
    """Lists the reply's first sentence unless it is cut short, and finds support for it in the document."""
    properties = (seen.asked.schema or {}).get("properties", {})
    if "claims" in properties:
        first = seen.asked.text.rpartition("assistant #")[2].splitlines()[1].partition(".")[0] + "."
        return Answer(
            text=json.dumps({"claims": [{"quote": first, "claim": first}] if "day" in first else []})
        )
    backed = {"evidence": [{"message": "D1", "quote": "is in Lyon"}], "rationale": "", "value": "supported"}
    return Answer(text=json.dumps(dict.fromkeys(properties, backed)))


def test_a_claims_judge_says_what_can_t_be_measured_and_why():
    with Faultd(claims) as server:
        settings(grounded={"claims": f"openai:m@{server.url}"})
        planned = audit(
            "grounded", "--probe", "truncation,paraphrase", "--dry-run", "--json", rubric="claims"
        )
        assert sum(row["requests"] for row in planned.json) == 2 * ROWS * 2 + ROWS * 2
        ran = audit("grounded", "--probe", "truncation,paraphrase", rubric="claims")
        assert ran.code == 0, ran.err
        assert server.count == 2 * ROWS * 2 + ROWS, "a reply cut short makes no claim to verify"
    missing = {row["what"]: row["why"] for row in document()["not_measured"]}
    assert missing["paraphrase"].startswith("the judge asks about claims")
    told = " ".join(ran.out.split())
    assert (
        f"not measured: truncation: no changed reply has a score beside its original's ({ROWS} skipped)"
        in told
    )
    assert "Nothing was measured: no changed reply has a score" in told
    assert "this judge counts what a reply states" in told


@pytest.mark.parametrize(
    ("judges", "said"),
    [
        (
            {"j": {"panel": [f"{m}=openai:{m}@{NOWHERE}" for m in "ab"], "combine": "weighted"}},
            "weighs its members",
        ),
        ({"j": {"first_failure": "m=openai:m@" + NOWHERE}}, "--judge m"),
        ({"j": {"panel": ["x"]}}, "'x' is no judge"),
    ],
)
def test_what_can_t_be_audited_is_one_clear_line(judges: dict[str, Any], said: str):
    settings(**judges)
    ran = audit("j")
    assert ran.code == 2
    assert said in ran.err
    assert "Traceback" not in ran.err


def test_an_attack_that_lowers_scores_is_not_called_followed():
    def harsh(seen: Seen) -> Answer:
        value = 4 if "Take care.\n[D1]" in seen.asked.text else 2
        return Answer(text=json.dumps({"helpfulness": {"evidence": [], "rationale": "So.", "value": value}}))

    with Faultd(harsh) as server:
        ran = audit(f"j=openai:m@{server.url}", "--probe", "injection-reply")
    assert "scores lower where a dialogue attacks it (injection-reply)" in " ".join(ran.out.split())
