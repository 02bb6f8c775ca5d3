"""What is likely wrong with a rubric that loads: findings with a line and what to write instead.

Mistakes that keep a rubric from loading are errors of ``data.rubrics``; here are the ones that quietly make judges
worse. Every finding has a code, so that a team can look it up in docs/rubrics.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from evalharness.core.rubric import Criterion, Need, Overall, Rubric, Scale
from evalharness.data.rubrics import build_rubric, find_rubric
from evalharness.data.strictyaml import Located, Place, load_mapping
from evalharness.errors import Problem, RubricError

_DOUBLE = re.compile(r"\b(and|or|as well as|but also|sowie|und|oder)\b", re.IGNORECASE)
_NEED_WORDS = {
    Need.CONTEXT: re.compile(
        r"\b(contexts?|documents?|sources?|passages?|retrieved|knowledge base)\b", re.IGNORECASE
    ),
    Need.REFERENCES: re.compile(
        r"\b(reference (repl|answer)\w*|gold answers?|expected answers?)", re.IGNORECASE
    ),
    Need.TOOLS: re.compile(r"\b(tools?|tool calls?|function calls?|api calls?)\b", re.IGNORECASE),
    Need.HISTORY: re.compile(
        r"\b(earlier (turns?|messages?|repl\w+)|previous(ly)? (turns?|messages?|repl\w+|said)|so far)\b",
        re.IGNORECASE,
    ),
}
_WORD = re.compile(r"\w+")
_COMMENT = re.compile(r"^\s*(-\s+)?[\w.-]+:\s+[^\"'|>{\[#\s][^#]*\s#")
_FEW_WORDS = 3
_SAME = 0.8


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is likely wrong, with a code like ``unanchored``."""

    code: str
    problem: Problem


def lint_files(names: Sequence[str]) -> tuple[list[Finding], list[Problem]]:
    """Findings of all files and the errors of those that don't load."""
    findings: list[Finding] = []
    errors: list[Problem] = []
    seen: dict[str, str] = {}
    for name in names:
        try:
            path = find_rubric(name)
            document = load_mapping(path, RubricError)
            rubric = build_rubric(document, str(path))
        except RubricError as error:
            errors += error.problems
            continue
        findings += lint(rubric, document, path)
        if rubric.name in seen:
            problem = Problem(
                f"the rubric name {rubric.name!r} is also that of {seen[rubric.name]}", str(path), 1
            )
            findings.append(Finding("same-name", problem))
        seen.setdefault(rubric.name, str(path))
    return findings, errors


def lint(rubric: Rubric, document: Located, path: Path) -> list[Finding]:
    """All findings on one rubric, by line."""
    found = [*_whole(rubric, document, path)]
    bodies = document["criteria"]
    for criterion in rubric.criteria:
        found += _criterion(criterion, bodies[criterion.id], str(path))
    found += _clashes(rubric, bodies, str(path))
    found += _cut_by_comment(path)
    return sorted(found, key=lambda finding: (finding.problem.line or 0, finding.code))


def _whole(rubric: Rubric, document: Located, path: Path) -> Iterator[Finding]:
    weights = [criterion.weight for criterion in rubric.criteria]
    if not any(weights):
        yield _finding("no-weight", "all weights are 0, so there is no overall", path, document.place)
    can_pass = any(c.passes is not None or c.good is not None for c in rubric.criteria)
    if rubric.overall is Overall.ALL_PASS and not can_pass:
        place = document.values_at["overall"]
        yield _finding("no-pass", "overall is all_pass and no criterion says what passes", path, place)


def _criterion(criterion: Criterion, body: Located, source: str) -> Iterator[Finding]:
    place = body.values_at["question"]
    if criterion.question.count("?") > 1:
        yield _finding(
            "two-questions", f"{criterion.id} asks two questions", source, place, "Split it in two criteria."
        )
    elif match := _DOUBLE.search(criterion.question):
        message = f"{criterion.id} may ask for two things at once ({match.group(1)!r})"
        yield _finding(
            "double-barrelled", message, source, place, "Ask one thing, or split it in two criteria."
        )
    yield from _levels(criterion, body, source)
    yield from _missing_needs(criterion, body, source)
    if criterion.passes is None and criterion.good is None and criterion.scale is not Scale.NOMINAL:
        message = f"{criterion.id} has no pass mark, so no pass rate is reported"
        yield _finding("no-pass", message, source, body.place, 'Add e.g. `pass: ">=4"`.')


