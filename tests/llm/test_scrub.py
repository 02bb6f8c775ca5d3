from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.llm.scrub import _API_WORDS, safe_detail, scrub_secrets, without_echo

KEYS = [
    "sk-proj-abcdEFGH1234567890",
    "sk-ant-api03-AAAAbbbbCCCC1111",
    "gsk_1234567890abcdefghij",
    "hf_abcdefghijklmnopqrst",
    "AKIAIOSFODNN7EXAMPLE",
    "AIzaSyA1234567890abcdefghijklmnop",
    "xai-0123456789abcdef",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
    "0123456789abcdef0123456789abcdef",
    "123e4567-e89b-12d3-a456-426614174000",
]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("frame", ["{}", "Incorrect API key provided: {}.", "Bearer {}", "key='{}'", "({})"])
def test_whatever_looks_like_a_key_goes(key: str, frame: str) -> None:
    assert key not in scrub_secrets(frame.format(key))


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer abc.def/ghi",
        "api_key=verysecret1",
        '"x-api-key": "letmein99"',
        "https://me:pass1@host/",
    ],
)
def test_named_secrets_go(text: str) -> None:
    shown = scrub_secrets(text)
    assert "[secret]" in shown
    assert not re.search("def/ghi|verysecret1|letmein99|pass1", shown)


def test_the_key_in_use_goes_even_when_it_looks_like_nothing() -> None:
    assert scrub_secrets("you sent plainword", ["plainword"]) == "you sent [secret]"


@pytest.mark.parametrize(
    "text",
    [
        "The model `gpt-6-luna` does not exist",
        "Unsupported parameter: 'temperature' is not supported with this model.",
        "This model's maximum context length is 128000 tokens",
        "max_token=128000 requested, 12 tokens: none left",
        "skeletal riskanalysisrequired",
    ],
)
def test_ordinary_messages_stay(text: str) -> None:
    assert scrub_secrets(text) == text


def test_words_of_the_dialogue_go_and_words_of_errors_stay() -> None:
    message = "Invalid value for input: 'my password is hunter2 Lausanne'"
    shown = without_echo(message, ["user: my password is Hunter2, born in LAUSANNE, invalid value"])
    assert "hunter2" not in shown
    assert "Lausanne" not in shown
    assert shown.startswith("Invalid value for input: '")


def test_cut_and_escaped_and_unspaced_echoes_go() -> None:
    assert "hunt" not in without_echo("near 'hunt", ["hunter2"])
    assert "\\u5bc6" not in without_echo(r"near '\u5bc6\u7801'", ["我的密码是"])
    assert "密码" not in without_echo("内容密码无效", ["我的密码是"])


@given(st.lists(st.text(alphabet="abcdefghij0123456789", min_size=3, max_size=8), min_size=1, max_size=12))
def test_no_word_of_the_dialogue_survives(words: list[str]) -> None:
    shown = without_echo("Invalid input: " + " / ".join(words), [" ".join(words)])
    kept = set(re.findall(r"\w+", shown.casefold()))
    assert kept <= {"invalid", "input"} | _API_WORDS


@given(st.text(max_size=400), st.text(max_size=400))
def test_details_are_one_short_line(message: str, private: str) -> None:
    detail = safe_detail(message, [private])
    assert len(detail) <= 300
    assert "\n" not in detail
    detail.encode("utf-8")


@pytest.mark.parametrize("piece", ["a/", "sk-", "eyJ", "bearer ", "://", "a1", "\\u00e9", "密"])
def test_a_megabyte_of_anything_is_no_trouble(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))
    assert len(safe_detail(text, [text])) <= 300
    assert len(scrub_secrets(text)) <= len(text)
