"""From what a user writes to scorers, and what is said of what can't be read."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from importlib.metadata import EntryPoint

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.core import registry
from evalharness.core.metric import CorpusMetric, Metric
from evalharness.core.scores import Column, Result
from evalharness.errors import EvalHarnessError, UsageError
from evalharness.metrics import spec as module
from evalharness.metrics.bleu import Bleu
from evalharness.metrics.catalog import CHECKS, METRICS
from evalharness.metrics.checks import Answer, Check
from evalharness.metrics.chrf import Chrf
from evalharness.metrics.coco import CocoBleu, CocoRougeL
from evalharness.metrics.rouge import Rouge
from evalharness.metrics.spec import (
    check_names,
    metric_names,
    parse_corpus_metrics,
    parse_metrics,
    read_specs,
)
from evalharness.metrics.surface import MEASURES, Surface
from tests.metrics.replies import turn

ARGUMENTS = {
    "max-calls": "3",
    "metadata": "reward>=1",
    **dict.fromkeys(("contains", "not-contains", "regex", "not-regex", "tool", "not-tool"), "x"),
    **dict.fromkeys(("max-words", "min-words", "max-chars", "min-chars"), "3"),
    "python": "math.isnan",
}


def criteria(*specs: str) -> list[str]:
    return [column.criterion for metric in parse_metrics(specs) for column in metric.columns]


def test_the_usual_line() -> None:
    metrics = parse_metrics(["bleu,chrf,rouge,bleu:coco,rougeL:coco"])
    assert metrics == (Bleu(), Chrf(), Rouge(), CocoBleu(), CocoRougeL())
    assert criteria("bleu", "chrf", "rouge", "bleu:coco", "rougeL:coco") == [
        "bleu", "chrf", "rouge1", "rouge2", "rougeL", "bleu:coco", "rougeL:coco",
    ]  # fmt: skip


def test_options() -> None:
    assert parse_metrics(["bleu(tokenize=zh, lowercase=true),rouge ( tokenizer=unicode , stem=yes )"]) == (
        Bleu("zh", lowercase=True),
        Rouge(tokenizer="unicode", stem=True),
    )
    assert parse_metrics(["chrf++(beta=3)", "bleu(smooth_method=floor,smooth_value=0.2)"]) == (
        Chrf(2, beta=3),
        Bleu(smooth_method="floor", smooth_value=0.2),
    )
    assert criteria("bleu(tokenize=zh,name=bleu-zh)", "rouge(name=u)") == [
        "bleu-zh",
        "u:rouge1",
        "u:rouge2",
        "u:rougeL",
    ]


def test_surface_measures() -> None:
    assert parse_metrics(["surface"]) == (Surface(),)
    assert criteria("surface") == list(MEASURES)
    assert parse_metrics(["repetition(n=4)"]) == (Surface(("repetition",), n=4),)


def test_a_check_takes_the_rest_of_its_text() -> None:
    assert criteria("bleu, contains: a, b(c)", "regex:^(x),y$") == [
        "bleu",
        "contains: a, b(c)",
        "regex:^(x),y$",
    ]
    assert [spec.argument for spec in read_specs(["contains: a, b "])] == [" a, b "]


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_by_its_name(name: str) -> None:
    (metric,) = parse_metrics([name])
    assert isinstance(metric, Metric)
    assert pickle.loads(pickle.dumps(metric)) == metric
    if name not in ("rouge", "surface", "trajectory"):
        assert [column.criterion for column in metric.columns] == [name]
    ((*results,),) = metric.score_many([turn("a reply", "a reference")])
    assert len(results) == len(metric.columns)


@pytest.mark.parametrize("name", [name for name in CHECKS if name != "json-schema"])
def test_every_check_by_its_name(name: str) -> None:
    written = f"{name}:{ARGUMENTS[name]}" if name in ARGUMENTS else name
    (metric,) = parse_metrics([written])
    assert isinstance(metric, Metric)
    assert pickle.loads(pickle.dumps(metric)) == metric
    assert [column.criterion for column in metric.columns] == [written]


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("rougel", "Did you mean rouge"),
        ("blue", "Did you mean bleu"),
        ("contain:x", "Did you mean contains"),
        ("bleu:cocoa", "Did you mean bleu:coco"),
        ("bleu(tokenise=zh)", "Did you mean tokenize"),
        ("rouge(types=rouge1)", "no option of rouge 'types'"),
        ("chrf(word_order=2)", "no option of chrf"),
        ("bleu(lowercase)", "is no option"),
        ("bleu(lowercase=1,lowercase=0)", "stands twice"),
        ("chrf(beta=two)", "a whole number"),
        ("bleu(smooth_value=x,smooth_method=floor)", "a number"),
        ("(x)", "names no scorer"),
        ("bleu)", "names no scorer|no metric"),
        ("bleu(a=b", "names no scorer"),
    ],
)
def test_what_can_not_be_read(written: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_metrics([written])


@given(st.text(alphabet="bleurogcontais:(),=[]{}\\ \n\x1b", max_size=30))
def test_any_text_is_read_or_refused(written: str) -> None:
    try:
        metrics = parse_metrics([written])
    except EvalHarnessError as error:
        assert "\x1b" not in str(error).replace("\\x1b", "")
    else:
        assert all(isinstance(metric, Metric) for metric in metrics)


def test_corpus_metrics_leave_checks_unmade() -> None:
    made = parse_corpus_metrics(["bleu,surface", "json-schema:/gone.json", "python:gone.f", "ter"])
    assert [metric.columns[0].criterion for metric in made] == ["bleu", "ter"]
    assert all(isinstance(metric, CorpusMetric) for metric in made)


# --- plug-ins --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Shouts(Check):
    """A check that a plug-in might bring."""

    least: int
    argument: str = ""

    @property
    def options(self) -> tuple[tuple[str, object], ...]:
        return ("least", self.least), ("argument", self.argument)

    def answer(self, item: object) -> Answer | Result:
        return Answer(True)


@dataclass(frozen=True)
class Constant(Surface):
    """A metric that a plug-in might bring."""

    measures: tuple[str, ...] = ("words",)
    scale: float = 1.0

    @property
    def columns(self) -> tuple[Column, ...]:
        return tuple(super().columns)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = {
        registry.CHECKS: {"shouts": Shouts, "mute": lambda name: Shouts(name=name, least=0)},
        registry.METRICS: {"constant": Constant, "nonsense": lambda: "no metric"},
    }
    points = {
        group: {name: EntryPoint(name, f"plug:{name}", group) for name in found}
        for group, found in groups.items()
    }
    monkeypatch.setattr(module, "plugins", points.__getitem__)
    monkeypatch.setattr(module, "load_plugin", lambda group, name: groups[group].get(name))


@pytest.mark.usefixtures("installed")
def test_plugins_are_found_by_name_with_their_options() -> None:
    assert parse_metrics(["constant(scale=2.5)"]) == (Constant(scale=2.5),)
    assert parse_metrics(["bleu,shouts(least=3):a, b"])[1] == Shouts(
        name="shouts(least=3):a, b", least=3, argument="a, b"
    )
    assert "constant" in metric_names()
    assert "shouts" in check_names()
    assert parse_corpus_metrics(["shouts(least=3):x", "bleu"]) == (Bleu(),)


@pytest.mark.usefixtures("installed")
def test_options_that_a_plugin_needs() -> None:
    with pytest.raises(UsageError, match="missing a required argument: 'least'"):
        parse_metrics(["shouts:x"])
    with pytest.raises(UsageError, match="mute takes nothing after a colon"):
        parse_metrics(["mute:x"])
    assert criteria("mute") == ["mute"]


@pytest.mark.usefixtures("installed")
def test_a_plugin_that_makes_no_metric_is_named() -> None:
    with pytest.raises(UsageError, match="'nonsense' makes no metric but str"):
        parse_metrics(["nonsense"])
    with pytest.raises(UsageError, match="Did you mean constant"):
        parse_metrics(["constan"])
