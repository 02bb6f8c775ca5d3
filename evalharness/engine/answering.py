"""Which model answers a judge: a provider may let an alias such as ``gpt-6-luna`` mean another model from one day to
the next, and verdicts of two models must not be mixed under one name.

The models that have answered a scorer are in the ledger. A judge of n models may be answered by n; an answer of one
more stops it, unless the user accepts mixed verdicts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from evalharness.core.scores import Cause
from evalharness.llm.client import Client, ProviderFault, Reply


@dataclass(slots=True)
class Answering:
    """The models that have answered, by scorer; ``asked`` is how many models each scorer asks.

    A scorer that is not in ``asked`` is not watched. ``mixed`` lets any model answer.
    """

    asked: Mapping[int, int] = field(default_factory=dict)
    models: dict[int, set[str]] = field(default_factory=dict)
    mixed: bool = False

    def is_another(self, scorer: int, model: str) -> bool:
        """Whether a reply of this model comes from one too many; else the model is remembered."""
        known = self.models.setdefault(scorer, set())
        if not model or model in known:
            return False
        if len(known) >= self.asked.get(scorer, len(known) + 1) and not self.mixed:
            return True
        known.add(model)
        return False

    def fault(self, scorer: int, client: Client, reply: Reply) -> ProviderFault:
        """What stops a judge that another model has answered."""
        before = ", ".join(sorted(self.models[scorer]))
        return ProviderFault(
            Cause.MODEL_MOVED,
            f"{client.model} is answered by {reply.model} now and was by {before} before; score anew with another "
            "--epoch, or mix their verdicts with --allow-moved-model",
            fatal=True,
        )
