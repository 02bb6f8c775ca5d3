"""Reading rubric files: YAML or JSON in, a valid :class:`Rubric` out, or every mistake of the file at once."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from evalharness.core.dialogue import Unit
from evalharness.core.registry import unknown_name
from evalharness.core.rubric import Criterion, Example, Level, Need, Overall, PassRule, Rubric, Scale
from evalharness.core.scores import OVERALL
from evalharness.data.builtin import builtin_rubrics
from evalharness.data.strictyaml import Located, Place, load_mapping, parse_mapping
from evalharness.errors import Problem, RubricError

RUBRIC_KEYS = ("rubric", "version", "unit", "about", "criteria", "overall")
CRITERION_KEYS = (
    "question", "scale", "levels", "min", "max", "pass", "good", "weight", "needs", "must", "cannot_assess", "examples",
)  # fmt: skip
_ID = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}$")
_PAIR_LABELS = ("a", "b", "tie")
_YES_NO = {"no": 0.0, "yes": 1.0}


def find_rubric(name: str) -> Path:
    """The file of a rubric named by path or by the name of a built-in one."""
    path = Path(name)
    if path.suffix.lower() in (".yaml", ".yml", ".json") or path.exists():
        if not path.exists():
            raise RubricError(Problem("there is no such rubric file", name))
        return path
    known = builtin_rubrics()
    if name in known:
        return known[name]
    raise unknown_name("rubric", name, known)


def load_rubric(name: str) -> Rubric:
    """The rubric in a file (or a built-in one); a :class:`RubricError` lists all its mistakes."""
    path = find_rubric(name)
    return build_rubric(load_mapping(path, RubricError), str(path))


def parse_rubric(text: str, source: str = "rubric") -> Rubric:
    """The rubric in a YAML or JSON text."""
    return build_rubric(parse_mapping(text, source, RubricError), source)


def build_rubric(document: Located, source: str) -> Rubric:
    """The rubric that a parsed document describes."""
    book = _Book(source)
    rubric = _rubric(document, book)
    if book.problems or rubric is None:
        raise RubricError(sorted(book.problems, key=lambda p: (p.line or 0, p.column or 0)))
    return rubric


class _Book:
    """Collects the mistakes of one file and reads fields of a wanted type."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.problems: list[Problem] = []

    def report(self, message: str, place: Place, fix: str | None = None) -> None:
        self.problems.append(Problem(message, self.source, place.line, place.column, fix))

    def known_keys(self, where: Located, keys: Iterable[str], what: str) -> None:
        allowed = list(keys)
        for key in where:
            if key not in allowed:
                near = difflib.get_close_matches(key, allowed, n=1)
                fix = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(allowed)}."
                self.report(f"{what} has no field {key!r}", where.keys_at[key], fix)

    def text(self, where: Located, key: str, fix: str, *, required: bool = True) -> str:
        value = where.get(key)
        if isinstance(value, str) and value.strip():
            return value.strip()
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
        if value is not None or required:
            found = "is missing" if key not in where else f"must be text, found {_shown(value)}"
            self.report(f"{key} {found}", where.values_at.get(key, where.place), fix)
        return ""

    def choice(
        self, where: Located, key: str, allowed: Iterable[str], default: str | None = None
    ) -> str | None:
        names = list(allowed)
        if key not in where and default is not None:
            return default
        value = where.get(key)
        if isinstance(value, str) and value in names:
            return value
        found = "is missing" if key not in where else f"can't be {_shown(value)}"
        self.report(
            f"{key} {found}", where.values_at.get(key, where.place), f"Write one of: {', '.join(names)}."
        )
        return None

    def flag(self, where: Located, key: str) -> bool:
        value = where.get(key, False)
        if isinstance(value, bool):
            return value
        self.report(f"{key} can't be {_shown(value)}", where.values_at[key], "Write true or false.")
        return False

    def number(self, where: Located, key: str, fix: str, default: float | None = None) -> float | None:
        value = where.get(key, default)
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
        if key in where or default is None:
            found = "is missing" if key not in where else f"can't be {_shown(value)}"
            self.report(f"{key} {found}", where.values_at.get(key, where.place), fix)
        return default


def _rubric(document: Located, book: _Book) -> Rubric | None:
    book.known_keys(document, RUBRIC_KEYS, "a rubric")
    name = book.text(document, "rubric", "Write the rubric's name, e.g. `rubric: support-reply`.")
    if name and not _ID.match(name):
        book.report(
            f"{name!r} can't be a name", document.values_at["rubric"], "Use letters, digits, - _ and dots."
        )
    version = book.text(document, "version", "Write a version, e.g. `version: 1`.")
    about = book.text(document, "about", "Say in a sentence what is judged: who talks to whom about what.")
    unit = book.choice(document, "unit", [unit.value for unit in Unit])
    overall = book.choice(document, "overall", [how.value for how in Overall], Overall.WEIGHTED_MEAN.value)
    entries = document.get("criteria")
    if not isinstance(entries, Located) or not entries:
        place = document.values_at.get("criteria", document.place)
        book.report(
            "criteria must hold at least one criterion", place, "Write `criteria:` and below it `name:` …"
        )
        return None
    criteria = [_criterion(key, entries, book, unit) for key in entries]
    found = tuple(criterion for criterion in criteria if criterion is not None)
    if book.problems or unit is None or overall is None:
        return None
    return Rubric(name, version, Unit(unit), about, found, Overall(overall))


