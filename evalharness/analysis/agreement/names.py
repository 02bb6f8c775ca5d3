"""The statistics of a judge and its raters by name: what they are called, and what each needs."""

from __future__ import annotations

from collections.abc import Mapping

from evalharness.core.registry import unknown_name
from evalharness.stats.catalogue import PAIR_STATISTICS

ON_MAJORITY = frozenset(
    {
        "percent",
        "cohen_kappa",
        "cohen_kappa_linear",
        "cohen_kappa_quadratic",
        "scott_pi",
        "fleiss_kappa",
        "conger_kappa",
        "brennan_prediger",
        "gwet_ac1",
        "gwet_ac2_linear",
        "gwet_ac2_quadratic",
        "gwet_ac2_ordinal",
        "krippendorff_nominal",
        "krippendorff_ordinal",
        "balanced_accuracy",
        "bowker",
        "stuart_maxwell",
        "marginal_homogeneity",
    }
)
"""Statistics of classes: they see the raters' majority, all others the raters' mean."""

ON_NOMINAL = frozenset(
    {
        "percent",
        "cohen_kappa",
        "scott_pi",
        "fleiss_kappa",
        "conger_kappa",
        "brennan_prediger",
        "gwet_ac1",
        "krippendorff_nominal",
        "balanced_accuracy",
        "bowker",
        "stuart_maxwell",
        "marginal_homogeneity",
    }
)
RANK = frozenset(
    {
        "pearson",
        "spearman",
        "kendall_tau_b",
        "kendall_tau_c",
        "somers_d",
        "goodman_kruskal_gamma",
        "pairwise_accuracy",
        "tau_23",
        "tie_calibrated_accuracy",
        "soft_pairwise_accuracy",
    }
)
"""Statistics that need no common scale."""

BLAND_ALTMAN = {
    "bland_altman_bias": "bias",
    "bland_altman_lower": "lower",
    "bland_altman_upper": "upper",
    "bland_altman_proportional_bias": "proportional_bias",
    "bland_altman_sd_ratio": "sd_ratio",
}
TESTS = ("bowker", "stuart_maxwell")
"""Tests of a table of counts."""
WITHIN: Mapping[str, float] = {"exact": 1e-9, "within_one": 1.0 + 1e-9}
"""Shares of raters from whom the judge is at most this far, in units of the scale: of numbers of turns, counts …"""
EXTRA = (
    "tie_calibrated_accuracy",
    "soft_pairwise_accuracy",
    "balanced_accuracy",
    *TESTS,
    "marginal_homogeneity",
    *BLAND_ALTMAN,
    *WITHIN,
)
STATISTICS: tuple[str, ...] = (*PAIR_STATISTICS, *EXTRA)
ALIASES = {
    "kappa": "cohen_kappa",
    "weighted_kappa": "cohen_kappa_quadratic",
    "alpha": "krippendorff_ordinal",
    "ac1": "gwet_ac1",
    "ac2": "gwet_ac2_quadratic",
    "ccc": "lins_ccc",
    "tau": "kendall_tau_b",
    "icc": "icc_2_1",
    "accuracy": "percent",
    "bias": "bland_altman_bias",
}


def known_statistic(name: str) -> str:
    """The full name of a statistic or of its short form; a :class:`UsageError` for an unknown one."""
    full = ALIASES.get(name, name)
    if full not in STATISTICS:
        raise unknown_name("statistic", name, (*STATISTICS, *ALIASES))
    return full
