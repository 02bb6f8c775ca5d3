"""Keeping keys and dialogue text out of messages: what a provider says may quote both.

Messages of providers are useful (`Unsupported parameter: temperature`) and dangerous (validation errors echo the input,
authentication errors echo the key). So they are shown with everything key-like removed and with every word that also
stands in the dialogue removed, except for words that error messages are made of anyway.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from evalharness.core.text import one_line

REMOVED_SECRET = "[secret]"
REMOVED_TEXT = "[…]"

_LONGEST_READ = 2000
_LONGEST_SHOWN = 300
_SHORTEST_WORD = 3

_KEY_LIKE = re.compile(
    r"(?<![A-Za-z0-9])(?:(?:sk|pk|rk|xai|gsk|hf|ghp|glpat|nvapi|pplx|tgp|r8|sess)[-_]|AKIA|ASIA|AIza)[A-Za-z0-9*_-]{8,}"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_.-]{8,}"
    r"|(?i:bearer|basic)\s+[A-Za-z0-9+/=._~*-]{6,}"
    r"|(?i:(?:api[-_ ]?key|authorization|token|secret|password)[\"']?\s*[:=]\s*[\"']?(?:(?:bearer|basic)\s+)?)"
    r"(?!\d+\b)[^\s\"',;}]{6,}"
    r"|(?<=://)[^/\s@]+@"
    r"|\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"
)
_LONG_RUN = re.compile(r"[A-Za-z0-9+/_]{32,}={0,2}")
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
_WORD = re.compile(r"\w+")
_REPEATED = re.compile(rf"{re.escape(REMOVED_TEXT)}(?:[\W_]*{re.escape(REMOVED_TEXT)})+")

_WORDS_OF_ERRORS = """
    access account acceptable allowed and any api are argument array assistant available bad balance batch be because
    been before being below between billing bool boolean bytes cache cached call can cannot capacity change characters
    chat check choices code completion completions config connection contact content context could credentials credit
    current data day deployment deprecated details developer did disabled does doesn down effort embedding enabled
    endpoint engine enough error errors exceed exceeded exceeds expected extra failed field fields float following for
    format forbidden found from function gateway generate get given had handle has have header high higher host hour
    image incorrect increase input inputs instead instructions int integer internal internet invalid item items json key
    know large later least length less level like limit limits list load log logprobs long low lower make many matching
    max maximum may message messages method min minimum minute missing mode model models more most multiple must name
    not null number object occurred off one only open openai anthropic operation option options org organization other
    out output over overloaded own parameter parameters parse path per permission permissions plan platform please
    policy probably processing project prompt property provide provided provider quota rate reached reasoning received
    reduce request requested requests require required requires resource response responses resource retry role route
    schema second seconds see seed send sent server service set should size slow some source specified specify start
    state status stop stream string strict structured supplied support supported system temperature text than that the
    their them then there these they this those timed timeout time times to token tokens too tool tools top try type
    types unable unauthorized unavailable unexpected unknown unprocessable unrecognized unsupported until update upgrade
    upstream usage use used user users using valid validation value values version very wait was were when where which
    will window with without wrong you your
    """
_API_WORDS = frozenset(re.findall("[a-z]+", _WORDS_OF_ERRORS))


def scrub_secrets(text: str, secrets: Iterable[str] = ()) -> str:
    """The text with the given secrets, and whatever looks like a key, token or password, replaced."""
    for secret in secrets:
        if len(secret) >= 4:
            text = text.replace(secret, REMOVED_SECRET)
    return _LONG_RUN.sub(_masked_run, _KEY_LIKE.sub(REMOVED_SECRET, text))


def without_echo(message: str, private: Iterable[str]) -> str:
    """The message without the words that also stand in the private texts; words of error messages stay.

    A word counts as quoted when it is part of a private text, so cut words go as well; runs of other scripts, which
    have no spaces, go when they share two neighbouring characters with it.
    """
    texts = "\n".join(private).casefold()
    if not texts:
        return message
    shown = _WORD.sub(lambda match: _shown(match.group(), texts), _unescaped(message))
    return _REPEATED.sub(REMOVED_TEXT, shown)


def safe_detail(message: str, private: Iterable[str] = (), secrets: Iterable[str] = ()) -> str:
    """A provider's message fit for files, logs and reports: one line, no secrets, no dialogue text, 300 characters."""
    cut = message[:_LONGEST_READ]
    return one_line(scrub_secrets(without_echo(cut, private), secrets), _LONGEST_SHOWN)


def _masked_run(match: re.Match[str]) -> str:
    run = match.group()
    mixed = any(char.isdigit() for char in run) and any(char.isalpha() for char in run)
    return REMOVED_SECRET if mixed else run


def _unescaped(message: str) -> str:
    plain = _ESCAPED.sub(lambda match: chr(int(match.group(1), 16)), message)
    return plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _shown(word: str, private: str) -> str:
    folded = word.casefold()
    if folded in _API_WORDS:
        return word
    return REMOVED_TEXT if _quoted(folded, private) else word


def _quoted(word: str, private: str) -> bool:
    if word.isascii():
        return len(word) >= _SHORTEST_WORD and word in private
    return any(word[start : start + 2] in private for start in range(max(1, len(word) - 1)))
