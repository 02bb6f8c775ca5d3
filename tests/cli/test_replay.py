"""Recorded judge outputs through the command: outcomes by cause, and the published table."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kendalltau, pearsonr

from tests.cli.runner import report, run, scores
from tests.recorded import CRITERIA, STYLES, USR_FILE, recorded_rows, write_replay
from tests.research import research_file

PUBLISHED_R = {
    "geval": (0.393, 0.468, 0.549, 0.311),
    "geval_no_auto_cot": (0.408, 0.443, 0.557, 0.358),
    "llm_eval_no_cot": (0.464, 0.524, 0.611, 0.563),
    "analyze_rate": (0.524, 0.477, 0.567, 0.580),
    "rate_explain": (0.569, 0.504, 0.564, 0.561),
}
PUBLISHED_TAU = {
    "geval": (0.358, 0.391, 0.513, 0.566),
    "geval_no_auto_cot": (0.331, 0.404, 0.535, 0.582),
    "llm_eval_no_cot": (0.476, 0.426, 0.557, 0.666),
    "rate_explain": (0.512, 0.425, 0.509, 0.663),
}

NUMBERS = "rubric: numbers\nversion: 1\nunit: turn\nabout: A chat.\ncriteria:\n" + "".join(
    f"  {name}:\n    question: How high is the {name}?\n    scale: numeric\n    min: 0\n    max: 9\n"
    for name in CRITERIA
)


@pytest.mark.parametrize("style", STYLES)
def test_the_published_table_comes_out_of_a_run(style: str):
    """Numbers parsed by the published rule, on a numeric 0-9 rubric; one printed digit of 36 is a rounding tie."""
    Path("numbers.yaml").write_text(NUMBERS)
    write_replay(style, Path("replay.jsonl"), numbers=True)
    ran = run(
        "score", research_file(USR_FILE), "--rubric", "numbers.yaml", "--judge", "gpt=replay:replay.jsonl", "-o", "r"
    )  # fmt: skip
    assert ran.code == 0, ran.err
    value = {
        (row["dialogue"], row["criterion"]): row["value"]
        for row in scores(Path("r"))
        if row["status"] == "scored"
    }
    human = defaultdict(list)
    for row in recorded_rows(style):
        if (row.dialogue, row.criterion) in value:
            human[row.criterion].append((value[row.dialogue, row.criterion], row.human, row.group))
    for place, criterion in enumerate(CRITERIA):
        mine, theirs, groups = (np.array(column) for column in zip(*human[criterion], strict=True))
        assert pearsonr(mine, theirs)[0] == pytest.approx(PUBLISHED_R[style][place], abs=0.00056)
        if style in PUBLISHED_TAU:
            taus = [kendalltau(mine[groups == g], theirs[groups == g])[0] for g in sorted(set(groups))]
            assert np.nanmean(taus) == pytest.approx(PUBLISHED_TAU[style][place], abs=0.00056)


@pytest.mark.parametrize("style", STYLES)
def test_raw_texts_are_parsed_and_every_outcome_is_counted(style: str):
    write_replay(style, Path("replay.jsonl"))
    ran = run(
        "score", research_file(USR_FILE), "--rubric", "topical-chat", "--judge", "gpt=replay:replay.jsonl", "-o", "r"
    )  # fmt: skip
    assert ran.code == 0, ran.err
    recorded = Counter(row.criterion for row in recorded_rows(style))
    for found in report(Path("r"))["criteria"]:
        if found["criterion"] == "_overall":
            continue
        failed = sum(found["failed"].values())
        assert found["scored"] + failed + sum(found["skipped"].values()) == found["items"] == 360
        assert found["failed"].get("not_recorded", 0) == 360 - recorded[found["criterion"]]
        assert found["samples"]["asked"] == 20 * recorded[found["criterion"]]
        assert found["samples"]["usable"] <= found["samples"]["asked"]
    assert "gpt-3.5-turbo" in scores(Path("r"))[0]["signature"]
