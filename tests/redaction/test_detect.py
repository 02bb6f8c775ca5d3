"""What is found in a text, what is left alone, and in what time."""

from __future__ import annotations

import random
import string
import time

import pytest

from evalharness.core.redaction.detect import findings, parse_pattern
from evalharness.core.redaction.numbers import IBAN_LENGTH, luhn
from evalharness.errors import InputError, UsageError
from tests.redaction.samples import FOUND, HARMLESS

AROUND = ("{}", "It is {}, thanks.", "({})", "a: {}\nb", '{{"x": "{}"}}', "Merhaba, {} benim.")


def found(text: str) -> list[tuple[str, str]]:
    return [(one.kind, text[one.start : one.end]) for one in findings(text)]


@pytest.mark.parametrize("kind", FOUND)
def test_items_are_found_whole_wherever_they_stand(kind: str) -> None:
    for item in FOUND[kind]:
        for frame in AROUND:
            if kind == "PHONE" and frame == "({})":
                continue  # a bracket of its own is part of some numbers
            assert found(frame.format(item)) == [(kind, item)], frame.format(item)


@pytest.mark.parametrize("text", HARMLESS)
def test_other_numbers_and_words_are_left_alone(text: str) -> None:
    assert found(f"Please see {text} today.") == []


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("tel: 612 345 678", "612 345 678"),
        ("call me on 555 0132 99", "555 0132 99"),
        ("Telefonum 532 1234567", "532 1234567"),
    ],
)
def test_a_word_for_phone_makes_a_bare_number_one(text: str, masked: str) -> None:
    assert found(text) == [("PHONE", masked)]
    assert found(masked) == []


def test_a_password_is_found_after_its_name_alone() -> None:
    assert found("password: hunter22") == [("KEY", "hunter22")]
    assert found("Authorization: Bearer a1b2c3d4e5f6g7h8") == [("KEY", "a1b2c3d4e5f6g7h8")]
    assert found("postgres://ada:lovelace@db/x") == [("KEY", "ada:lovelace")]


def test_luhn_and_iban_digits_are_checked() -> None:
    assert luhn("79927398713")  # the worked example of ISO/IEC 7812
    assert not luhn("79927398710")
    assert IBAN_LENGTH["TR"] == 26
    broken = "TR33 0006 1005 1978 6457 8413 26".replace("1978", "1987")
    assert found(broken) == []


def test_a_card_is_found_beside_other_digits() -> None:
    assert found("4111 1111 1111 1111 12/27 123") == [("CARD", "4111 1111 1111 1111")]


def test_patterns_of_the_user_win_and_are_named() -> None:
    customer = parse_pattern("customer=C-[0-9]{6}|ada@[a-z.]+")
    text = "C-123456 wrote from ada@example.org and eve@example.org"
    kinds = [one.kind for one in findings(text, (customer,))]
    assert kinds == ["CUSTOMER", "CUSTOMER", "EMAIL"]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("no-equals", "NAME=REGEX"),
        ("A-B=x", "NAME=REGEX"),
        ("EMAIL=x", "the name is taken"),
        ("A=(", "no regular expression"),
        ("A=x*", "matches nothing at all"),
    ],
)
def test_bad_patterns_are_refused(entry: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_pattern(entry)


def test_a_pattern_that_backtracks_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evalharness.core.redaction.detect.MATCH_SECONDS", 0.05)
    slow = parse_pattern("SLOW=b(a|a)*$")
    with pytest.raises(InputError, match="SLOW took more than"):
        findings("b" + "a" * 60 + "c", (slow,))


EVIL = {
    "addresses": "a@", "dots": "a.", "labels": "@b.", "tokens": "-eyJ", "keys": "sk-", "digits": "1", "groups": "1 ",
    "phones": "phone ", "brackets": "(0", "codes": "+1", "names": 'secret="', "mixed": "aB3", "ibans": "TR33 ",
    "pem": "-----BEGIN PRIVATE KEY-----", "urls": "://a:", "zeros": "0532 ", "calls": "call me on ", "e": "a@b.co ",
}  # fmt: skip


def cost(text: str) -> float:
    """Processor seconds of this thread, the least of three tries: waiting for other work does not count."""
    best = float("inf")
    for _ in range(3):
        started = time.thread_time()
        findings(text)
        best = min(best, time.thread_time() - started)
    return best


@pytest.mark.parametrize("name", EVIL)
def test_work_grows_linearly_on_hostile_texts(name: str) -> None:
    """Eight times the text costs far less than the 64 times of a quadratic pattern."""
    short, long = (cost(EVIL[name] * (size // len(EVIL[name]))) for size in (4_000, 32_000))
    assert long < 30 * short + 0.05


def test_random_tokens_are_found_and_words_are_not() -> None:
    draw = random.Random(7)
    alphabet = string.ascii_letters + string.digits
    tokens = ["".join(draw.choices(alphabet, k=draw.randint(24, 64))) for _ in range(2000)]
    recall = sum(found(f"use {token} now") == [("KEY", token)] for token in tokens) / len(tokens)
    assert recall > 0.95
    words = [
        "parcel",
        "Address",
        "Customer",
        "Order",
        "number",
        "2024",
        "v2",
        "Europe",
        "Istanbul",
        "tracking",
    ]
    names = ["".join(draw.choices(words, k=5)) for _ in range(2000)]
    wrong = [name for name in names if found(f"use {name} now")]
    assert len(wrong) / len(names) < 0.01
