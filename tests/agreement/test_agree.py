"""`evalharness agree` as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from scipy import stats

from tests.agreement.runs import agree, dialogue, figure, make_run, small_run, tone_labels, write_lines
from tests.cli.runner import run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_run(tmp_path_factory.mktemp("small"))


def test_figures_are_those_of_scipy(folder: Path, tmp_path: Path) -> None:
    ran = agree(folder, tone_labels(tmp_path), "--json")
    judge = [1 + i % 5 for i in range(40)]
    human = [(own + max(1, own - (i % 3 == 0))) / 2 for i, own in enumerate(judge)]
    row = figure(ran, "j", "spearman")
    assert row["value"] == pytest.approx(stats.spearmanr(judge, human).statistic)
    assert (row["n"], row["groups"], row["undefined"], row["rubric"]) == (40, 40, 0, "reply")
    assert row["low"] < row["value"] < row["high"]
    assert figure(ran, "j", "kendall_tau_b")["value"] == pytest.approx(
        stats.kendalltau(judge, human).statistic
    )


def test_row_has_every_promised_field(folder: Path, tmp_path: Path) -> None:
    ran = agree(folder, tone_labels(tmp_path), "--json")
    promised = {
        "scorer", "rubric", "criterion", "statistic", "grouping", "slice", "value", "se", "low", "high", "level",
        "method", "n", "groups", "undefined", "reason",
    }  # fmt: skip
    assert ran.json["schema_version"] == 1
    assert all(promised <= set(row) for row in ran.json["rows"])


def test_ceiling_and_baselines_stand_beside_the_judge(folder: Path, tmp_path: Path) -> None:
    ran = agree(folder, tone_labels(tmp_path), "--json")
    assert figure(ran, "human:leave_one_out", "spearman")["value"] > 0.9
    assert figure(ran, "human:pairwise", "spearman")["n"] == 40
    assert figure(ran, "baseline:length", "spearman")["n"] == 40
    constant = figure(ran, "baseline:constant", "cohen_kappa_quadratic")
    assert constant["value"] == 0
    assert agree(folder, tone_labels(tmp_path)).out.count("beats reply length") == 1


def test_every_named_statistic_has_a_value_or_a_reason(folder: Path, tmp_path: Path) -> None:
    from evalharness.analysis.agreement.names import STATISTICS

    rows = agree(folder, tone_labels(tmp_path), "--all", "--json").json["rows"]
    found = {row["statistic"] for row in rows if row["scorer"] == "j"}
    assert set(STATISTICS) <= found
    missing = [row for row in rows if row["value"] is None]
    assert missing
    assert all(row["undefined"] and row["reason"] for row in missing)


def test_two_runs_write_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    labels = tone_labels(tmp_path)
    agree(folder, labels, "-q")
    first = (folder / "agree.json").read_bytes(), (folder / "agree.html").read_bytes()
    lines = labels.read_text().splitlines()
    labels.write_text("\n".join(reversed(lines)) + "\n")
    agree(folder, labels, "-q")
    assert first == ((folder / "agree.json").read_bytes(), (folder / "agree.html").read_bytes())


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("spearman>=.5", 0, ""),
        ("tone:spearman.low>=.99", 1, "lower limit of spearman"),
        ("kappa<=.1", 1, "cohen_kappa is"),
        ("baseline:length:spearman>=.9", 1, "baseline:length on tone"),
        ("safe:kappa>=.1", 1, "no figure of a judge"),
        ("nonsense>=1", 2, "there is no statistic 'nonsense'"),
        ("recall:5>=.9", 0, ""),
        ("tone:recall:5<.9", 1, "recall:5 is 1.000 for j on tone"),
        ("recall:9>=.5", 1, "no figure of a judge"),
        ("kappa=.6", 2, "is no requirement"),
    ],
)
def test_requirements(folder: Path, tmp_path: Path, text: str, code: int, said: str) -> None:
    ran = agree(folder, tone_labels(tmp_path), "--require", text)
    assert ran.code == code, ran.err
    assert said in ran.err


def test_labels_join_by_another_key_and_by_any_name_of_a_turn(folder: Path, tmp_path: Path) -> None:
    names = ["1", "reply 1", None]
    rows = [
        {"dialogue": f"t{i}", "turn": names[i % 2], "criterion": "TONE", "rater": "a", "value": 1 + i % 4}
        for i in range(20)
    ]
    ran = agree(folder, write_lines(tmp_path / "l.jsonl", rows), "--key", "metadata.trace_id", "--json")
    assert ran.code == 0, ran.err
    report = ran.json["criteria"][0]
    assert (report["items_labelled"], report["scored_items_not_labelled"], report["raters"]) == (20, 20, 1)
    assert report["ceiling_note"].startswith("One rater")
    assert not [row for row in ran.json["rows"] if row["scorer"].startswith("human:")]


def test_all_faults_of_labels_are_told_with_their_lines(folder: Path, tmp_path: Path) -> None:
    base = {"turn": 1, "criterion": "tone", "rater": "a", "value": 3}
    rows = [
        {**base, "dialogue": "d0"},
        {**base, "dialogue": "nowhere"},
        {**base, "dialogue": "d1", "turn": 9},
        {**base, "dialogue": "d0", "value": 4},
        {**base, "dialogue": "d2", "turn": 0},
    ]
    ran = agree(folder, write_lines(tmp_path / "l.jsonl", rows))
    assert ran.code == 2
    for text in (
        "l.jsonl:2",
        "'nowhere'",
        "l.jsonl:3",
        "messages 0 to 1",
        "l.jsonl:4",
        "already rated",
        "l.jsonl:5",
    ):
        assert text in ran.err, ran.err


@pytest.mark.parametrize("value", [9, 2.5, "warm"])
def test_undeclared_values_are_refused(folder: Path, tmp_path: Path, value: object) -> None:
    rows = [{"dialogue": "d0", "turn": 1, "criterion": "tone", "rater": "a", "value": value}]
    ran = agree(folder, write_lines(tmp_path / "l.jsonl", rows))
    assert ran.code == 2
    assert "l.jsonl:1" in ran.err


def test_mixed_types_are_refused(folder: Path, tmp_path: Path) -> None:
    base = {"turn": 1, "criterion": "tone", "rater": "a"}
    rows = [{**base, "dialogue": "d0", "value": 4}, {**base, "dialogue": "d1", "value": "4"}]
    ran = agree(folder, write_lines(tmp_path / "l.jsonl", rows))
    assert ran.code == 2
    assert "the text '4' here" in ran.err


def test_another_scale_is_declared(folder: Path, tmp_path: Path) -> None:
    rows = [
        {"dialogue": f"d{i}", "turn": 1, "criterion": "tone", "rater": "a", "value": 2 * (i % 5)}
        for i in range(40)
    ]
    labels = write_lines(tmp_path / "l.jsonl", rows)
    assert agree(folder, labels).code == 2
    moved = agree(folder, labels, "--scale", "1..5=0..8", "--json")
    assert figure(moved, "j", "cohen_kappa_quadratic")["value"] == pytest.approx(1.0)
    free = agree(folder, labels, "--scale", "any", "--json")
    assert figure(free, "j", "spearman")["value"] == pytest.approx(1.0)
    assert "different scales" in figure(free, "j", "cohen_kappa")["reason"]


@pytest.mark.parametrize("declared", ["0..2=1..5", "manner=1..7"])
def test_a_declared_scale_that_nothing_has_is_an_error(folder: Path, tmp_path: Path, declared: str) -> None:
    ran = agree(folder, tone_labels(tmp_path), "--scale", declared)
    assert ran.code == 2
    assert f"--scale {declared} fits nothing in this run" in " ".join(ran.err.split())
    assert "tone 1..5" in ran.err


def test_raters_are_chosen_by_pattern(folder: Path, tmp_path: Path) -> None:
    ran = agree(folder, tone_labels(tmp_path), "--raters", "*_a", "--json")
    assert ran.json["labels"]["labels_of_other_raters"] == 40
    assert figure(ran, "j", "spearman")["value"] == pytest.approx(1.0)
    assert agree(folder, tone_labels(tmp_path), "--raters", "nobody").code == 2


def test_inverted_labels_are_said_to_be(folder: Path, tmp_path: Path) -> None:
    rows = [
        {"dialogue": f"d{i}", "turn": 1, "criterion": "tone", "rater": "a", "value": 5 - i % 5}
        for i in range(40)
    ]
    ran = agree(folder, write_lines(tmp_path / "l.jsonl", rows))
    assert "polarity looks inverted" in ran.out


def test_prevalence_is_told(folder: Path, tmp_path: Path) -> None:
    rows = [
        {
            "dialogue": f"d{i}",
            "turn": 1,
            "criterion": "safe",
            "rater": "a",
            "value": "no" if i % 10 == 5 else "yes",
        }
        for i in range(40)
    ]
    ran = agree(folder, write_lines(tmp_path / "l.jsonl", rows))
    assert "because of prevalence" in ran.out


def test_dialogue_labels_meet_turn_scores_by_request(tmp_path: Path) -> None:
    dialogues = [dialogue(f"d{i}", ["a b", "c d e"]) for i in range(12)]
    outputs = [
        {"dialogue": f"d{i}", "turn": turn, "criterion": name, "outputs": [float(value)]}
        for i in range(12)
        for turn, tone in ((1, 1 + i % 5), (3, 1 + (i + 2) % 5))
        for name, value in (("tone", tone), ("safe", 1))
    ]
    folder = make_run(tmp_path, dialogues, outputs)
    low = {f"d{i}": min(1 + i % 5, 1 + (i + 2) % 5) for i in range(12)}
    rows = [{"dialogue": d, "criterion": "tone", "rater": "a", "value": v} for d, v in low.items()]
    labels = write_lines(tmp_path / "l.jsonl", rows)
    assert agree(folder, labels, "--json").json["criteria"][0]["labelled_items_not_scored"] == 12
    ran = agree(folder, labels, "--aggregate", "min", "--json")
    assert figure(ran, "j", "spearman")["value"] == pytest.approx(1.0)


def test_slices_and_groupings(folder: Path, tmp_path: Path) -> None:
    ran = agree(folder, tone_labels(tmp_path), "--slice", "system", "--json")
    assert figure(ran, "j", "spearman", slice="system=s0")["n"] == 20
    chosen = agree(
        folder, tone_labels(tmp_path), "--statistic", "pearson", "--grouping", "by_system", "--json"
    )
    assert figure(chosen, "j", "pearson", grouping="by_system")["undefined"] == 0


def test_a_dialogue_that_is_not_there_is_one_problem_however_many_rows_name_it(
    folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "l.csv"
    rows = [f"{name},1,tone,{rater},3" for name in ("d0", "gone", "d1") for rater in "abc"]
    path.write_text("\n".join(["dialogue,turn,criterion,rater,value", *rows]) + "\n", encoding="utf-8")
    ran = agree(folder, path)
    assert ran.code == 2
    assert ran.err.count("there is no dialogue") == 1
    assert "l.csv:5: there is no dialogue 'gone' in the run; 3 rows name it" in ran.err


def divided_labels(path: Path) -> Path:
    """The rater follows the judge on system s1 and not on s0."""
    rows = [
        {
            "dialogue": f"d{i}", "turn": 1, "criterion": "tone", "rater": "a",
            "value": 1 + i % 5 if i % 2 else 1 + (i * i // 2) % 5,
        }
        for i in range(40)
    ]  # fmt: skip
    return write_lines(path, rows)


def test_slices_are_shown_and_marked_where_they_differ(folder: Path, tmp_path: Path) -> None:
    ran = agree(folder, divided_labels(tmp_path / "l.jsonl"), "--slice", "system")
    shown = [line for line in ran.out.splitlines() if line.startswith("  system=s0 · j · Spearman")]
    assert len(shown) == 1
    assert "differs from the other items (adjusted p = " in " ".join(ran.out.split())
    found = agree(folder, divided_labels(tmp_path / "l.jsonl"), "--slice", "system", "--json")
    row = figure(found, "j", "spearman", slice="system=s0")
    assert row["p_adjusted"] < 0.05
    assert found.json["criteria"][0]["sliced_by"] == ["system"]


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("spearman[system=s1]>=.9", 0, ""),
        ("spearman[system=s0]>=.9", 1, "for j on tone where system=s0"),
        ("tone:pearson[system=*].low>=.9", 1, "lower limit of pearson is"),
        ("spearman[system=s9]>=.9", 1, "no figure of a judge where system=s9"),
        ("spearman[system]>=.9", 2, "names no slice"),
    ],
)
def test_requirements_on_slices(folder: Path, tmp_path: Path, text: str, code: int, said: str) -> None:
    ran = agree(folder, divided_labels(tmp_path / "l.jsonl"), "--require", text)
    assert ran.code == code, ran.err
    assert said in ran.err


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("bca", "BCa, 2000 draws of 40 groups, seed 0"),
        ("bootstrap-t", "bootstrap-t, 2000"),
        ("jackknife", "jackknife+t"),
    ],
)
def test_intervals_by_resampling_are_labelled(folder: Path, tmp_path: Path, name: str, method: str) -> None:
    labels = divided_labels(tmp_path / "l.jsonl")
    plain, other = agree(folder, labels, "--json"), agree(folder, labels, "--interval", name, "--json")
    for statistic in ("spearman", "cohen_kappa_quadratic"):
        before, now = figure(plain, "j", statistic), figure(other, "j", statistic)
        assert now["method"].startswith(method)
        assert now["value"] == before["value"]
        assert now["low"] < now["value"] < now["high"]
        assert now["low"] == pytest.approx(before["low"], abs=0.25)
    constant = figure(other, "baseline:constant", "cohen_kappa_quadratic")
    assert constant["low"] is None


def test_names_and_counts_are_whole_in_a_narrow_window(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = ["--statistic", "spearman,cohen_kappa,gwet_ac1"]
    for width, intervals in (("72", 1), ("92", 2), ("120", 3)):
        monkeypatch.setenv("COLUMNS", width)
        lines = agree(folder, tone_labels(tmp_path), *chosen).out.splitlines()
        (pairwise,) = [line for line in lines if line.startswith("human:pairwise")]
        assert pairwise.count("[") == intervals
        assert pairwise.split()[-2:] == ["40", "40"]
        assert max(map(len, lines)) <= int(width)
        assert any("have all intervals" in line for line in lines) == (intervals < 3)


def test_the_chosen_grouping_is_shown_and_named(folder: Path, tmp_path: Path) -> None:
    assert "scorer (pooled)" in agree(folder, tone_labels(tmp_path)).out
    assert "scorer (by_system)" in agree(folder, tone_labels(tmp_path), "--grouping", "by_system").out
    assert "scorer (by_system)" in (folder / "agree.html").read_text(encoding="utf-8")


def test_second_looks_measure_the_rater(folder: Path, tmp_path: Path) -> None:
    rows = [
        {
            "dialogue": f"d{i}", "turn": 1, "criterion": "tone", "rater": "a", "repeat": look,
            "value": 1 + (i + (look and i % 4 == 0)) % 5,
        }
        for i in range(40)
        for look in (0, 1)
    ]  # fmt: skip
    ran = agree(folder, write_lines(tmp_path / "l.jsonl", rows), "--json")
    assert figure(ran, "human:intra_rater", "changed")["value"] == pytest.approx(0.25)


def test_preferences_against_scores_and_judges(folder: Path, tmp_path: Path) -> None:
    rows = [
        {
            "dialogue_a": f"d{i}", "dialogue_b": f"d{i + 1}", "turn": 1, "criterion": "better", "rater": rater,
            "value": "a" if (1 + i % 5) > (1 + (i + 1) % 5) else "b",
        }
        for i in range(30)
        for rater in ("x", "bot")
    ]  # fmt: skip
    ran = agree(folder, write_lines(tmp_path / "l.jsonl", rows), "--as-judge", "bot", "--json")
    assert figure(ran, "bot", "pair_agreement_with_ties")["value"] == 1
    assert figure(ran, "j", "pair_agreement_with_ties", criterion="better by tone")["value"] == 1
    assert figure(ran, "j", "pair_agreement_without_ties", criterion="better by safe")["n"] < 30


def _preferences(path: Path) -> Path:
    rows = [
        {
            "dialogue_a": f"d{i}", "dialogue_b": f"d{i + 4 + i // 20}", "turn": 1, "criterion": "better", "rater": rater,
            "value": ("a", "b", "tie")[i % 3],
        }
        for i in range(30)
        for rater in ("x", "bot")
    ]  # fmt: skip
    return write_lines(path, rows)


def test_preferences_are_sliced_where_both_dialogues_agree(folder: Path, tmp_path: Path) -> None:
    labels = _preferences(tmp_path / "l.jsonl")
    ran = agree(folder, labels, "--as-judge", "bot", "--slice", "system", "--json")
    figures = [row for row in ran.json["rows"] if row["statistic"] == "pair_agreement_with_ties"]
    sizes = {row["slice"]: row["n"] for row in figures if row["scorer"] == "bot"}
    assert (sizes[None], sizes["system=s0"], sizes["system=s1"]) == (30, 10, 10)
    told = agree(folder, labels, "--as-judge", "bot", "--statistic", "spearman").out
    assert "whatever --statistic names" in " ".join(told.split())
    assert "33 % dropped" in told
    flat = " ".join(told.split())
    assert "; j (by tone) agrees in" in flat and "; j (by safe) agrees in" in flat
    assert "j better by overall" in flat and "_overall" not in flat
    page = (folder / "agree.html").read_text(encoding="utf-8")
    assert "j · reply · better by tone</td>" in page and "bot · better</td>" in page


def test_the_overall_is_called_so_in_sentences(folder: Path, tmp_path: Path) -> None:
    rows = [
        {"dialogue": f"d{i}", "turn": 1, "criterion": "overall", "rater": "a", "value": 5 - i % 5}
        for i in range(40)
    ]
    ran = agree(folder, write_lines(tmp_path / "l.jsonl", rows))
    assert "j on overall look inverted" in " ".join(ran.out.split())
    assert "_overall" not in ran.out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--slice", "nosuch"], "no labelled dialogue has the metadata 'nosuch'"),
        (["--require", "spearman[nosuch=*]>=.1"], "no labelled dialogue has the metadata 'nosuch'"),
        (["--map", "nosuch=tone"], "there is no judged criterion 'nosuch'"),
        (["--map", "tone=nosuch"], "there is no criterion of the labels 'nosuch'"),
        (["--as-judge", "nosuch"], "--as-judge nosuch fits no rater of pairs"),
    ],
)
def test_names_that_nothing_has_are_refused(
    folder: Path, tmp_path: Path, options: list[str], said: str
) -> None:
    ran = agree(folder, tone_labels(tmp_path), *options)
    assert ran.code == 2
    assert said in " ".join(ran.err.split())


def test_slices_that_are_no_metadata_can_be_required(folder: Path, tmp_path: Path) -> None:
    labels = tone_labels(tmp_path)
    assert agree(folder, labels, "--require", "spearman[rater=*]>=.5").code == 0
    missed = agree(folder, labels, "--require", "spearman[rater=expert_b]>=1")
    assert missed.code == 1
    assert "where rater=expert_b" in " ".join(missed.err.split())


def test_preferences_are_not_mapped_and_have_the_largest_slices_only(tmp_path: Path) -> None:
    folder = make_run(
        tmp_path,
        [dialogue(f"d{i}", ["word"], metadata={"topic": f"t{i // 2:02}"}) for i in range(52)],
        [{"dialogue": f"d{i}", "turn": 1, "criterion": "tone", "outputs": [1 + i % 5]} for i in range(52)],
    )
    base = {"turn": 1, "criterion": "better", "value": "a"}
    pairs = [
        {**base, "dialogue_a": f"d{i}", "dialogue_b": f"d{i + 1}", "rater": rater}
        for i in range(0, 52, 2)
        for rater in ("x", "bot", *(["y"] if i > 48 else []))
    ]
    labels = write_lines(tmp_path / "l.jsonl", pairs)
    rows = agree(folder, labels, "--slice", "topic", "--as-judge", "bot", "--json").json["rows"]
    slices = {row["slice"] for row in rows if row["slice"]}
    assert len(slices) == 20
    assert "topic=t25" in slices
    refused = agree(folder, labels, "--map", "tone=better")
    assert refused.code == 2
    assert "no criterion of the labels 'better' There is: none" in " ".join(
        refused.err.replace(".", "").split()
    )


def test_a_scale_by_name_goes_before_one_by_range(folder: Path, tmp_path: Path) -> None:
    rows = [
        {"dialogue": f"d{i}", "turn": 1, "criterion": "manner", "rater": "a", "value": 2 * (i % 5)}
        for i in range(40)
    ]
    labels = write_lines(tmp_path / "l.jsonl", rows)
    mapped = ("--map", "tone=manner", "--scale", "1..5=0..2", "--scale", "tone=0..8", "--json")
    assert figure(agree(folder, labels, *mapped), "j", "cohen_kappa_quadratic")["value"] == pytest.approx(1.0)


def test_labels_of_dialogues_beside_scores_of_turns_ask_for_aggregate(folder: Path, tmp_path: Path) -> None:
    rows = [{"dialogue": f"d{i}", "criterion": "tone", "rater": "a", "value": 1 + i % 5} for i in range(40)]
    labels = write_lines(tmp_path / "l.jsonl", rows)
    assert "--aggregate mean" in " ".join(agree(folder, labels).out.split())


def test_plan_gives_the_published_budgets() -> None:
    rows = {
        (r["statistic"], r["value"], r["prevalence"]): r["labels"]
        for r in run("agree", "--plan", "--json").json
    }
    assert [rows["cohen_kappa", 0.6, p] for p in (0.5, 0.8, 0.9, 0.95)] == [246, 392, 705, 1347]
    assert [rows["pearson", r, None] for r in (0.3, 0.5, 0.7, 0.85)] == [320, 219, 105, 36]
    assert "±0.1" in run("agree", "--plan").out


def test_hostile_text_stays_text(folder: Path, tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    rows = [
        {
            "dialogue": f"d{i}", "turn": 1, "criterion": "tone", "rater": evil, "value": 1 + (i * 2) % 5,
            "comment": "=cmd()|' /C calc'!A0",
        }
        for i in range(40)
    ]  # fmt: skip
    agree(folder, write_lines(tmp_path / "l.jsonl", rows), "-q")
    assert evil not in (folder / "agree.html").read_text(encoding="utf-8")
    cells = (folder / "disagreements.csv").read_text(encoding="utf-8")
    assert f"{evil}: =cmd()" in cells
    assert json.loads((folder / "agree.json").read_text())["disagreements"]


def test_disagreements_come_with_rationale_and_comment(tmp_path: Path) -> None:
    outputs = [
        {"dialogue": f"d{i}", "turn": 1, "criterion": name, "outputs": [f"I find it {word}. Rating: {value}"]}
        for i in range(12)
        for name, value, word in (("tone", 1 + i % 5, "warm"), ("safe", "yes", "safe"))
    ]
    folder = make_run(tmp_path, [dialogue(f"d{i}", ["hello"]) for i in range(12)], outputs)
    rows = [
        {
            "dialogue": f"d{i}",
            "turn": 1,
            "criterion": "tone",
            "rater": "a",
            "value": 5,
            "comment": "warm indeed",
        }
        for i in range(12)
    ]
    worst = agree(folder, write_lines(tmp_path / "l.jsonl", rows), "--json").json["disagreements"][0]
    assert worst["gap"] == -4
    assert worst["comments"] == ["a: warm indeed"]
    assert "I find it warm" in worst["rationale"]
