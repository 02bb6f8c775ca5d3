"""Judges by name."""

from __future__ import annotations

import json

import pytest

from evalharness.core import registry
from evalharness.core.dialogue import Unit
from evalharness.errors import InputError, UsageError
from evalharness.judges import spec as spec_module
from evalharness.judges.options import JudgeOptions
from evalharness.judges.pointwise import Pointwise
from evalharness.judges.replay import Replay
from evalharness.judges.spec import JudgeSpec, judge_kinds, make_judge, make_judges, parse_spec
from evalharness.llm.client import Capabilities
from tests.judges.fakes import FakeClient, ordinal, rubric


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("openai:gpt-6-luna", JudgeSpec("openai", "gpt-6-luna")),
        ("strict=openai:gpt-6-luna", JudgeSpec("openai", "gpt-6-luna", alias="strict")),
        (
            "openai:org/m:tag@v2@http://localhost:8000/v1",
            JudgeSpec("openai", "org/m:tag@v2", "http://localhost:8000/v1"),
        ),
        ("openai:m@https://a.b/v1", JudgeSpec("openai", "m", "https://a.b/v1")),
        ("openai:m=x", JudgeSpec("openai", "m=x")),
        ("local:smollm2", JudgeSpec("local", "smollm2")),
        ("local:/models/my=model@http.gguf", JudgeSpec("local", "/models/my=model@http.gguf")),
        (r"local:C:\m.gguf", JudgeSpec("local", r"C:\m.gguf")),
        ("old=replay:runs/a b.jsonl.gz", JudgeSpec("replay", "runs/a b.jsonl.gz", alias="old")),
        (" replay:x ", JudgeSpec("replay", "x")),
    ],
)
def test_names(text, expected):
    assert parse_spec(text) == expected


@pytest.mark.parametrize(
    "text", ["", "openai", "openai:", "a=", "=openai:m", ":m", "9x:m", "openai:@http://a", "a b:c"]
)
def test_what_is_no_name(text):
    with pytest.raises(UsageError):
        parse_spec(text)


def test_the_name_in_outcomes_is_the_alias_or_the_specification():
    assert parse_spec("strict=openai:m").name == "strict"
    assert parse_spec("openai:m@http://localhost/v1").name == "openai:m@http://localhost/v1"


def test_a_password_in_an_address_is_never_repeated():
    with pytest.raises(UsageError) as caught:
        parse_spec("openai:@http://me:hunter2@host/v1")
    assert "hunter2" not in str(caught.value)


def test_an_unknown_back_end_names_the_known_ones():
    with pytest.raises(UsageError, match="openai"):
        make_judge("opnai:m", rubric())


def test_every_judge_on_every_rubric_with_one_client_per_name(monkeypatch):
    made = []

    def client(spec, models):
        made.append((spec.model, models))
        return FakeClient([], Capabilities(), model=spec.model)

    monkeypatch.setattr(spec_module, "spec_client", client)
    rubrics = [rubric(ordinal("a")), rubric(ordinal("b"), unit=Unit.DIALOGUE)]
    judges = make_judges(["x=openai:m", "local:smollm2"], rubrics, JudgeOptions(samples=3), {"m": {}})
    assert [(j.name, j.columns[0].criterion, j.unit) for j in judges] == [
        ("x", "a", Unit.TURN),
        ("x", "b", Unit.DIALOGUE),
        ("local:smollm2", "a", Unit.TURN),
        ("local:smollm2", "b", Unit.DIALOGUE),
    ]
    assert [model for model, _ in made] == ["m", "smollm2"]
    assert all(isinstance(j, Pointwise) and j.options.samples == 3 for j in judges)
    assert judges[0].clients[0] is judges[1].clients[0]


def test_recordings_by_name(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text(
        json.dumps({"dialogue": "d", "turn": 1, "criterion": "quality", "outputs": [1]}), encoding="utf-8"
    )
    judge = make_judge(f"old=replay:{path}", rubric())
    assert isinstance(judge, Replay) and judge.name == "old"
    with pytest.raises(InputError):
        make_judge("replay:no-such-file.jsonl", rubric())


@pytest.mark.parametrize("name", ["openai:m", "replay:x"])
def test_rubrics_of_pairs_are_refused(name):
    with pytest.raises(UsageError, match="pairs"):
        make_judge(name, rubric(unit=Unit.PAIR))


def test_a_back_end_of_an_installed_package(monkeypatch):
    class Point:
        name, value = "mine", "pkg:make"

        @staticmethod
        def load():
            return lambda spec, rubrics, options, models: [
                (spec.model, r.name, options, dict(models)) for r in rubrics
            ]

    monkeypatch.setattr(registry, "entry_points", lambda group: [Point] if group == registry.JUDGES else [])
    registry.plugins.cache_clear()
    try:
        assert make_judge("mine:thing", rubric(), None, {"a": 1}) == ("thing", "r", JudgeOptions(), {"a": 1})
        assert "mine" in judge_kinds()
    finally:
        monkeypatch.undo()
        registry.plugins.cache_clear()


def test_settings_of_a_model_reach_its_client(monkeypatch):
    from evalharness.llm import clients

    seen = []

    def make_client(backend, model, base_url, options, trust):
        seen.append((backend, model, base_url, dict(options), sorted(trust.http_hosts)))
        return FakeClient([])

    monkeypatch.setattr(clients, "make_client", make_client)
    monkeypatch.delenv("EVALHARNESS_ALLOW_HTTP", raising=False)
    models = {"api": "chat", "insecure_http": True, "m": {"temperature": "never"}}
    for name in ("openai:m@http://gpu.lab/v1", "openai:n", "anthropic:m", "local:smollm2"):
        make_judge(name, rubric(), None, models)
    known = {"capabilities": {"temperature": "never"}}
    assert seen == [
        ("openai", "m", "http://gpu.lab/v1", {"api": "chat", **known}, ["gpu.lab"]),
        ("openai", "n", None, {"api": "chat"}, []),
        ("anthropic", "m", None, known, []),
        ("local", "smollm2", None, {}, []),
    ]
