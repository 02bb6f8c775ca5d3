"""docs/agreement.md and docs/statistics.md say what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from evalharness.analysis.agreement.names import ALIASES, STATISTICS
from evalharness.analysis.agreement.rows import shown_statistics
from evalharness.analysis.agreement.scales import Scale
from evalharness.core.features import FEATURES
from evalharness.data.labels.read import SHAPES

DOCS = Path(__file__).parents[2] / "docs"
AGREEMENT = (DOCS / "agreement.md").read_text(encoding="utf-8")
STATISTICS_PAGE = (DOCS / "statistics.md").read_text(encoding="utf-8")


def test_every_statistic_and_short_form_is_named():
    names, short = (
        re.search(rf"<!-- {m}:begin -->(.*?)<!--", STATISTICS_PAGE, re.DOTALL)[1]
        for m in ("names", "aliases")
    )
    assert re.findall(r"`(\w+)`", names) == list(STATISTICS)
    assert re.findall(r"`(\w+)` for `(\w+)`", short) == list(ALIASES.items())


def test_what_is_shown_first_is_as_the_code_has_it():
    two, three = (0.0, 1.0), (1.0, 2.0, 3.0)
    assert shown_statistics(Scale(three, ("a", "b", "c"), nominal=True)) == (
        "cohen_kappa",
        "gwet_ac1",
        "percent",
    )
    assert shown_statistics(Scale(two, ("no", "yes"), 0, 1)) == ("cohen_kappa", "gwet_ac1", "spearman")
    assert shown_statistics(Scale(three, ("1", "2", "3"), 1, 3)) == ("spearman", "cohen_kappa_quadratic")
    assert shown_statistics(Scale(low=0, high=1)) == ("spearman", "krippendorff_interval")
    assert "| ordinal | Spearman, quadratic weighted kappa |" in AGREEMENT


def test_options_of_the_page_exist():
    from evalharness.cli.agree import command as agree
    from evalharness.cli.calibrate import command as calibrate
    from evalharness.cli.fit import command as fit
    from evalharness.cli.score import command as score

    known = {name for command in (agree, calibrate, fit, score) for p in command.params for name in p.opts}
    named = set(re.findall(r"(--[a-z][a-z-]+)", AGREEMENT)) - {"--by"}
    assert named <= known


def test_every_field_of_a_row_is_described():
    from evalharness.analysis.agreement.types import Row
    from evalharness.report.agreement.document import row_json
    from evalharness.stats.estimate import undefined

    text = re.search(r"<!-- row:begin -->(.*?)<!--", AGREEMENT, re.DOTALL)[1]
    first = "".join(line.split("|")[1] for line in text.splitlines() if line.startswith("| `"))
    row = row_json(Row("j", "r", "c", "spearman", "pooled", undefined("nothing")))
    assert re.findall(r"`(\w+)`", first) == [
        name for part in (
            ("scorer", "rubric", "criterion", "unit"), ("statistic", "grouping", "slice"),
            ("value", "se", "low", "high", "level", "method"), ("n", "groups", "undefined", "reason"),
            ("weighted", "p_adjusted"),
        ) for name in part
    ]  # fmt: skip
    assert set(row) == set(re.findall(r"`(\w+)`", first))


def test_counts_of_the_page():
    assert len(FEATURES) == 17
    assert "The seventeen features" in AGREEMENT
    assert set(SHAPES) == {"long", "pairs", "wide", "label-studio", "argilla", "langfuse", "mt-bench-votes"}


def test_every_published_check_is_a_test():
    text = re.search(r"<!-- checks:begin -->(.*?)<!--", STATISTICS_PAGE, re.DOTALL)[1]
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", text)
    assert len(named) >= 45
    folder = Path(__file__).parents[1] / "stats"
    missing = [
        (file, name) for file, name in named if f"def {name}(" not in (folder / file).read_text("utf-8")
    ]
    assert missing == []
    numbers = [int(number) for number in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)]
    assert numbers == sorted(numbers)