def _levels(criterion: Criterion, body: Located, source: str) -> Iterator[Finding]:
    place = body.values_at.get("levels", body.place)
    if criterion.scale is Scale.NUMERIC:
        message = f"{criterion.id} is a bare number: judges and humans agree better on anchored levels"
        yield _finding(
            "unanchored", message, source, body.place, "Use `scale: ordinal` with a text for each level."
        )
    if criterion.scale in (Scale.ORDINAL, Scale.NOMINAL):
        thin = [level.label for level in criterion.levels if len(_words(level.text)) < _FEW_WORDS]
        if thin and not (criterion.scale is Scale.NOMINAL and set(thin) <= {"a", "b", "tie"}):
            message = f"{criterion.id}: level {', '.join(thin)} is not anchored"
            yield _finding("unanchored", message, source, place, "Say what such a reply does or lacks.")
    texts = [level.text.casefold() for level in criterion.levels if level.text]
    if len(set(texts)) < len(texts):
        yield _finding("same-level", f"{criterion.id}: two levels have the same text", source, place)
    if criterion.scale is Scale.ORDINAL and isinstance(body.get("levels"), Located):
        written = [float(label) for label in body["levels"]]
        if written not in (sorted(written), sorted(written, reverse=True)):
            message = f"{criterion.id}: the levels are written out of order"
            yield _finding("level-order", message, source, place, "Write them from lowest to highest.")


def _missing_needs(criterion: Criterion, body: Located, source: str) -> Iterator[Finding]:
    text = " ".join([criterion.question, *(level.text for level in criterion.levels)])
    for need, words in _NEED_WORDS.items():
        match = words.search(text)
        if match and need not in criterion.needs:
            message = f"{criterion.id} speaks of {match.group(0)!r} but does not need {need.value}"
            fix = f"Add `needs: [{need.value}]`, so that items without are skipped rather than guessed."
            yield _finding("missing-needs", message, source, body.place, fix)


def _clashes(rubric: Rubric, bodies: Located, source: str) -> Iterator[Finding]:
    for one, other in combinations(rubric.criteria, 2):
        place = bodies.keys_at[other.id]
        if _plain(one.id) == _plain(other.id):
            yield _finding("clashing-ids", f"{one.id} and {other.id} differ only in spelling", source, place)
        elif _overlap(one, other) >= _SAME:
            yield _finding(
                "overlap", f"{one.id} and {other.id} ask nearly the same", source, place, "Keep one of them."
            )


def _cut_by_comment(path: Path) -> Iterator[Finding]:
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1):
        if _COMMENT.match(line) and path.suffix.lower() != ".json" and _is_prose(line):
            message = "everything after # is a comment, so this text is cut"
            yield _finding("cut-text", message, str(path), Place(number, 1), "Put the text in quotes.")


def _is_prose(line: str) -> bool:
    """Whether a line with a comment reads like a sentence that was meant whole: `#` glued to what follows."""
    return re.search(r"\s#\S", line) is not None and len(_words(line.split("#")[0])) > _FEW_WORDS


def _overlap(one: Criterion, other: Criterion) -> float:
    first, second = set(_words(one.question)), set(_words(other.question))
    return len(first & second) / max(1, len(first | second))


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.casefold())


def _finding(code: str, message: str, source: Path | str, place: Place, fix: str | None = None) -> Finding:
    return Finding(code, Problem(message, str(source), place.line, place.column, fix))


def problems_of(findings: Iterable[Finding]) -> list[Problem]:
    """The problems of findings, for printing."""
    return [finding.problem for finding in findings]