def _criterion(key: str, entries: Located, book: _Book, unit: str | None) -> Criterion | None:
    body = entries[key]
    if not _ID.match(key):
        advice = f"{OVERALL} is reserved." if key == OVERALL else "Use letters, digits, - _ and dots."
        book.report(f"{key!r} can't be a criterion's name", entries.keys_at[key], advice)
    if not isinstance(body, Located):
        book.report(
            f"criterion {key!r} must hold fields", entries.keys_at[key], "Write question, scale and levels."
        )
        return None
    before = len(book.problems)
    book.known_keys(body, CRITERION_KEYS, f"criterion {key!r}")
    question = book.text(body, "question", "Write the question that the judge answers.")
    scale_name = book.choice(body, "scale", [scale.value for scale in Scale])
    if scale_name is None:
        return None
    scale = Scale(scale_name)
    levels = _LEVELS[scale](body, book, key)
    minimum, maximum = _range(body, book, scale)
    passes, good, higher = _polarity(body, book, scale, levels)
    must = book.flag(body, "must")
    if must and passes is None and good is None:
        book.report(
            "a `must` criterion needs `pass` or `good`", body.keys_at["must"], "Say what counts as good."
        )
    if unit == Unit.PAIR.value and (
        scale is not Scale.NOMINAL or {v.label for v in levels} - set(_PAIR_LABELS)
    ):
        book.report(
            f"criterion {key!r} of a pair rubric must be nominal with levels a, b and tie", body.place,
            "Write `scale: nominal` and levels a, b, tie.",
        )  # fmt: skip
    criterion = Criterion(
        id=key,
        question=question,
        scale=scale,
        levels=levels,
        minimum=minimum,
        maximum=maximum,
        passes=passes,
        good=good,
        higher_is_better=higher,
        weight=_weight(body, book),
        needs=_needs(body, book),
        must=must,
        cannot_assess=book.flag(body, "cannot_assess"),
        examples=_examples(body, book, levels, scale),
    )
    return criterion if len(book.problems) == before else None


def _binary_levels(body: Located, book: _Book, _key: str) -> tuple[Level, ...]:
    texts = body.get("levels", Located())
    if not isinstance(texts, Located):
        book.report("levels must be `no: …` and `yes: …`", body.values_at["levels"])
        return ()
    for label in texts:
        if label not in _YES_NO:
            book.report(
                f"a binary criterion has no level {label!r}",
                texts.keys_at[label],
                "Its levels are no and yes.",
            )
    return tuple(Level(label, _anchor(texts, label, book), value) for label, value in _YES_NO.items())


def _ordinal_levels(body: Located, book: _Book, key: str) -> tuple[Level, ...]:
    texts = _level_map(body, book, key)
    levels = []
    for label in texts:
        try:
            value = float(label)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or not re.match(r"-?\d+(\.\d+)?$", label):
            book.report(
                f"{label!r} is no number",
                texts.keys_at[label],
                "Ordinal levels are numbers; use `scale: nominal`?",
            )
            continue
        levels.append(Level(label, _anchor(texts, label, book), value))
    values = [level.value for level in levels]
    if len(set(values)) < len(values):
        book.report("two levels have the same value", body.values_at["levels"])
    return tuple(sorted(levels, key=lambda level: level.value or 0.0))


def _nominal_levels(body: Located, book: _Book, key: str) -> tuple[Level, ...]:
    texts = _level_map(body, book, key)
    return tuple(Level(label, _anchor(texts, label, book)) for label in texts)


def _no_levels(body: Located, book: _Book, _key: str) -> tuple[Level, ...]:
    if "levels" in body:
        book.report(
            "a numeric criterion has no levels",
            body.keys_at["levels"],
            "Write min and max, or scale: ordinal.",
        )
    return ()


_LEVELS: Mapping[Scale, Callable[[Located, _Book, str], tuple[Level, ...]]] = {
    Scale.BINARY: _binary_levels,
    Scale.ORDINAL: _ordinal_levels,
    Scale.NOMINAL: _nominal_levels,
    Scale.NUMERIC: _no_levels,
}


def _level_map(body: Located, book: _Book, key: str) -> Located:
    texts = body.get("levels")
    if isinstance(texts, Located) and len(texts) >= 2:
        return texts
    place = body.values_at.get("levels", body.place)
    book.report(
        f"criterion {key!r} needs at least two levels",
        place,
        'Write `levels:` and below it `1: "…"`, `2: "…"`.',
    )
    return Located()


