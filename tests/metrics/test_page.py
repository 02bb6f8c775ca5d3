"""docs/metrics.md: complete, and what it shows is what the program does."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from evalharness.metrics.bleu import Bleu
from evalharness.metrics.catalog import CHECKS, METRICS
from evalharness.metrics.chrf import Chrf
from evalharness.metrics.coco import CocoBleu
from evalharness.metrics.reference import ReferenceMetric
from evalharness.metrics.rouge import Rouge
from evalharness.metrics.signature import package_version
from evalharness.metrics.spec import parse_metrics
from evalharness.metrics.surface import MEASURES
from evalharness.metrics.ter import Ter
from evalharness.metrics.tokenizers import SACREBLEU_TOKENIZERS, WORD_TOKENIZERS

PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
QUOTED = set(re.findall(r"`([^`\n]+)`", PAGE))
HEADS = {re.split(r"[:(]", quoted)[0] for quoted in QUOTED}


@pytest.mark.parametrize("name", [*METRICS, *MEASURES])
def test_every_metric_is_described(name: str) -> None:
    assert name in QUOTED


@pytest.mark.parametrize("name", CHECKS)
def test_every_check_is_described(name: str) -> None:
    assert name in HEADS


@pytest.mark.parametrize("metric", [Bleu, Chrf, Ter, Rouge])
def test_every_option_is_described(metric: type[ReferenceMetric]) -> None:
    implied = {"types", "word_order"}
    assert {option.name for option in dataclasses.fields(metric)} - implied <= QUOTED


def test_every_tokenizer_is_named() -> None:
    assert all(re.search(rf"\b{name}\b", PAGE) for name in (*SACREBLEU_TOKENIZERS, *WORD_TOKENIZERS))


@pytest.mark.parametrize("written", re.findall(r'--(?:metric|check) ("[^"]+"|[^\s`]+)', PAGE))
def test_examples_are_understood(written: str) -> None:
    assert parse_metrics([written.strip('"')])


def test_examples_in_the_text_are_understood() -> None:
    examples = [
        quoted
        for quoted in QUOTED
        if re.fullmatch(r"(bleu|rouge|ter|contains)\([a-z_]+=[^…]+\)(:\w+)?", quoted)
    ]
    assert len(examples) >= 3
    assert len(parse_metrics(examples)) == len(examples)


def test_signatures_are_those_of_the_program() -> None:
    shown = re.findall(r"^\| `([\w:+]+)`(, corpus)? \| `([^`]+)` \|$", PAGE, re.MULTILINE)
    metrics = {"bleu": Bleu(), "chrf": Chrf(), "ter": Ter(), "rouge": Rouge(), "bleu:coco": CocoBleu()}
    assert len(shown) == 7
    for name, corpus, text in shown:
        metric = metrics[name]
        (column, *_) = metric.columns
        real = metric.corpus_signature(column) if corpus else column.signature
        expected = text.replace("\\|", "|").format_map(Versions())
        assert real == expected


class Versions(dict[str, str]):
    """The versions that the page leaves open."""

    def __missing__(self, package: str) -> str:
        return package_version(package)
