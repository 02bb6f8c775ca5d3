r"""Verdicts in prose about one criterion: ``4``, ``Rating: 4``, ``4/5``, ``I would rate it a 4``.

Only what can't be mistaken is read. All patterns have bounded repetitions, so time is linear in the length of the
text. Numbers are plain ASCII digits; ``4/5`` and ``4 out of 5`` count only when 5 is the top of the scale.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

from evalharness.core.rubric import Criterion
from evalharness.judges.answers import Fit, Odd, TooManyError, fit_number, fit_words

_NUMBER = re.compile(r"[+-]?[0-9]{1,9}(?:\.[0-9]{1,9})?(?![\w%]|[.,][0-9])")
_OUT_OF = re.compile(
    r"(?:[ \t]{0,2}/[ \t]{0,2}|[ \t]{1,3}out[ \t]{1,3}of[ \t]{1,3})([0-9]{1,9}(?:\.[0-9]{1,9})?)(?![\w%/]|[.,][0-9])"
)
_RANGE = re.compile(r"[ \t]{0,2}(?:[-–—~/]|to|or)[ \t]{0,2}[0-9]{1,9}(?:\.[0-9]{1,9})?")
_OPENING = re.compile(r"[*_`\"'“”‘’«\[({<]{0,8}")
_CLOSING = re.compile(r"[*_`\"'“”‘’»\])}>]{0,8}")
_BULLET = re.compile(r"(?:[-•*–][ \t]{1,4})?")
_FINAL = re.compile(r"[.!]?[*_`\"'“”‘’»\])}>]{0,8}[ \t]{0,64}$")
_LINE_REST = re.compile(r"[.!,;]?[*_`\"']{0,4}[ \t]{0,64}(?:\n|$)")
_FOLLOW = re.compile(
    r"[ \t]{0,64}(?:\r?\n|$)|[.,;:!](?=[\s*_`\"'”’)]|$)|[ \t]{1,4}[-–—(|\[]"
    r"|[ \t]{1,4}(?:because|since|as|due|rationale|explanation|reason|reasoning|analysis|justification)\b",
    re.IGNORECASE,
)
_LEADS = re.compile(r"[.,;:!)](?:[ \t]{1,8}|[ \t]{0,8}\r?\n)|[ \t]{0,4}\r?\n|[ \t]{1,4}[-–—(]")
_SPACE = re.compile(r"[ \t]{0,16}")
_BREAK = re.compile(r"[ \t]{0,16}\r?\n[ \t\r\n]{0,16}")
_QUOTES = "\"'“‘«`"
_LIST_GOES_ON = re.compile(r"(?:\n[ \t]{0,8}|[.;:!?][ \t]{1,4})[0-9]{1,3}[.)](?=\s)")
_SENTENCE = re.compile(
    r"\b(?:(?:ratings?|scores?|grade)[ \t\n]{1,3}(?:of|is|was|would[ ]be|should[ ]be|will[ ]be|as|at|to[ ]be)"
    r"|(?:rate|rated|grade|give|assign)(?:[ \t\n]{1,3}[A-Za-z'’]{1,20}){1,8}?)"
    r"[ \t\n]{1,3}(?:an?[ \t\n]{1,3})?(?=[*_`\"'“\[(]{0,4}[0-9+-])",
    re.IGNORECASE,
)
_SHARE = re.compile(r"(?<![\w.,/+-])[0-9]{1,9}(?:\.[0-9]{1,9})?(?=[ \t]{0,2}/|[ \t]{1,3}out[ \t])")
_NEGATED = re.compile(r"\b(?:not|never|cannot|neither|nor|if|unless|could|might)\b|n['’]t\b", re.IGNORECASE)
_LOOK_BACK = 200
_MOST_MARKS = 500
_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_FIXED_WORDS = ("rating", "score", "verdict", "answer", "grade", "judgment", "judgement")
_COLON_WORDS = ("response", "value", "label")


@dataclass(frozen=True, slots=True)
class Found:
    """A token that stands where a verdict does: what it means on the scale, and where it and its mark stand.

    One that is not ``firm`` has no clear end; it is no verdict, but it can contradict one.
    """

    fit: Fit
    text: str
    start: int
    mark: str
    firm: bool = True


@dataclass(frozen=True, slots=True)
class _Token:
    fit: Fit
    start: int
    stop: int


def bare_verdict(text: str, criterion: Criterion) -> Fit | None:
    """The verdict when the text is nothing but a verdict: ``4``, ``**4**``, ``4/5``, ``Yes.``; else None."""
    token = _bare(text.strip(), criterion)
    return None if token is None else token.fit


def find_bare(text: str, criterion: Criterion) -> Found | None:
    """Like :func:`bare_verdict`, with its place."""
    offset = len(text) - len(text.lstrip())
    token = _bare(text.strip(), criterion)
    return None if token is None else _found(text, token, offset, mark=text)


def find_marked(text: str, criterion: Criterion, *, alone: bool) -> list[Found]:
    """Every ``Rating: 4``, ``Score = 4/5``, ``The answer is yes``, ``NAME: 4``, unless it is itself quoted.

    ``NAME`` is the criterion's; with other criteria in the same reply (not ``alone``) it is the only mark.
    """
    return _some(_marked(text, criterion, _marks(criterion.id, alone)))


def find_leading(text: str, criterion: Criterion) -> list[Found]:
    """A verdict at the very start with its explanation behind it (``3. Good``, ``Yes, it does.``), and one alone on
    the last line. A numbered list is none."""
    return [*_first(text, criterion), *_last(text, criterion)]


def find_sentences(text: str, criterion: Criterion) -> list[Found]:
    """Every ``I would rate it a 4``, ``a score of 4`` and ``4 out of 5`` that ends its clause and is not negated."""
    return _some(chain(_rated(text, criterion), _out_of(text, criterion)))


def _marked(text: str, criterion: Criterion, marks: re.Pattern[str]) -> Iterator[Found]:
    for mark in _matches(marks, text.translate(_LOWER)):
        if _continues_before(text, mark.start()) or _is_quoted(text, mark.start()):
            continue
        line_break = _BREAK.match(text, mark.end())
        start = _end(_SPACE, text, mark.end()) if line_break is None else line_break.end()
        token = _token(text, start, criterion)
        if token is not None:
            end = _FOLLOW if line_break is None else _LINE_REST
            firm = end.match(text, token.stop) is not None
            yield _found(text, token, mark=text[mark.start() : token.stop], firm=firm)


def _some(found: Iterator[Found]) -> list[Found]:
    """The tokens; one that says "several" when there is far too much for a single verdict."""
    try:
        return list(found)
    except TooManyError:
        return [Found(Odd.SEVERAL, "very many", 0, "")]


def _matches(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    for number, match in enumerate(pattern.finditer(text)):
        if number == _MOST_MARKS:
            raise TooManyError
        yield match


def _is_quoted(text: str, position: int) -> bool:
    """Whether a mark is a quotation: right behind a quotation mark, or on a line that begins with ``>``."""
    if position and text[position - 1] in _QUOTES:
        return True
    line = text.rfind("\n", max(0, position - _LOOK_BACK), position) + 1
    return text[line:position].lstrip().startswith(">")


def _first(text: str, criterion: Criterion) -> Iterator[Found]:
    begin = len(text) - len(text.lstrip())
    token = _token(text, _end(_BULLET, text, begin), criterion)
    lead = None if token is None else _LEADS.match(text, token.stop)
    if token is None or lead is None:
        return
    line_end = text.find("\n", begin)
    line = text[begin:] if line_end < 0 else text[begin:line_end]
    if line.rstrip().endswith("?") or _LIST_GOES_ON.search(text, token.stop):
        return
    second = _bare(text[lead.end() : begin + len(line)].strip(), criterion)
    fit = token.fit if second is None or second.fit == token.fit else Odd.SEVERAL
    yield Found(fit, text[token.start : token.stop], token.start, line)


def _last(text: str, criterion: Criterion) -> Iterator[Found]:
    line_start = text.rstrip().rfind("\n") + 1
    line = text[line_start:]
    token = _bare(line.strip(), criterion)
    if token is not None and line_start > 0:
        yield _found(text, token, line_start + len(line) - len(line.lstrip()), mark=line)


def _rated(text: str, criterion: Criterion) -> Iterator[Found]:
    for mark in _matches(_SENTENCE, text):
        before = text[max(0, mark.start() - 40) : mark.end()]
        token = _token(text, mark.end(), criterion)
        if token is not None and _FOLLOW.match(text, token.stop) and not _NEGATED.search(before):
            yield _found(text, token, mark=text[mark.start() : token.stop])


def _out_of(text: str, criterion: Criterion) -> Iterator[Found]:
    for share in _matches(_SHARE, text):
        top = _OUT_OF.match(text, share.end())
        before = text[max(0, share.start() - 40) : share.start()]
        if top is None or float(top.group(1)) != criterion.high or _NEGATED.search(before):
            continue
        token = _token(text, share.start(), criterion)
        if token is not None and _FOLLOW.match(text, token.stop):
            yield _found(text, token, mark=before + text[share.start() : token.stop])


def _found(text: str, token: _Token, offset: int = 0, *, mark: str, firm: bool = True) -> Found:
    start, stop = token.start + offset, token.stop + offset
    return Found(token.fit, text[start:stop], start, mark, firm)


@lru_cache(maxsize=256)
def _marks(criterion_id: str, alone: bool) -> re.Pattern[str]:
    """The pattern, for text in lower case, of what stands before a verdict: a word, perhaps a remark in brackets, and
    a colon or ``is``."""
    own = re.escape(criterion_id.translate(_LOWER)).replace("_", r"[ \t_-]")
    words = "|".join([own, *_FIXED_WORDS, *_COLON_WORDS] if alone else [own])
    decoration = r"[*_`\"'”’\])]{0,4}"
    colon = rf"{decoration}(?:[ \t]{{0,4}}\([^()\n]{{0,40}}\))?{decoration}[ \t]{{0,8}}[:=：][*_`]{{0,3}}"
    verb = rf"|(?:{'|'.join(_FIXED_WORDS)})[ \t]{{1,4}}is(?=[ \t])" if alone else ""
    return re.compile(rf"(?:{words}){colon}{verb}")


def _bare(text: str, criterion: Criterion) -> _Token | None:
    token = _token(text, _end(_BULLET, text, 0), criterion)
    return token if token is not None and _FINAL.match(text, token.stop) else None


def _end(pattern: re.Pattern[str], text: str, position: int) -> int:
    """Where a pattern that always matches ends."""
    match = pattern.match(text, position)
    return position if match is None else match.end()


def _token(text: str, position: int, criterion: Criterion) -> _Token | None:
    """The verdict token at a position, after opening and before closing brackets, quotes and emphasis."""
    start = _end(_OPENING, text, position)
    stop, fit = _word_at(text, start, criterion) or _number_at(text, start, criterion) or (start, None)
    return None if fit is None else _Token(fit, start, _end(_CLOSING, text, stop))


def _word_at(text: str, start: int, criterion: Criterion) -> tuple[int, Fit] | None:
    for word, fit in _words(criterion):
        stop = start + len(word)
        if text[start:stop].casefold() == word and not _continues(text, stop):
            return stop, fit
    return None


def _continues_before(text: str, start: int) -> bool:
    return start > 0 and (text[start - 1].isalnum() or text[start - 1] == "_")


def _continues(text: str, stop: int) -> bool:
    return stop < len(text) and (text[stop].isalnum() or text[stop] in "_'’")


def _number_at(text: str, start: int, criterion: Criterion) -> tuple[int, Fit] | None:
    number = _NUMBER.match(text, start)
    if number is None:
        return None
    top = _OUT_OF.match(text, number.end())
    if top is not None:
        same = criterion.high is not None and float(top.group(1)) == criterion.high
        return top.end(), fit_number(criterion, float(number.group())) if same else Odd.OUT_OF_RANGE
    until = _RANGE.match(text, number.end())
    if until is not None:
        return until.end(), Odd.SEVERAL
    return number.end(), fit_number(criterion, float(number.group()))


@lru_cache(maxsize=256)
def _words(criterion: Criterion) -> tuple[tuple[str, Fit], ...]:
    """The words of the scale, longest first."""
    return tuple(sorted(fit_words(criterion).items(), key=lambda pair: -len(pair[0])))
