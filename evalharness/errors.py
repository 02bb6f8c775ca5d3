"""The error tree: what a user can be told, with the exit code and the page that explains it.

    EvalHarnessError                 exit  docs/errors.md#
    ├── UsageError                    2    usage               an option or name that does not exist or does not fit
    ├── InputError                    2    input               dialogues, labels or recordings that can't be read
    │   ├── RubricError               2    rubric              a rubric file with mistakes
    │   └── ConfigError               2    config              an evalharness.yaml or policy with mistakes
    ├── RunConflictError              2    run-conflict        a run folder that holds something else, or is in use
    ├── MissingDependencyError        2    missing-dependency  an optional package or model is not installed
    ├── RequirementMissedError        1    requirement-missed  a stated requirement is not met
    └── RunIncompleteError            3    run-incomplete      the run stopped early and can be resumed
        ├── ProviderError             3    provider            a provider refuses for good (key, quota, model)
        ├── BudgetError               3    budget              the cost or failure limit of the run is reached
        ├── NotJudgedError            3    not-judged          a test's judge or system under test failed
        └── StorageError              3    storage             disk full, read-only, or a damaged run folder

Every error carries one or more :class:`Problem` values, each with file, line, what was found and what to write
instead. Anything that is not an ``EvalHarnessError`` is a bug and keeps its traceback.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum


class ExitCode(IntEnum):
    """What a process tells its caller; the same numbers in every command."""

    OK = 0
    REGRESSION = 1
    USAGE = 2
    INCOMPLETE = 3
    INCONCLUSIVE = 4
    INTERRUPTED = 130
    TERMINATED = 143


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, where it is, and what to do about it.

    ``message`` says what was found; ``fix`` what to write instead; ``source`` is a file name as the user gave it;
    ``line`` and ``column`` count from 1.
    """

    message: str
    source: str | None = None
    line: int | None = None
    column: int | None = None
    fix: str | None = None

    @property
    def where(self) -> str:
        """`file:line:column`, as far as known; empty when nothing is known."""
        parts = [part for part in (self.source, self.line, self.column) if part is not None]
        return ":".join(str(part) for part in parts)

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text}. {self.fix}" if self.fix else text


class EvalHarnessError(Exception):
    """Base of everything that is the user's to mend rather than ours."""

    exit_code: ExitCode = ExitCode.USAGE
    slug: str = "usage"

    def __init__(self, problems: str | Problem | Iterable[Problem], *, fix: str | None = None) -> None:
        self.problems: tuple[Problem, ...] = _as_problems(problems, fix)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def _as_problems(problems: str | Problem | Iterable[Problem], fix: str | None) -> tuple[Problem, ...]:
    if isinstance(problems, str):
        return (Problem(problems, fix=fix),)
    if isinstance(problems, Problem):
        return (problems,)
    found: Sequence[Problem] = tuple(problems)
    if not found:
        raise ValueError("an error needs at least one problem")
    return tuple(found)


class UsageError(EvalHarnessError):
    """An option or a name that does not exist or does not fit the others."""


class InputError(EvalHarnessError):
    """Input data that can't be used: every problem found is listed."""

    slug = "input"


class RubricError(InputError):
    """A rubric file with mistakes; all mistakes of the file at once."""

    slug = "rubric"


class ConfigError(InputError):
    """A configuration or policy file with mistakes."""

    slug = "config"


class RunConflictError(EvalHarnessError):
    """A run folder that was made from something else, or that another process is using."""

    slug = "run-conflict"


class MissingDependencyError(EvalHarnessError):
    """An optional package or model that this command needs is not installed."""

    slug = "missing-dependency"


class RequirementMissedError(EvalHarnessError):
    """A requirement that the user stated is not met by the figures."""

    exit_code = ExitCode.REGRESSION
    slug = "requirement-missed"


class RunIncompleteError(EvalHarnessError):
    """The run stopped before its end; what was paid is kept and the same command resumes it."""

    exit_code = ExitCode.INCOMPLETE
    slug = "run-incomplete"


class ProviderError(RunIncompleteError):
    """A provider refuses in a way that trying again can't mend: key, quota, model, endpoint."""

    slug = "provider"


class BudgetError(RunIncompleteError):
    """The cost or failure limit that the user set for the run is reached."""

    slug = "budget"


class NotJudgedError(RunIncompleteError):
    """The judge or the system under test of a quality assertion failed: nothing is known about quality."""

    slug = "not-judged"


class StorageError(RunIncompleteError):
    """The disk is full or read-only, or the run folder is damaged."""

    slug = "storage"
