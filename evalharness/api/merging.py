"""`runs merge`: the pieces of a sharded run as one run folder."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from evalharness.analysis.types import Analysis
from evalharness.api.folder import RunFolder, open_run
from evalharness.api.rendering import stored_plan, write_outputs
from evalharness.data.files import private_folder
from evalharness.data.ledger.store import Ledger
from evalharness.data.lock import exclusive
from evalharness.engine.shards import check_mergeable, merge_into
from evalharness.errors import UsageError


def merge_runs(pieces: Sequence[str], out: Path) -> tuple[RunFolder, Analysis]:
    """Merge complete pieces into a new run folder; its report.json is that of the run in one piece.

    Gaps, overlaps, differing settings and incomplete pieces are a ``RunConflictError``; an existing run in ``out`` a
    ``UsageError``.
    """
    started = time.monotonic()
    target = RunFolder(out)
    if target.ledger.exists():
        raise UsageError(f"{out} holds a run already", fix="Name another folder with --out.")
    with ExitStack() as stack:
        opened = [(name, stack.enter_context(open_run(name))[1]) for name in pieces]
        check_mergeable(opened)
        private_folder(out)
        stack.enter_context(exclusive(out))
        partial = out / ".merging.sqlite"
        partial.unlink(missing_ok=True)
        with Ledger(partial) as ledger, ledger.transaction():
            merge_into(ledger, [piece for _, piece in opened])
        partial.replace(target.ledger)
        with Ledger(target.ledger) as ledger:
            metrics, why_partial = stored_plan(ledger)
            seconds = time.monotonic() - started
            analysis = write_outputs(
                target, ledger, metrics, partial=why_partial, cached={}, seconds=seconds, warnings=()
            )
    return target, analysis
