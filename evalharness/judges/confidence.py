"""How sure a verdict is, from 0 to 1, by what is known of it: probabilities, a panel's agreement, or its samples.

What a model says of its own confidence is not asked. The figure orders items; what it is worth is learned from labels
(``cascade plan``), never assumed.
"""

from __future__ import annotations

from evalharness.core.rubric import Criterion, Scale
from evalharness.core.scores import Cause, Result, Score
from evalharness.judges.votes import MEMBERS, disagreement
from evalharness.llm.questions import Kind, confidence

VERIFICATIONS_AGREE = "verifications_agree"
"""Under this name the facts of a score hold how far several verifications of a reply's claims agree."""


def confidence_of(
    result: Result, *, nominal: bool, low: float | None = None, high: float | None = None
) -> float | None:
    """The confidence of a score; None for what is no score, or has nothing to tell it by.

    ``nominal``: its values are labels; ``low`` and ``high`` are the ends of its scale, as far as it has them.

    A panel: 1 minus the mean distance of two members. Claims: the share of verifications that agree, on the claim on
    which they agree least. Probabilities: 1 minus the expected distance from the mode
    relative to a uniform distribution, of labels (p_max - 1/n) / (1 - 1/n). Several samples: 1 minus the mean distance
    of two, unreadable ones counting as far apart.
    """
    if not isinstance(result, Score):
        return None
    apart = None if result.extra is None or MEMBERS not in result.extra else result.extra.get("disagreement")
    if isinstance(apart, int | float):
        return 1.0 - float(apart)
    agreed = None if result.extra is None else result.extra.get(VERIFICATIONS_AGREE)
    if isinstance(agreed, int | float):
        return float(agreed)
    if result.probabilities and len(result.probabilities) > 1:
        kind = Kind.CHOICE if nominal else Kind.SCORE
        return confidence(kind, list(result.probabilities.values()))
    return _of_samples(result, low, high)


def criterion_confidence(criterion: Criterion, result: Result) -> float | None:
    """The confidence of a result on a rubric's criterion."""
    nominal = criterion.scale is Scale.NOMINAL
    return confidence_of(result, nominal=nominal, low=criterion.low, high=criterion.high)


def _of_samples(result: Score, low: float | None, high: float | None) -> float | None:
    usable = [sample for sample in result.samples if not isinstance(sample, Cause)]
    between = disagreement(low, high, usable)
    if len(result.samples) < 2 or between is None:
        return None
    pairs = len(result.samples) * (len(result.samples) - 1) / 2
    known = len(usable) * (len(usable) - 1) / 2
    return max(0.0, 1.0 - (between * known + (pairs - known)) / pairs)
