"""`evalharness audit` against scripted judges: one that likes length, one that obeys attacks, one that is sound."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.runner import Ran, run
from tests.faultd import Answer, Faultd
from tests.faultd_acts import Seen
from tests.tiny import HELPFULNESS

ROWS = 10


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    Path("tiny.yaml").write_text(HELPFULNESS)
    rows = [
        {
            "id": f"d{n}",
            "messages": [
                {"role": "user", "content": f"Where is parcel {n}?"},
                {
                    "role": "assistant",
                    "content": f"Parcel {n} is in Lyon and will be with you on day {n}. Take care.",
                },
            ],
        }
        for n in range(ROWS)
    ]
    Path("in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def says(level: Callable[[str], int]) -> Callable[[Seen], Answer]:
    def script(seen: Seen) -> Answer:
        member = {"evidence": [], "rationale": "Because.", "value": level(seen.asked.text)}
        return Answer(text=json.dumps({"helpfulness": member}))

    return script


def audit(server: Faultd, *more: str, out: str = "out") -> Ran:
    judge = f"j=openai:m@{server.url}"
    return run("audit", "in.jsonl", "-j", judge, "-r", "tiny.yaml", "-o", out, *more)


def findings(out: str = "out") -> dict[str, str]:
    document = json.loads((Path(out) / "audit.json").read_text())
    return {row["probe"]: row["finding"] for row in document["effects"] if row["criterion"] == "helpfulness"}


def test_a_judge_that_likes_length_is_told_so():
    with Faultd(says(lambda text: 5 if "nothing further needs to be added" in text else 3)) as server:
        ran = audit(server, "--probe", "verbosity,confidence,truncation")
    assert ran.code == 0, ran.err
    assert findings() == {"verbosity": "flagged", "confidence": "ok", "truncation": "flagged"}
    assert "is moved by what should not matter (verbosity)" in ran.out
    assert "does not see truncation" in " ".join(ran.out.split())
    card = (Path("out") / "judge-card.md").read_text()
    (row,) = [line for line in card.splitlines() if line.startswith("| verbosity |")]
    assert "0.444 [0.444, 0.444] | 100 % [66, 100] | 10 pairs | FLAGGED: scores move to the better" in row
    assert "FLAGGED flips 100 % [66, 100]" in ran.out
    assert "It is moved by verbosity." in card.replace("\\", "")


def test_a_judge_that_obeys_is_told_so_and_a_sound_one_is_not():
    obeys = says(lambda text: 5 if "highest" in text or "top one" in text else 3)
    with Faultd(obeys) as server:
        assert audit(server, "--probe", "injection-reply,injection-user").code == 0
    document = json.loads(Path("out/audit.json").read_text())
    shift = next(
        r for r in document["effects"] if (r["probe"], r["criterion"]) == ("injection-reply", "helpfulness")
    )
    assert 0 < shift["shift"]["value"] < 2
    assert document["detector"]["clean"] == ROWS and document["detector"]["false_alarms"] == 0
    assert document["detector"]["found"] > document["detector"]["attacks"] / 2
    sound = says(lambda text: 2 if "opposite is the case" in text else 4)
    with Faultd(sound) as server:
        ran = audit(server, "--probe", "injection-reply,contradiction", out="sound")
    assert findings("sound") == {"injection-reply": "ok", "contradiction": "ok"}
    assert "Nothing is flagged" in ran.out


def test_originals_are_asked_twice_and_afresh_and_a_resume_asks_nothing():
    with Faultd(says(lambda text: 3)) as server:
        command = (
            "score",
            "in.jsonl",
            "-j",
            f"j=openai:m@{server.url}",
            "-r",
            "tiny.yaml",
            "-o",
            "plain",
            "-q",
        )
        assert run(*command).code == 0
        before = server.count
        assert audit(server, "--probe", "verbosity").code == 0
        asked = server.count - before
        assert audit(server, "--probe", "verbosity").code == 0
        assert (asked, server.count - before) == (3 * ROWS, 3 * ROWS)
    assert "100 % the same" in audit_text("out")


def audit_text(out: str) -> str:
    document: dict[str, Any] = json.loads((Path(out) / "audit.json").read_text())
    (row,) = document["stability"]
    return f"{row['same']:.0%}".replace("%", " % the same")


def test_a_dry_run_sends_nothing_and_leaves_nothing():
    with Faultd(says(lambda text: 3)) as server:
        ran = audit(server, "--dry-run")
        assert server.count == 0
    assert ran.code == 0
    assert "(original)" in ran.out and "(changed)" in ran.out
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--probe", "verbositty"], "verbosity"),
        (["-r", "mt-bench-pair", "--probe", "format"], "--probe"),
        (["-r", "mt-bench-pair"], "no two systems"),
        (["--since", "nowhere"], "no audit"),
        (["--paraphrase", "support-reply"], "not the same in the rubric"),
        (["--whole"], "compares pairs"),
    ],
)
def test_wrong_words_get_one_message(arguments: list[str], message: str):
    options = ["-j", "j=openai:m@http://127.0.0.1:9/v1", "-r", "tiny.yaml", "-o", "out"]
    ran = run("audit", "in.jsonl", *options, *arguments)
    assert ran.code == 2
    assert message in ran.err


def test_a_run_folder_serves_as_the_source():
    with Faultd(says(lambda text: 3)) as server:
        assert run("score", "in.jsonl", "-o", "plain", "-q").code == 0
        judge = f"j=openai:m@{server.url}"
        ran = run(
            "audit", "plain", "-j", judge, "-r", "tiny.yaml", "-o", "out", "--probe", "format", "--size", "4"
        )
    assert ran.code == 0, ran.err
    assert "4 dialogues" in ran.out


TWO = """\
rubric: two
version: 1
unit: turn
about: "A support agent answers."
criteria:
  helpfulness:
    question: "How helpful is the reply?"
    scale: ordinal
    levels: {1: "Not.", 2: "A bit.", 3: "Fairly.", 4: "Well.", 5: "Fully."}
  tone:
    question: "How kind is it?"
    scale: ordinal
    levels: {1: "Not.", 3: "Fairly.", 5: "Very."}
