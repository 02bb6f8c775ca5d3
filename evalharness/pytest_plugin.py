"""The pytest plugin: the fixture ``dialogue_eval`` and the option ``--eval-offline``. Inert unless a test uses it.

Nothing of the program is imported before the fixture is asked for. A judge that fails is an error of the test run, not
a failed test: nothing is known about quality then.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from evalharness.api.testing import Quality


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--eval-offline``."""
    group = parser.getgroup("evalharness")
    group.addoption(
        "--eval-offline",
        action="store_true",
        help="answer judges from the verdict cache alone; a verdict that is not in it is an error",
    )


@pytest.fixture
def dialogue_eval(request: pytest.FixtureRequest, tmp_path: Any) -> Quality:
    """Scores dialogues and asserts their quality, with run folders in the test's own folder."""
    from evalharness.api.testing import Quality

    return Quality(tmp_path / "dialogue-eval", offline=bool(request.config.getoption("--eval-offline")))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    call: pytest.CallInfo[Any],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Report a judge's failure as an error: such reports count as errors when they are not about the call."""
    report = yield
    if report.when == "call" and report.failed and _is_not_judged(call):
        report.when = "setup"
        report.sections.append(("evalharness", "not judged: an error of the judge, not a failed test"))
    return report


def _is_not_judged(call: pytest.CallInfo[Any]) -> bool:
    return call.excinfo is not None and call.excinfo.type.__name__ == "NotJudgedError"
