"""How much of a generated set is found, and how much else is taken for it: no less good than docs/redaction.md says.

The set is Faker's: written by other people than the patterns, with each country's formats, common and odd ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from evalharness.core.redaction.detect import findings

faker = pytest.importorskip("faker")

PAGE = (Path(__file__).parents[2] / "docs" / "redaction.md").read_text(encoding="utf-8")
COUNT = 400


def stated(name: str) -> float:
    """The share (percent) that the page states in the row that begins with this name."""
    row = re.search(rf"^\| {re.escape(name)} \|[^|]*\| ([0-9.]+) %", PAGE, re.MULTILINE)
    assert row is not None, f"docs/redaction.md has no row {name!r}"
    return float(row[1])


def made(locale: str, method: str) -> list[str]:
    source = faker.Faker(locale)
    source.seed_instance(2026)
    return [str(getattr(source, method)()) for _ in range(COUNT)]


def fully_masked(item: str, kind: str, sentence: str) -> bool:
    """Whether no letter or digit of the item is left, and the kind is right."""
    text = sentence.format(item)
    start = text.index(item)
    covered: set[int] = set()
    for one in findings(text):
        if one.kind == kind:
            covered.update(range(one.start, one.end))
    return all(start + i in covered for i, char in enumerate(item) if char.isalnum())


def recall(items: list[str], kind: str, sentence: str) -> float:
    return 100 * sum(fully_masked(item, kind, sentence) for item in items) / len(items)


@pytest.mark.parametrize(
    ("name", "locale"),
    [
        ("phone, Turkey", "tr_TR"), ("phone, Germany", "de_DE"), ("phone, Austria", "de_AT"),
        ("phone, France", "fr_FR"), ("phone, United Kingdom", "en_GB"), ("phone, Netherlands", "nl_NL"),
        ("phone, Spain", "es_ES"), ("phone, Italy", "it_IT"), ("phone, Poland", "pl_PL"), ("phone, Greece", "el_GR"),
        ("phone, United States", "en_US"),
    ],
)  # fmt: skip
def test_phones_by_country(name: str, locale: str) -> None:
    items = made(locale, "phone_number")
    assert recall(items, "PHONE", "Please ring {} tomorrow.") >= stated(f"{name}, bare") - 2
    assert recall(items, "PHONE", "My phone is {} now.") >= stated(f"{name}, after “phone”") - 2


@pytest.mark.parametrize(
    ("name", "method", "kind"),
    [
        ("e-mail", "email", "EMAIL"),
        ("IBAN", "iban", "IBAN"),
        ("card, 13 to 19 digits", "credit_card_number", "CARD"),
    ],
)
def test_kinds_with_a_form_of_their_own(name: str, method: str, kind: str) -> None:
    items = [
        item for locale in ("tr_TR", "de_DE", "fr_FR", "en_GB", "es_ES") for item in made(locale, method)
    ]
    wanted = [item for item in items if len(item) > 12]
    assert recall(wanted, kind, "Please see {} now.") >= stated(name) - 1


HARMLESS: dict[str, Callable[..., str]] = {
    "order number ####-####": lambda f: f.bothify("%###-####"),
    "order number AB-######": lambda f: f.bothify("??-######").upper(),
    "number of 8 digits": lambda f: f.numerify("%#######"),
    "number of 10 digits": lambda f: f.numerify("%#########"),
    "number of 16 digits": lambda f: f.numerify("%###############"),
    "date and time": lambda f: f.date("%d.%m.%Y %H:%M"),
    "amount": lambda f: f"{f.random_int(1, 9)}.{f.random_int(100, 999)},{f.random_int(10, 99)}",
    "EAN-13": lambda f: f.ean13(),
    "ISBN": lambda f: f.isbn13(),
    "IP address": lambda f: f.ipv4(),
    "UUID": lambda f: str(f.uuid4()),
    "SHA-1": lambda f: f.sha1(),
    "web address": lambda f: f.uri(),
    "postal address": lambda f: f.address(),
    "prose": lambda f: f.paragraph(6),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_false_positives(name: str) -> None:
    wrong = 0
    for locale in ("tr_TR", "de_DE", "fr_FR", "en_GB"):
        source = faker.Faker(locale)
        source.seed_instance(2026)
        texts = [HARMLESS[name](source) for _ in range(COUNT)]
        wrong += sum(bool(findings(f"Please see {text} now.")) for text in texts)
    assert 100 * wrong / (4 * COUNT) <= stated(name) + 1
