"""Strings that open something: keys and tokens of known form, what follows ``password:``, random-looking tokens."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from evalharness.core.redaction.numbers import Span

_KNOWN = re.compile(
    r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^-]{0,20000}(?:-----END [A-Z ]{0,30}PRIVATE KEY-----)?"
    r"|(?<![A-Za-z0-9])(?:"
    r"(?:(?:sk|pk|rk|xai|glpat|nvapi|pplx|sess|pypi)-|(?:gsk|hf|tgp|r8|whsec|npm|dop|shpat)_)[A-Za-z0-9_-]{16,}"
    r"|(?:sk|pk|rk)_(?:live|test)_[A-Za-z0-9]{10,}"
    r"|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}"
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])|AIza[A-Za-z0-9_-]{30,}"
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,}|SG\.[A-Za-z0-9_-]{16,64}\.[A-Za-z0-9_-]{16,}"
    r")"
    r"|(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?"
    r"|(?<=://)[^/\s@:]{1,200}:[^/\s@]{1,200}(?=@)"
)
_AFTER_NAME = re.compile(
    r"(?:\b(?:bearer|basic)\s{1,3}"
    r"|(?:api[-_ ]?key|access[-_ ]?key|authorization|token|secret|passw(?:or)?d|passwort|passphrase|parola|"
    r"şifre\w{0,4}|contraseña|mot de passe)[\"']?\s{0,3}[:=]\s{0,3}[\"']?(?:(?:bearer|basic)\s{1,3})?)"
    r"(?P<value>[^\s\"',;}]{6,400})",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"(?<![A-Za-z0-9+_-])[A-Za-z0-9+_-]{24,512}(?![A-Za-z0-9+_-])={0,2}")
_has_digit = re.compile("[0-9]").search
_SHORTEST_BEARER = 16
_LEAST_ENTROPY = 3.7
_LEAST_CHANGES = 0.4


def keys(text: str) -> Iterator[Span]:
    """Strings of a known key's form, and what follows a name like ``password:`` where it has a digit or a sign."""
    for match in _KNOWN.finditer(text):
        sure = match.group().startswith("-----") or text.endswith("://", 0, match.start())
        if sure or _has_digit(match.group()):
            yield match.span()
    for match in _AFTER_NAME.finditer(text):
        value = match["value"].rstrip(".!?)")
        named = match.group()[0] not in "bB"
        if (
            len(value) >= (6 if named else _SHORTEST_BEARER)
            and not value.isalpha()
            and not value.startswith("[")
        ):
            yield match.start("value"), match.start("value") + len(value)


def random_tokens(text: str) -> Iterator[Span]:
    """Runs of at least 24 letters and digits that look drawn by chance.

    Upper case, lower case and digits must all be there, change often and be spread (Shannon entropy of the characters
    of at least 3.7 bits). So identifiers made of words, UUIDs and hexadecimal hashes are left alone.
    """
    for match in _TOKEN.finditer(text):
        if _is_random(match.group()):
            yield match.span()


def _is_random(token: str) -> bool:
    kinds = [_kind(char) for char in token if char.isalnum()]
    if len(set(kinds)) < 3 or len(kinds) < 20:
        return False
    changes = sum(one != other for one, other in pairwise(kinds))
    return changes >= _LEAST_CHANGES * len(kinds) and _entropy(token) >= _LEAST_ENTROPY


def _kind(char: str) -> str:
    return "digit" if char.isdigit() else "upper" if char.isupper() else "lower"


def _entropy(text: str) -> float:
    """Bits per character of the text's own distribution of characters."""
    total = len(text)
    return -math.fsum(n / total * math.log2(n / total) for n in Counter(text).values())