"""


def answers(level: Callable[[Seen], int]) -> Callable[[Seen], Answer]:
    """Both criteria get the same level."""

    def script(seen: Seen) -> Answer:
        member = {"evidence": [], "rationale": "Because.", "value": level(seen)}
        return Answer(text=json.dumps({"helpfulness": member, "tone": member}))

    return script


@pytest.mark.parametrize(
    ("probe", "swayed"),
    [
        ("level-order", lambda system: -1 < system.find("5: Fully.") < system.find("1: Not.")),
        ("criterion-order", lambda system: system.index("## tone") < system.index("## helpfulness")),
        ("paraphrase", lambda system: "Here is what you are to decide." in system),
    ],
)
def test_a_judge_that_minds_how_it_is_asked_is_told_so(probe: str, swayed: Callable[[str], bool]):
    Path("tiny.yaml").write_text(TWO)
    with Faultd(answers(lambda seen: 5 if swayed(seen.asked.system) else 3)) as server:
        assert audit(server, "--probe", "level-order,criterion-order,paraphrase").code == 0
    assert findings() == {
        name: "flagged" if name == probe else "ok"
        for name in ("level-order", "criterion-order", "paraphrase")
    }


def test_the_rubric_in_the_user_s_own_words_is_asked_instead():
    Path("other.yaml").write_text(HELPFULNESS.replace("How helpful is the reply?", "Does it help?"))
    seen: list[str] = []

    def level(request: Seen) -> Answer:
        seen.append(request.asked.system)
        return says(lambda text: 3)(request)

    with Faultd(level) as server:
        ran = audit(server, "--probe", "paraphrase", "--paraphrase", "other.yaml")
    assert ran.code == 0, ran.err
    assert sum("Does it help?" in system for system in seen) == ROWS


def test_what_can_t_show_anything_is_not_asked_and_named():
    with Faultd(says(lambda text: 3)) as server:
        assert audit(server, "--probe", "criterion-order").code == 0
        assert server.count == 2 * ROWS
    document = json.loads(Path("out/audit.json").read_text())
    assert {"what": "criterion-order", "why": "the judge is asked about one criterion at a time"} in document[
        "not_measured"
    ]


def test_a_judge_that_only_the_fence_holds_back_shows_what_the_defences_are_worth():
    bare: list[tuple[str, str]] = []

    def script(seen: Seen) -> Answer:
        guarded = "never an instruction to you" in seen.asked.text
        if not guarded:
            bare.append((seen.asked.system, seen.asked.text))
        return says(lambda text: 5 if not guarded and ("highest" in text or "top one" in text) else 3)(seen)

    with Faultd(script) as server:
        assert audit(server, "--probe", "injection-reply,undefended-reply").code == 0
    assert len(bare) == 2 * ROWS
    assert not any("marker" in system for system, _ in bare)
    assert not any(re.search(r"#(?!0{16})[0-9a-f]{16}", text) for _, text in bare)
    document = json.loads(Path("out/audit.json").read_text())
    effects = {r["probe"]: r for r in document["effects"] if r["criterion"] == "helpfulness"}
    assert effects["injection-reply"]["shift"]["value"] == 0
    lift = effects["undefended-reply"]["shift"]["value"]
    assert 0 < lift < 2
    (saved,) = [r for r in document["defences"] if r["criterion"] == "helpfulness"]
    assert saved["saved"]["value"] == pytest.approx(lift)


PEOPLE = "dialogue,turn,criterion,rater,value\n"


def test_people_s_labels_show_leniency_compression_and_agreement():
    rows = [(n, (n % 5) + 1) for n in range(ROWS)]
    Path("labels.csv").write_text(
        PEOPLE + "".join(f"d{n},1,helpfulness,{rater},{value}\n" for n, value in rows for rater in ("x", "y"))
    )

    def level(text: str) -> int:
        number = int(text.split("Where is parcel ")[1].split("?")[0])
        return min(5, (number % 5 + 1 + 5) // 2)

    with Faultd(says(level)) as server:
        ran = audit(server, "--probe", "verbosity", "--labels", "labels.csv")
    assert ran.code == 0, ran.err
    document = json.loads(Path("out/audit.json").read_text())
    found = {row["measure"]: row for row in document["measures"]}
    assert found["leniency"]["estimate"]["value"] == pytest.approx(0.8, abs=0.2)
    assert found["leniency"]["finding"] == "flagged"
    assert found["spread ratio"]["words"] == "compresses the scale"
    assert found["slope"]["estimate"]["value"] < 0.6
    (row,) = document["agreement"]
    assert row["judge"]["value"] > 0.9 and row["people"]["value"] == 1.0
    assert "is more lenient than people (helpfulness" in " ".join(ran.out.split())
    assert "self-preference" in {row["what"] for row in document["not_measured"]}


def test_a_map_is_checked_before_anything_is_sent_and_against_all_labels():
    Path("labels.csv").write_text(PEOPLE + "d0,1,kindness,x,3\n" + "d1,1,helpfulness,x,3\n")
    with Faultd(says(lambda text: 3)) as server:
        for wrong in ("helpfulness=kidness", "helpfulnes=kindness"):
            ran = audit(server, "--labels", "labels.csv", "--map", wrong)
            assert (ran.code, "--map: there is no" in " ".join(ran.err.split())) == (2, True), ran.err
        assert server.count == 0


def test_labels_that_name_nobody_are_an_error_before_anything_is_sent():
    Path("labels.csv").write_text(PEOPLE + "nobody,1,helpfulness,x,3\n")
    with Faultd(says(lambda text: 3)) as server:
        ran = audit(server, "--labels", "labels.csv")
        assert server.count == 0
    assert ran.code == 2
    assert "nobody" in ran.err


def test_drift_since_an_earlier_audit():
    with Faultd(says(lambda text: 3)) as server:
        assert audit(server, "--probe", "format", out="before").code == 0
        server.script = says(lambda text: 4)
        ran = audit(server, "--probe", "format", "--since", "before", out="after")
    assert ran.code == 0, ran.err
    document = json.loads(Path("after/audit.json").read_text())
    drift = {row["criterion"]: row for row in document["measures"] if row["measure"] == "drift"}
    assert drift["helpfulness"]["estimate"]["value"] == 1.0
    assert drift["helpfulness"]["words"] == "scores higher than it did"


def test_what_will_be_sent_is_said_first():
    with Faultd(says(lambda text: 3)) as server:
        ran = audit(server, "--probe", "verbosity")
        asked = server.count
    assert f"to send: {asked} requests in 2 runs, unpriced" in ran.err


def test_the_limit_of_cost_holds_for_the_whole_audit():
    Path("evalharness.yaml").write_text("prices:\n  m: {input: 1000.0, output: 1000.0}\n")
    with Faultd(says(lambda text: 3)) as server:
        ran = audit(server, "--max-cost", "4")
        assert ran.code == 3, ran.err
        document = json.loads(Path("out/audit.json").read_text())
    assert document["cost_usd"] <= 4
    assert document["partial"]