def _anchor(texts: Located, label: str, book: _Book) -> str:
    """The text of a level; empty where none is written."""
    value = texts.get(label)
    if isinstance(value, Located | list):
        book.report(f"level {label} must be text", texts.values_at[label], "Put the text in quotes.")
        return ""
    return "" if value is None else str(value).strip()


def _range(body: Located, book: _Book, scale: Scale) -> tuple[float | None, float | None]:
    if scale is not Scale.NUMERIC:
        for key in ("min", "max"):
            if key in body:
                book.report(
                    f"{key} belongs to a numeric criterion", body.keys_at[key], "The levels give the range."
                )
        return None, None
    minimum = book.number(body, "min", "Write the lowest possible value, e.g. `min: 0`.")
    maximum = book.number(body, "max", "Write the highest possible value, e.g. `max: 100`.")
    if minimum is not None and maximum is not None and minimum >= maximum:
        book.report(f"min {minimum:g} is not below max {maximum:g}", body.values_at["min"])
    return minimum, maximum


def _polarity(
    body: Located, book: _Book, scale: Scale, levels: tuple[Level, ...]
) -> tuple[PassRule | None, str | None, bool | None]:
    """Pass rule, good answer, and whether higher is better, as far as the scale has them."""
    rule = _pass_rule(body, book, scale)
    if scale is Scale.BINARY:
        good = book.choice(body, "good", _YES_NO)
        return (None, None, None) if good is None else (PassRule("==", _YES_NO[good]), good, good == "yes")
    if scale is Scale.NOMINAL:
        good = body.get("good")
        if good is not None and good not in [level.label for level in levels]:
            book.report(f"good can't be {_shown(good)}", body.values_at["good"], "Name one of the levels.")
        return None, good if isinstance(good, str) else None, None
    side = book.choice(
        body, "good", ("high", "low"), "low" if rule is not None and rule.op in ("<", "<=") else "high"
    )
    if rule is not None and "good" in body and (rule.op in ("<", "<=")) != (side == "low"):
        book.report(f"`pass: {rule}` contradicts `good: {side}`", body.values_at["good"])
    return rule, None, side == "high"


def _pass_rule(body: Located, book: _Book, scale: Scale) -> PassRule | None:
    if "pass" not in body:
        return None
    if scale in (Scale.BINARY, Scale.NOMINAL):
        book.report(
            f"a {scale.value} criterion has no pass mark", body.keys_at["pass"], "Write `good:` instead."
        )
        return None
    try:
        return PassRule.parse(str(body["pass"]))
    except ValueError:
        book.report(
            f"pass can't be {_shown(body['pass'])}",
            body.values_at["pass"],
            'Write a rule like `pass: ">=4"`.',
        )
        return None


def _weight(body: Located, book: _Book) -> float:
    weight = book.number(body, "weight", "Write a number of 0 or more.", 1.0)
    if weight is not None and weight < 0:
        book.report(
            f"weight can't be {weight:g}",
            body.values_at["weight"],
            "Write 0 or more; say what is bad with `good`.",
        )
    return 1.0 if weight is None else weight


def _needs(body: Located, book: _Book) -> tuple[Need, ...]:
    value = body.get("needs", [])
    names = [value] if isinstance(value, str) else value
    allowed = [need.value for need in Need]
    if not isinstance(names, list) or any(name not in allowed for name in names):
        book.report(
            f"needs can't be {_shown(value)}", body.values_at["needs"], f"Choose from: {', '.join(allowed)}."
        )
        return ()
    return tuple(Need(name) for name in names)


def _examples(body: Located, book: _Book, levels: tuple[Level, ...], scale: Scale) -> tuple[Example, ...]:
    entries = body.get("examples", [])
    if not isinstance(entries, list):
        book.report(
            "examples must be a list", body.values_at["examples"], "Write `- {reply: …, answer: …, why: …}`."
        )
        return ()
    found = [_example(entry, body, book, levels, scale) for entry in entries]
    return tuple(example for example in found if example is not None)


def _example(
    entry: Any, body: Located, book: _Book, levels: tuple[Level, ...], scale: Scale
) -> Example | None:
    if not isinstance(entry, Located):
        book.report("an example must hold reply, answer and why", body.values_at["examples"])
        return None
    book.known_keys(entry, ("reply", "answer", "why"), "an example")
    reply = book.text(entry, "reply", "Write the reply that is judged in the example.")
    answer = book.text(entry, "answer", "Write the right answer for it.")
    why = book.text(entry, "why", "Say why, in a sentence.", required=False)
    if answer and scale is not Scale.NUMERIC and answer not in [level.label for level in levels]:
        labels = ", ".join(level.label for level in levels)
        book.report(
            f"{answer!r} is no answer of this scale", entry.values_at["answer"], f"Choose from: {labels}."
        )
    return Example(reply, answer, why)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"
