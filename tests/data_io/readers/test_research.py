"""USR, FED, tau-bench and MT-Bench: small records written here, and the published files where they are at hand."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from evalharness.core.labels import Label, PairLabel
from evalharness.data.dialogues import Read, Tally, read_dialogues
from evalharness.data.readers.usr import GROUND_TRUTH, slug
from evalharness.errors import InputError
from tests.data_io.helpers import ASK, REPLY, ids, put, reads, refused, talk
from tests.research import research_file


def rated(model: str, text: str, *overall: object) -> dict:
    return {"response": text, "model": model, "Overall": list(overall), "Uses Knowledge": [1, 0, 1]}


USR = {
    "context": "hello \n how are you ? \n fine . \n\n",
    "fact": "cats purr\n",
    "annotators": ["x", "y", "z"],
    "responses": [
        rated(GROUND_TRUTH, "do you like cats ? \n", 5, 4, 5),
        rated("Nucleus Decoding (p = 0.3)", "cats .\n", 2, "N/A (no idea)", 1),
    ],
}


def test_usr_gives_a_dialogue_for_each_reply(tmp_path: Path) -> None:
    path = tmp_path / "tc_usr_data.json"
    path.write_text(json.dumps([USR, USR]))
    truth, nucleus, *_ = found = reads(str(path))
    assert ids(found) == [
        "usr-0-original-ground-truth",
        "usr-0-nucleus-decoding-p-0-3",
        "usr-1-original-ground-truth",
        "usr-1-nucleus-decoding-p-0-3",
    ]
    assert [read.dialogue.group for read in found] == ["usr-0", "usr-0", "usr-1", "usr-1"]
    assert talk(nucleus.dialogue) == [
        ("user", "hello"),
        ("assistant", "how are you ?"),
        ("user", "fine ."),
        ("assistant", "cats ."),
    ]
    assert [message.given for message in nucleus.dialogue.messages] == [False, True, False, False]
    assert nucleus.dialogue.assistant_turns() == (3,)
    assert nucleus.dialogue.messages[3].references == ("do you like cats ?",)
    assert truth.dialogue.messages[3].references == ()
    assert [(doc.id, doc.text) for doc in truth.dialogue.context] == [("fact", "cats purr")]
    assert nucleus.dialogue.metadata == {
        "system": "Nucleus Decoding (p = 0.3)",
        "annotators": ["x", "y", "z"],
    }


def test_usr_ratings_are_labels_and_missing_ones_are_counted(tmp_path: Path) -> None:
    truth, nucleus = reads(put(tmp_path / "u.jsonl", USR))
    assert [label.value for label in truth.labels] == [5, 4, 5, 1, 0, 1]
    where = (str(tmp_path / "u.jsonl"), 1)
    assert nucleus.labels[:2] == tuple(
        Label("usr-0-nucleus-decoding-p-0-3", 3, "Overall", rater, value, source=where[0], line=where[1])
        for rater, value in (("rater-1", 2.0), ("rater-3", 1.0))
    )
    assert nucleus.notes == ("rating missing: 'Overall'",)


def test_usr_problems(tmp_path: Path) -> None:
    assert "'context' must be text" in refused(tmp_path, {**USR, "context": 3})
    bad = {**USR, "responses": [rated("m", "x", "good")]}
    assert "the rating 'Overall' of rater 1 is text" in refused(tmp_path, bad)
    assert "'responses' must be a list" in refused(tmp_path, {"context": "x"}, format="usr")


@pytest.mark.parametrize(("text", "name"), [("A  b", "a-b"), ("(p = 0.5)", "p-0-5"), ("É!", "")])
def test_slugs(text: str, name: str) -> None:
    assert slug(text) == name


def last_and_overall(found: list[Read]) -> tuple[list[tuple[str, str]], np.ndarray]:
    """Reply and reference, and the mean Overall, of every dialogue that has a reference."""
    scored = [read for read in found if read.dialogue.messages[-1].references]
    replies = [(r.dialogue.messages[-1].content, r.dialogue.messages[-1].references[0]) for r in scored]
    values = [
        [label.value for label in r.labels if isinstance(label, Label) and label.criterion == "Overall"]
        for r in scored
    ]
    return replies, np.array(values, dtype=float).mean(axis=1)


def test_usr_as_published() -> None:
    """Sentence BLEU of sacrebleu against the mean Overall rating: .228 and .292 over 300 replies."""
    from sacrebleu import sentence_bleu
    from scipy.stats import pearsonr, spearmanr

    found = reads(str(research_file("usr-topical-chat/tc_usr_data.json")))
    assert len(found) == 360
    assert len({read.dialogue.group for read in found}) == 60
    assert sum(len(read.labels) for read in found) == 360 * 6 * 3
    assert {read.dialogue.system for read in found if not read.dialogue.messages[-1].references} == {
        GROUND_TRUTH
    }
    replies, overall = last_and_overall(found)
    assert len(replies) == 300
    scores = [sentence_bleu(reply, [reference]).score for reply, reference in replies]
    assert round(float(pearsonr(scores, overall).statistic), 3) == 0.228
    assert round(float(spearmanr(scores, overall).statistic), 3) == 0.292


TURN = {
    "context": "User: Hi!\nSystem: Hello.\nUser: And?",
    "response": "System: Well\nyes",
    "system": "Meena",
    "annotations": {"Overall": [2, 3], "Correct": [1, "N/A (no facts)"]},
}
WHOLE = {"context": TURN["context"], "system": "Meena", "annotations": {"Coherent": [1, 2]}}
OTHER = {
    "context": "User: Bye",
    "response": "System: Bye",
    "system": "Human",
    "annotations": {"Overall": [1, 1]},
}
LISTED = {
    "dialog": [{"speaker": "human", "text": "Hi!"}, {"speaker": "model", "text": "Hello."}],
    "annotations": {"Coherent": [1, 2], "Error recovery": [1]},
    "model": "Mitsuku",
    "dialogue_id": "fed-dial_00007",
}


def test_fed_turns_and_dialogues(tmp_path: Path) -> None:
    turn, whole, other = found = reads(put(tmp_path / "f.jsonl", TURN, WHOLE, OTHER))
    assert ids(found) == ["fed-dial_00000-turn-1", "fed-dial_00000", "fed-dial_00001-turn-1"]
    assert [read.dialogue.group for read in found] == ["fed-dial_00000", "fed-dial_00000", "fed-dial_00001"]
    assert talk(turn.dialogue)[-1] == ("assistant", "Well\nyes")
    assert [message.given for message in turn.dialogue.messages] == [False, True, False, False]
    assert {label.turn for label in turn.labels if isinstance(label, Label)} == {3}
    assert turn.notes == ("rating missing: 'Correct'",)
    assert whole.dialogue.assistant_turns() == (1,)
    assert {label.turn for label in whole.labels if isinstance(label, Label)} == {None}
    assert other.dialogue.system == "Human"


def test_fed_dialogues_of_the_other_file(tmp_path: Path) -> None:
    (read,) = reads(put(tmp_path / "f.jsonl", LISTED))
    assert (read.dialogue.id, read.dialogue.system) == ("fed-dial_00007", "Mitsuku")
    assert talk(read.dialogue) == [("user", "Hi!"), ("assistant", "Hello.")]
    raters = [(label.criterion, label.rater) for label in read.labels if isinstance(label, Label)]
    assert raters == [("Coherent", "rater-1"), ("Coherent", "rater-2"), ("Error recovery", "unplaced-1")]
    assert read.notes == ("rating missing: 'Error recovery'",)


def test_fed_problems(tmp_path: Path) -> None:
    assert "does not begin with 'User:'" in refused(tmp_path, {**WHOLE, "context": "hi"})
    assert "'context' and 'response' must be text" in refused(tmp_path, {**TURN, "response": 3})
    assert "must have 'speaker'" in refused(tmp_path, {**LISTED, "dialog": [{"speaker": "cat", "text": "x"}]})
    assert "'dialogue_id' must be text" in refused(tmp_path, {**LISTED, "dialogue_id": None})
    assert "'annotations' must be an object" in refused(tmp_path, {"context": "User: x"}, format="fed")
    assert "are a number, not a list" in refused(tmp_path, {**WHOLE, "annotations": {"Coherent": 1}})


def test_fed_as_published() -> None:
    """500 items of 125 conversations; the two files hold the same dialogues under the same ids."""
    found = reads(str(research_file("fed/fed_data.json")))
    listed = {read.dialogue.id: read for read in reads(str(research_file("fed/fed_human_annotations.json")))}
    whole = {read.dialogue.id: read for read in found if "-turn-" not in read.dialogue.id}
    assert (len(found), len(whole), len(listed)) == (500, 125, 125)
    assert Counter(Counter(read.dialogue.group for read in found).values()) == {4: 125}
    for name, read in whole.items():
        assert talk(read.dialogue) == talk(listed[name].dialogue)
        overall = [
            [lab.value for lab in r.labels if lab.criterion == "Overall"] for r in (read, listed[name])
        ]
        assert overall[0] == overall[1]
    assert sum(len(read.labels) for read in found) == 500 * 5 * 9 + 125 * 5 * 2 - 167


TAU = {
    "task_id": 3,
    "trial": 1,
    "reward": 0.0,
    "info": {"task": {"instruction": "You want a refund."}},
    "traj": [
        {"role": "system", "content": "policy"},
        ASK,
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "c", "name": "f", "content": "42"},
        REPLY,
    ],
}


def test_tau_bench_trajectories(tmp_path: Path) -> None:
    (read,) = reads(put(tmp_path / "t.jsonl", TAU))
    dialogue = read.dialogue
    assert (dialogue.id, dialogue.group, dialogue.goal) == ("tau-3-1", "tau-3", "You want a refund.")
    assert dialogue.metadata == {"task_id": 3, "trial": 1, "reward": 0.0, "info": TAU["info"]}
    assert [message.role for message in dialogue.messages] == [
        "system",
        "user",
        "assistant",
        "tool",
        "assistant",
    ]
    assert dialogue.messages[2].tool_calls[0].name == "f"


def test_tau_bench_problems(tmp_path: Path) -> None:
    assert "'reward' is text" in refused(tmp_path, {**TAU, "reward": "1"})
    assert "'task_id' is null" in refused(tmp_path, {**TAU, "task_id": None})
    assert "message 0" in refused(tmp_path, {**TAU, "traj": ["x"]})


def test_tau_bench_as_published() -> None:
    """pass^1 … pass^4 of the 50 tasks with 4 trials: .420, .273, .220, .200."""
    from math import comb

    found = reads(str(research_file("tau-bench/gpt-4o-airline.json")))
    won: Counter[str] = Counter()
    for read in found:
        won[read.dialogue.group] += read.dialogue.metadata["reward"] == 1.0
    assert (len(found), len(won)) == (200, 50)
    for k, printed in enumerate((0.420, 0.273, 0.220, 0.200), 1):
        assert round(sum(comb(count, k) / comb(4, k) for count in won.values()) / 50, 3) == printed


QUESTION = {
    "question_id": 81,
    "category": "writing",
    "turns": ["Write.", "Again."],
    "reference": ["r1", "r2"],
}
VOTE = {
    "question_id": 81,
    "model_a": "m1",
    "model_b": "m2",
    "winner": "model_b",
    "judge": "expert_1",
    "turn": 2,
}


def answer(model: str, *texts: str, question: int = 81) -> dict:
    return {"question_id": question, "model_id": model, "choices": [{"index": 0, "turns": list(texts)}]}


def test_mt_bench_files_are_read_together(tmp_path: Path) -> None:
    (tmp_path / "model_answer").mkdir()
    (tmp_path / "reference_answer").mkdir()
    first = put(tmp_path / "model_answer" / "m1.jsonl", answer("m1", "a1", "a2"))
    second = put(tmp_path / "model_answer" / "m2.jsonl", answer("m2", "b1"))
    good = put(tmp_path / "reference_answer" / "gpt-4.jsonl", answer("gpt-4", "g1", "g2"))
    question = put(tmp_path / "question.jsonl", QUESTION)
    tie = {**VOTE, "winner": "tie (inconsistent)", "turn": 1}
    votes = put(tmp_path / "human.jsonl", VOTE, tie)
    tally = Tally()
    found = [
        r for r in read_dialogues([first, second, votes, good, question], tally=tally) if isinstance(r, Read)
    ]
    assert ids(found) == ["mt-bench-81-m1", "mt-bench-81-m2"]
    dialogue = found[0].dialogue
    assert talk(dialogue) == [
        ("user", "Write."),
        ("assistant", "a1"),
        ("user", "Again."),
        ("assistant", "a2"),
    ]
    assert [m.references for m in dialogue.messages] == [(), ("g1", "r1"), (), ("g2", "r2")]
    assert (dialogue.group, dialogue.metadata["category"], dialogue.system) == (
        "mt-bench-81",
        "writing",
        "m1",
    )
    assert found[0].labels == (
        PairLabel("mt-bench-81-m1", "mt-bench-81-m2", "winner", "expert_1", "b", 3, 3, source=votes, line=1),
        PairLabel(
            "mt-bench-81-m1", "mt-bench-81-m2", "winner", "expert_1", "tie", 1, 1,
            comment="tie (inconsistent)", source=votes, line=2, metadata={"winner": "tie (inconsistent)"},
        ),
    )  # fmt: skip
    assert found[1].labels == ()
    assert [file.dialect for file in tally.files] == ["mt-bench"] * 5


def test_mt_bench_other_files_may_stand_between(tmp_path: Path) -> None:
    question = put(tmp_path / "q.jsonl", QUESTION)
    chat = put(tmp_path / "c.jsonl", {"id": "chat", "messages": [REPLY]})
    answers = put(tmp_path / "a.jsonl", answer("m1", "x"))
    assert ids(reads(question, chat, answers)) == ["mt-bench-81-m1", "chat"]


def test_mt_bench_several_choices_and_votes_about_others(tmp_path: Path) -> None:
    several = {**answer("m1"), "choices": [{"turns": ["x"]}, {"turns": ["y"]}]}
    path = put(tmp_path / "a.jsonl", QUESTION, several, {**VOTE, "model_a": "m9"})
    tally = Tally()
    found = [r for r in read_dialogues([path], tally=tally) if isinstance(r, Read)]
    assert ids(found) == ["mt-bench-81-m1-choice-0", "mt-bench-81-m1-choice-1"]
    assert [read.dialogue.metadata["trial"] for read in found] == [0, 1]
    assert tally.unplaced_ratings == 1


def test_mt_bench_problems(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="answers without their questions"):
        reads(put(tmp_path / "a.jsonl", answer("m1", "x")))
    with pytest.raises(InputError, match="questions without answers"):
        reads(put(tmp_path / "q.jsonl", QUESTION))
    path = put(
        tmp_path / "b.jsonl",
        QUESTION,
        answer("m1", "x"),
        QUESTION,
        answer("m1", "x", question=7),
        answer("m1", "x", "y", "z"),
        {**answer("m1"), "choices": [{}]},
        {**VOTE, "winner": "nobody"},
        {**VOTE, "turn": 0},
        {"question_id": 1},
    )
    problems = [outcome.problem for outcome in read_dialogues([path]) if not isinstance(outcome, Read)]
    assert {problem.line: problem.message for problem in problems} == {
        3: "the question '81' stands twice, first in line 1",
        4: "there is no question '7'",
        5: "there are 3 answers to 2 questions",
        6: "'choices' must be a list of objects with 'turns', a list of texts",
        7: "the winner 'nobody' is unknown",
        8: "'turn' must be 1 or more",
        9: "this is neither a question, an answer nor a vote of MT-Bench",
    }


def test_mt_bench_as_published() -> None:
    """80 questions, 6 models, 3,355 human votes and 2,400 pair verdicts of GPT-4 (380 of them inconsistent)."""
    folder = research_file("mt-bench-human")
    names = (
        "question.jsonl",
        "model_answer/*.jsonl",
        "reference_answer_gpt-4.jsonl",
        "human.jsonl",
        "gpt4_pair.jsonl",
    )
    tally = Tally()
    found = [
        r for r in read_dialogues([f"{folder}/{name}" for name in names], tally=tally) if isinstance(r, Read)
    ]
    assert len(found) == 480
    assert len({read.dialogue.group for read in found}) == 80
    votes = [label for read in found for label in read.labels if isinstance(label, PairLabel)]
    judges = Counter(vote.rater == "gpt4_pair" for vote in votes)
    assert (judges[False], judges[True], tally.unplaced_ratings) == (3355, 2400, 0)
    assert sum(vote.comment == "tie (inconsistent)" for vote in votes) == 380
    by_id = {read.dialogue.id: read.dialogue for read in found}
    for vote in votes:
        for name, turn in ((vote.dialogue_a, vote.turn), (vote.dialogue_b, vote.turn_b)):
            assert turn is not None
            assert by_id[name].messages[turn].role == "assistant"
    assert sum(bool(dialogue.messages[1].references) for dialogue in by_id.values()) == 40 * 6


@pytest.mark.parametrize("record", [USR, TURN, LISTED, TAU])
def test_a_broken_line_does_not_lose_the_others(tmp_path: Path, record: dict) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f"{json.dumps(record)}\n{{broken\n")
    kinds = [isinstance(outcome, Read) for outcome in read_dialogues([str(path)])]
    assert kinds == [True] * (len(kinds) - 1) + [False]
    assert len(kinds) > 1


def test_a_broken_line_of_mt_bench_files_is_rejected_in_its_place(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f"{json.dumps(QUESTION)}\n{{broken\n{json.dumps(answer('m1', 'x'))}\n")
    bad, good = read_dialogues([str(path)])
    assert not isinstance(bad, Read)
    assert bad.problem.line == 2
    assert isinstance(good, Read)
