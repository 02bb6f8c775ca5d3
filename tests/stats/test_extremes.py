"""Values of any size, statistics that stay importable without scipy.stats, and examples that are true."""

import doctest
import importlib
import pkgutil
import subprocess
import sys

import numpy as np
import pytest

import evalharness.stats
from evalharness.stats.averaging import by_group
from evalharness.stats.catalogue import pair_statistic
from evalharness.stats.clustered import mean_interval
from evalharness.stats.correlation import pearson
from evalharness.stats.pairwise_accuracy import pairwise_difference_pearson

MODULES = [module.name for module in pkgutil.iter_modules(evalharness.stats.__path__)]
NUMERIC = [
    "pearson",
    "spearman",
    "kendall_tau_b",
    "kendall_tau_c",
    "somers_d",
    "lins_ccc",
    "krippendorff_ordinal",
    "krippendorff_interval",
    "krippendorff_ratio",
    "icc_1_1",
    "icc_2_1",
    "icc_3_k",
    "pairwise_accuracy",
]


@pytest.mark.parametrize("size", [1e-200, 1e200, 1e300])
@pytest.mark.parametrize("name", NUMERIC)
def test_unit_of_measurement_does_not_matter(name: str, size: float) -> None:
    rng = np.random.default_rng(1)
    x, y = rng.integers(1, 9, 40).astype(float), rng.integers(1, 9, 40).astype(float)
    statistic = pair_statistic(name)
    plain, scaled = statistic(x, y).estimate(), statistic(x * size, y * size).estimate()
    assert (scaled.value, scaled.se) == pytest.approx((plain.value, plain.se), rel=1e-6)


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_means_and_groups_of_any_size(size: float) -> None:
    rng = np.random.default_rng(2)
    x, y, codes = rng.normal(size=40), rng.normal(size=40), np.repeat(np.arange(8), 5)
    plain, scaled = mean_interval(x, codes), mean_interval(x * size, codes)
    assert (scaled.value / size, scaled.se / size) == pytest.approx((plain.value, plain.se))
    assert by_group(pearson, x * size, y * size, codes).estimate.value == pytest.approx(
        by_group(pearson, x, y, codes).estimate.value
    )
    assert pairwise_difference_pearson(x * size, y * size, codes).value == pytest.approx(
        pairwise_difference_pearson(x, y, codes).value
    )


def test_a_large_offset_does_not_drown_the_signal() -> None:
    rng = np.random.default_rng(3)
    x = rng.integers(0, 9, 60).astype(float)
    y = x + rng.integers(0, 4, 60)
    for name in ("pearson", "icc_3_1", "krippendorff_interval"):
        statistic = pair_statistic(name)
        assert statistic(x + 1e9, y + 1e9).value == pytest.approx(statistic(x, y).value, abs=1e-6)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name: str) -> None:
    assert doctest.testmod(importlib.import_module(f"evalharness.stats.{name}")).failed == 0


def test_importing_the_package_is_cheap() -> None:
    """scipy.stats costs half a second; only the functions that need it may import it."""
    imports = "; ".join(f"import evalharness.stats.{name}" for name in MODULES)
    code = f"{imports}; import sys; print('scipy.stats' in sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "False"
