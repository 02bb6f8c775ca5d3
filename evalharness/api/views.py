"""A run as a report shows it: as it is, masked, or without its texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from evalharness.core import native
from evalharness.core.canonical import canonical_json
from evalharness.core.redaction.detect import findings
from evalharness.core.redaction.redactor import Redactor, Scope
from evalharness.core.scores import Column
from evalharness.core.textless import KEPT, textless_dialogue, textless_result
from evalharness.data.ledger.store import Ledger, OutcomeRow, StoredDialogue


@dataclass(frozen=True, slots=True)
class View:
    """``redactor`` masks (None: nothing), ``text`` False leaves all texts out; ``masked`` counts as rows are read."""

    redactor: Redactor | None = None
    text: bool = True
    masked: Counter[str] = field(default_factory=Counter)

    def dialogues(self, ledger: Ledger) -> Iterator[StoredDialogue]:
        """The dialogues in the order of reports."""
        return (self._shown(stored) for stored in ledger.sorted_dialogues())

    def outcomes(self, ledger: Ledger, columns: Mapping[int, tuple[Column, ...]]) -> Iterator[OutcomeRow]:
        """The outcomes in the order of reports."""
        rows = ledger.outcomes(columns)
        if not self.text:
            return (replace(row, results=tuple(map(textless_result, row.results))) for row in rows)
        return rows if self.redactor is None else self._masked(ledger, self.redactor, rows)

    def shows(self, key: str, value: str) -> bool:
        """Whether a metadata value may stand in a table: not where it would be masked or is words that are left out."""
        if not self.text:
            return key == KEPT or value in ("true", "false") or value.lstrip("-").isdecimal()
        return self.redactor is None or not findings(value, self.redactor.patterns)

    def words(self) -> Scope | None:
        """Masks texts that belong to no single dialogue; None where nothing is masked."""
        return None if self.redactor is None else self.redactor.text_scope()

    def _shown(self, stored: StoredDialogue) -> StoredDialogue:
        if not self.text:
            return replace(stored, body=canonical_json(native.to_json(textless_dialogue(stored.load()))))
        if self.redactor is None:
            return stored
        scope = self.redactor.scope(stored.load())
        self.masked.update(scope.counts)
        return replace(stored, body=canonical_json(native.to_json(scope.dialogue)))

    def _masked(self, ledger: Ledger, redactor: Redactor, rows: Iterator[OutcomeRow]) -> Iterator[OutcomeRow]:
        """Outcomes under the placeholders of their dialogues."""
        current, scope = -1, redactor.text_scope()
        for row in rows:
            if row.seq != current:
                current, scope = row.seq, redactor.scope(ledger.dialogue(row.seq).load())
            before = Counter(scope.counts)
            results = tuple(map(scope.result, row.results))
            self.masked.update(scope.counts - before)
            yield replace(row, results=results)
