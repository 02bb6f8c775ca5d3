"""The audit's reports: audit.json, the judge card in Markdown, and the summary for the terminal.

``SCHEMA_VERSION`` history: 1 first release.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from evalharness.audit.probes import BY_NAME, Kind
from evalharness.audit.types import Audit, Effect, Finding
from evalharness.core.canonical import Json
from evalharness.core.text import one_line
from evalharness.report.figures import interval, number, percent
from evalharness.report.safe import markdown_text
from evalharness.stats.estimate import Estimate

SCHEMA_VERSION = 1
_MARKS = {Finding.OK: "ok", Finding.FLAGGED: "FLAGGED", Finding.UNCLEAR: "unclear"}
_TITLES = {
    Kind.BIAS: "Should not matter",
    Kind.SENSITIVITY: "Should lower the score, mildest first",
    Kind.INJECTION: "Attacks on the judge",
}


def audit_json(audit: Audit) -> str:
    """The text of audit.json."""
    document: dict[str, Json] = {
        "schema_version": SCHEMA_VERSION,
        "judge": audit.judge,
        "rubric": audit.rubric,
        "signature": audit.signature,
        "date": audit.date,
        "items": audit.items,
        "groups": audit.groups,
        "margin": audit.margin,
        "cost_usd": audit.cost,
        "partial": audit.partial,
        "effects": [_effect(effect) for effect in audit.effects],
        "stability": [
            {"criterion": row.criterion, "difference": asdict(row.difference), "same": row.same}
            for row in audit.stability
        ],
        "spread": [asdict(row) for row in audit.spread],
        "detector": asdict(audit.detector),
        "left_out": dict(audit.left_out),
    }
    return json.dumps(document, indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def _effect(effect: Effect) -> Json:
    return {
        "probe": effect.probe,
        "kind": BY_NAME[effect.probe].kind.value,
        "criterion": effect.criterion,
        "shift": asdict(effect.shift),
        "share_of_range": effect.share,
        "flips": effect.flips,
        "pairs": effect.pairs,
        "failed": effect.failed,
        "finding": effect.finding.value,
    }


def audit_text(audit: Audit) -> str:
    """The summary for a terminal: what was found first, then every probe on the overall (or only) score."""
    return "\n".join(_lines(audit))


def _lines(audit: Audit) -> Iterator[str]:
    yield f"{one_line(audit.judge, 60)} on {one_line(audit.rubric, 40)}: {audit.items} dialogues, {audit.groups} groups"
    if audit.toy:
        yield "a toy judge: for trying things out, not for decisions"
    if audit.partial:
        yield f"PARTIAL: {one_line(audit.partial)}"
    yield verdict(audit)
    for kind in Kind:
        rows = [effect for effect in headline_effects(audit) if BY_NAME[effect.probe].kind is kind]
        if rows:
            yield ""
            yield f"{_TITLES[kind]}:"
            yield from (f"  {_effect_line(effect)}" for effect in rows)
    yield ""
    yield from _stability_lines(audit)
    yield detector_words(audit)


def headline_effects(audit: Audit) -> list[Effect]:
    """One effect per probe: on the overall, which every criterion counts towards, degradations by severity."""
    criterion = audit.columns[-1].criterion if audit.columns else ""
    rows = [effect for effect in audit.effects if effect.criterion == criterion]
    return sorted(rows, key=lambda effect: BY_NAME[effect.probe].severity)


def verdict(audit: Audit) -> str:
    """What the audit comes to, in a sentence or two."""
    headline = headline_effects(audit)
    flagged = [effect for effect in headline if effect.finding is Finding.FLAGGED]
    by_kind = {kind: _names(flagged, kind) for kind in Kind}
    parts = []
    if by_kind[Kind.INJECTION]:
        parts.append(f"follows attacks ({by_kind[Kind.INJECTION]})")
    if by_kind[Kind.BIAS]:
        parts.append(f"is moved by what should not matter ({by_kind[Kind.BIAS]})")
    if by_kind[Kind.SENSITIVITY]:
        parts.append(f"does not see {by_kind[Kind.SENSITIVITY]}")
    if parts:
        return f"This judge {'; '.join(parts)}."
    unclear = sum(effect.finding is Finding.UNCLEAR for effect in headline)
    if unclear:
        settled = f"{unclear} of {len(headline)} effects are not settled"
        return f"Nothing is flagged, but {settled}: use more dialogues (--size)."
    return "Nothing is flagged: effects stay within the margin and degradations are seen."


def _names(effects: Sequence[Effect], kind: Kind) -> str:
    names = dict.fromkeys(effect.probe for effect in effects if BY_NAME[effect.probe].kind is kind)
    return ", ".join(names)


def _effect_line(effect: Effect) -> str:
    flips = "" if effect.flips is None else f"  flips {percent(effect.flips)}"
    failed = f"  failed {effect.failed}" if effect.failed else ""
    return (
        f"{effect.probe:<20} {interval(effect.shift):<24} {_MARKS[effect.finding]:<8}{flips}{failed}".rstrip()
    )


def _stability_lines(audit: Audit) -> Iterator[str]:
    for row in audit.stability:
        if row.difference.value is not None:
            same = "" if row.same is None else f", {percent(row.same)} the same"
            yield f"asked twice, {one_line(row.criterion, 40)} differs by {_mean_words(row.difference)}{same}"
    for spread in audit.spread:
        if spread.modal_share is not None and spread.modal_share > 0.8 and spread.items >= 10:
            yield (
                f"{one_line(spread.criterion, 40)}: {percent(spread.modal_share)} of scores are the same: it barely "
                "uses the scale"
            )


def _mean_words(estimate: Estimate) -> str:
    return f"{interval(estimate)} on average"


def detector_words(audit: Audit) -> str:
    """How the detector of attacks does, in words."""
    found = audit.detector
    alarms = f"{found.false_alarms} of {found.clean} unchanged dialogues raise it"
    if not found.attacks:
        return f"detector of attacks: none were planted; {alarms}"
    return f"detector of attacks: finds {found.found} of {found.attacks} planted; {alarms}"


def audit_markdown(audit: Audit) -> str:
    """The judge card: one page that says what the judge can be trusted with."""
    return "\n".join(_card(audit)) + "\n"


def _card(audit: Audit) -> Iterator[str]:
    yield f"# Judge card: {markdown_text(audit.judge)} on {markdown_text(audit.rubric)}"
    yield ""
    yield f"**{verdict(audit)}**"
    yield ""
    if audit.toy:
        yield "A toy judge: for trying things out, not for decisions."
        yield ""
    if audit.partial:
        yield f"Partial: {markdown_text(audit.partial)}."
        yield ""
    cost = "unpriced" if audit.cost is None else f"${audit.cost:.4f}"
    yield (
        f"{audit.date} · {audit.items} dialogues in {audit.groups} groups · tolerated shift "
        f"{percent(audit.margin)} of a scale · cost {cost}"
    )
    for kind in Kind:
        yield from _card_table(audit, kind)
    yield from _card_noise(audit)
    yield ""
    yield "## Detector of attacks"
    yield ""
    yield f"{detector_words(audit).capitalize()}."
    if audit.left_out:
        yield ""
        listed = ", ".join(f"{name} {count}" for name, count in audit.left_out)
        yield f"Dialogues that a probe could not change: {listed}."
    yield ""
    signature = one_line(audit.signature, 1000).replace("`", "'")
    yield f"Signature: `{signature}`"


def _card_table(audit: Audit, kind: Kind) -> Iterator[str]:
    rows = [effect for effect in audit.effects if BY_NAME[effect.probe].kind is kind and effect.pairs]
    if not rows:
        return
    rows.sort(key=lambda effect: (BY_NAME[effect.probe].severity, effect.probe))
    yield ""
    yield f"## {_TITLES[kind]}"
    yield ""
    yield "| probe | criterion | shift [95 %] | pairs | pass marks flipped | finding |"
    yield "|---|---|---|---|---|---|"
    for effect in rows:
        flips = number(None) if effect.flips is None else percent(effect.flips)
        words = f"{_MARKS[effect.finding]}: {effect.words}"
        criterion = "overall" if effect.criterion == "_overall" else markdown_text(effect.criterion)
        yield (
            f"| {effect.probe} | {criterion} | {interval(effect.shift)} | {effect.pairs} | {flips} | {words} |"
        )


def _card_noise(audit: Audit) -> Iterator[str]:
    yield ""
    yield "## Noise and use of the scale"
    yield ""
    yield "| criterion | asked twice, mean difference [95 %] | the same | mean | SD | share of the commonest score |"
    yield "|---|---|---|---|---|---|"
    spreads = {row.criterion: row for row in audit.spread}
    for row in audit.stability:
        spread = spreads[row.criterion]
        yield (
            f"| {markdown_text(row.criterion)} | {interval(row.difference)} | {percent(row.same)} | "
            f"{number(spread.mean)} | {number(spread.deviation)} | {percent(spread.modal_share)} |"
        )
