import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.stats.bradley_terry import BradleyTerry, fit_bradley_terry, strong_components, win_rates
from evalharness.stats.unfitted import Unfitted

# Citations (row cites column) among Biometrika, Comm Statist, JASA, JRSS-B: Stigler (1994).
STIGLER = np.array([[714, 730, 498, 221], [33, 425, 68, 17], [320, 813, 1072, 142], [284, 276, 325, 188]])


def stigler() -> tuple[list[int], list[int], list[float]]:
    cells = [(i, j) for i in range(4) for j in range(4) if i != j for _ in range(STIGLER[i, j])]
    return [i for i, _ in cells], [j for _, j in cells], [1.0] * len(cells)


def fitted(result: BradleyTerry | Unfitted) -> BradleyTerry:
    assert isinstance(result, BradleyTerry)
    return result


def simulated(
    n: int, abilities: np.ndarray, order: float, nu: float, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    m = len(abilities)
    first = rng.integers(0, m, n)
    second = (first + rng.integers(1, m, n)) % m
    eta = abilities[first] - abilities[second] + order
    weights = np.stack([np.exp(eta / 2), np.full(n, nu), np.exp(-eta / 2)])
    win, tie, _ = (weights / weights.sum(axis=0)).cumsum(axis=0)
    u = rng.random(n)
    return first, second, np.where(u < win, 1.0, np.where(u < tie, 0.5, 0.0))


def test_stigler_published() -> None:
    """R BradleyTerry2 prints these abilities and standard errors."""
    fit = fitted(fit_bradley_terry(*stigler(), players=4))
    against = [fit.difference(player, 0, robust=False) for player in (1, 2, 3)]
    assert [e.value for e in against] == pytest.approx([-2.9490725, -0.4795698, 0.2689541], abs=5e-8)
    assert [e.se for e in against] == pytest.approx([0.1025453, 0.0605887, 0.0708300], abs=5e-8)
    assert fit.abilities.sum() == pytest.approx(0.0, abs=1e-12)


def test_agrees_with_choix() -> None:
    choix = pytest.importorskip("choix")
    abilities = np.array([0.0, 0.4, -0.3, 1.1, 0.2])
    first, second, y = simulated(800, abilities, 0.0, 0.0, 2)
    wins = [(a, b) if w == 1 else (b, a) for a, b, w in zip(first.tolist(), second.tolist(), y, strict=True)]
    expected = choix.opt_pairwise(5, wins, tol=1e-10)
    fit = fitted(fit_bradley_terry(first, second, y, players=5))
    assert fit.abilities == pytest.approx(expected - expected.mean(), abs=1e-5)


def test_agrees_with_logistic_regression() -> None:
    sm = pytest.importorskip("statsmodels.api")
    first, second, y = simulated(500, np.array([0.0, 0.5, 1.0]), 0.4, 0.0, 3)
    groups = np.arange(500) % 40
    design = np.stack([(first == k) * 1.0 - (second == k) * 1.0 for k in (1, 2)] + [np.ones(500)], axis=1)
    model = sm.GLM(y, design, family=sm.families.Binomial()).fit(
        tol=1e-12, cov_type="cluster", cov_kwds={"groups": groups, "use_correction": True}
    )
    fit = fitted(fit_bradley_terry(first, second, y, players=3, groups=groups, order_effect=True))
    assert fit.difference(1, 0).value == pytest.approx(model.params[0], abs=1e-7)
    order = fit.order_effect()
    assert order.value == pytest.approx(model.params[2], abs=1e-7)
    factor = np.sqrt((500 - 3) / (500 - 1))
    assert order.se == pytest.approx(model.bse[2] * factor, rel=1e-5)
    assert fit.difference(1, 0).se == pytest.approx(model.bse[0] * factor, rel=1e-5)


def test_planted_parameters_are_recovered() -> None:
    abilities = np.array([0.0, 0.5, 1.0, -0.7])
    first, second, y = simulated(20_000, abilities, 0.3, 0.8, 0)
    fit = fitted(fit_bradley_terry(first, second, y, players=4, order_effect=True))
    for player in range(1, 4):
        gap = fit.difference(player, 0, level=0.999)
        assert gap.low < abilities[player] < gap.high
    order = fit.order_effect(level=0.999)
    assert order.low < 0.3 < order.high
    assert np.exp(fit.log_tie) == pytest.approx(0.8, abs=0.04)
    assert np.sqrt(np.diag(fit.covariance)) == pytest.approx(np.sqrt(np.diag(fit.model_covariance)), rel=0.03)


@given(st.integers(0, 500), st.sampled_from(["half", "davidson"]), st.booleans())
def test_maximum_has_no_slope(seed: int, ties: str, order_effect: bool) -> None:
    """Expected and observed points of every player agree: the likelihood equations."""
    first, second, y = simulated(120, np.array([0.0, 0.3, -0.3]), 0.2, 0.6, seed)
    fit = fit_bradley_terry(first, second, y, players=3, ties=ties, order_effect=order_effect)
    if isinstance(fit, Unfitted):
        return
    eta = fit.abilities[first] - fit.abilities[second] + (fit.order or 0.0)
    if fit.log_tie is None:
        expected = 1 / (1 + np.exp(-eta))
    else:
        total = np.exp(eta / 2) + np.exp(fit.log_tie) + np.exp(-eta / 2)
        expected = (np.exp(eta / 2) + 0.5 * np.exp(fit.log_tie)) / total
    residual = y - expected
    for player in range(3):
        assert residual[first == player].sum() == pytest.approx(residual[second == player].sum(), abs=1e-6)


@given(st.integers(0, 200))
def test_turning_every_pair_round_changes_only_the_order_effect(seed: int) -> None:
    first, second, y = simulated(150, np.array([0.0, 0.3, -0.3]), 0.4, 0.6, seed)
    one = fit_bradley_terry(first, second, y, players=3, order_effect=True)
    other = fit_bradley_terry(second, first, 1 - y, players=3, order_effect=True)
    if isinstance(one, BradleyTerry) and isinstance(other, BradleyTerry):
        assert one.abilities == pytest.approx(other.abilities, abs=1e-7)
        assert one.order == pytest.approx(-other.order, abs=1e-7)


def test_player_numbering_does_not_matter() -> None:
    first, second, y = simulated(300, np.array([0.0, 0.5, 1.0, -0.7]), 0.3, 0.8, 5)
    renamed = np.array([2, 0, 3, 1])
    one = fitted(fit_bradley_terry(first, second, y, players=4))
    other = fitted(fit_bradley_terry(renamed[first], renamed[second], y, players=4))
    assert other.abilities[renamed] == pytest.approx(one.abilities, abs=1e-8)
    assert other.ability(2).se == pytest.approx(one.ability(0).se)


def test_verdicts_of_one_scenario_are_no_independent_evidence() -> None:
    first, second, y = simulated(100, np.array([0.0, 0.5]), 0.0, 0.5, 6)
    once = fitted(fit_bradley_terry(first, second, y, players=2))
    copied = [np.repeat(v, 5) for v in (first, second, y)]
    clustered = fitted(fit_bradley_terry(*copied, players=2, groups=np.repeat(np.arange(100), 5)))
    naive = fitted(fit_bradley_terry(*copied, players=2))
    assert clustered.difference(1, 0).se == pytest.approx(once.difference(1, 0).se)
    assert naive.difference(1, 0).se < 0.5 * once.difference(1, 0).se


def test_clustered_intervals_cover() -> None:
    rng = np.random.default_rng(14)
    covered = 0
    for _ in range(150):
        groups = np.repeat(np.arange(40), 6)
        taste = rng.normal(0, 1.0, 40)[groups]  # scenarios that suit one system
        first = rng.integers(0, 2, 240)
        eta = np.where(first == 1, taste, -taste)
        y = (rng.random(240) < 1 / (1 + np.exp(-eta))).astype(float)
        gap = fitted(fit_bradley_terry(first, 1 - first, y, players=2, groups=groups)).difference(1, 0)
        covered += gap.low <= 0.0 <= gap.high
    assert 0.9 <= covered / 150 <= 0.99


def test_parts_that_do_not_connect_are_named() -> None:
    apart = fit_bradley_terry([0, 1, 2, 3], [1, 0, 3, 2], [1, 1, 1, 1], players=4)
    assert isinstance(apart, Unfitted)
    assert "{0, 1}; {2, 3}" in apart.reason
    unbeaten = fit_bradley_terry([0, 0, 1, 2], [1, 2, 2, 1], [1, 1, 1, 1], players=3)
    assert isinstance(unbeaten, Unfitted)
    assert "{0}; {1, 2}" in unbeaten.reason
    joined_by_a_tie = fit_bradley_terry([0, 0, 1, 2, 0], [1, 2, 2, 1, 1], [1, 1, 1, 1, 0.5], players=3)
    assert isinstance(joined_by_a_tie, BradleyTerry)


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(1, 2), st.integers(0, 2), st.integers(0, 5)),
        min_size=1,
        max_size=12,
    ),
    st.sampled_from(["half", "davidson"]),
    st.booleans(),
)
def test_small_tables_give_an_error_or_a_reason(
    rows: list[tuple[int, int, int, int]], ties: str, order_effect: bool
) -> None:
    first = np.array([a for a, _, _, _ in rows])
    second = (first + [step for _, step, _, _ in rows]) % 3
    y, groups = [w / 2 for _, _, w, _ in rows], [g for _, _, _, g in rows]
    fit = fit_bradley_terry(first, second, y, players=3, groups=groups, ties=ties, order_effect=order_effect)
    if isinstance(fit, Unfitted):
        assert fit.reason
        return
    found = [fit.ability(0), fit.difference(1, 2), fit.difference(1, 2, robust=False)]
    for estimate in [*found, fit.order_effect() or found[0], fit.win_probability(0, 1)]:
        assert abs(estimate.require()) < 30.0
        assert estimate.se is not None or fit.groups == 1


def test_an_order_that_never_changes_is_no_ability() -> None:
    """Player 0 always stands first: whether it or its place won can't be told."""
    fit = fit_bradley_terry([0, 0, 0], [1, 1, 1], [1, 0, 0.5], players=2, order_effect=True)
    assert fit == Unfitted("abilities and the order shown can't be told apart", 3)
    assert fitted(fit_bradley_terry([0, 0, 0], [1, 1, 1], [1, 0, 0.5], players=2)).ability(0).value == 0.0


def test_order_that_decides_all_but_a_tie_has_no_maximum() -> None:
    fit = fit_bradley_terry([0, 1, 1], [1, 0, 0], [0, 0, 0.5], players=2, ties="half", order_effect=True)
    assert isinstance(fit, Unfitted)
    assert "no finite maximum" in fit.reason


def test_parts_are_called_by_name() -> None:
    apart = fit_bradley_terry([0, 0], [1, 1], [1, 1], players=2, names=["old", "new"])
    assert isinstance(apart, Unfitted)
    assert "{old}; {new}" in apart.reason


def test_components_of_a_long_chain() -> None:
    chain = np.eye(50, k=1, dtype=bool)
    assert len(strong_components(chain)) == 50
    chain[49, 0] = True
    assert strong_components(chain) == [list(range(50))]


def test_no_finite_maximum_is_said() -> None:
    order_decides = fit_bradley_terry([0, 1], [1, 0], [1, 1], players=2, order_effect=True)
    assert isinstance(order_decides, Unfitted)
    assert isinstance(fit_bradley_terry([0, 1], [1, 0], [0.5, 0.5], players=2), Unfitted)
    assert isinstance(fit_bradley_terry([], [], [], players=2), Unfitted)


def test_ranks() -> None:
    first, second, y = simulated(3000, np.array([0.0, 0.05, 1.0]), 0.0, 0.5, 1)
    fit = fitted(fit_bradley_terry(first, second, y, players=3))
    ranks = fit.rank_probabilities(seed=1)
    assert ranks.sum(axis=0) == pytest.approx(np.ones(3))
    assert ranks.sum(axis=1) == pytest.approx(np.ones(3))
    assert ranks[2, 0] > 0.999
    assert ranks[0, 1] > 0.02
    assert np.array_equal(ranks, fit.rank_probabilities(seed=1))
    alone = fitted(fit_bradley_terry([0, 1, 0], [1, 0, 1], [1, 1, 1], players=2, groups=["s", "s", "s"]))
    assert alone.rank_probabilities() is None
    assert alone.difference(0, 1).low is None


def test_win_probability_is_free_of_order() -> None:
    first, second, y = simulated(5000, np.array([0.0, 0.8]), 1.0, 0.0, 4)
    fit = fitted(fit_bradley_terry(first, second, y, players=2, order_effect=True))
    p = fit.win_probability(1, 0, level=0.999)
    assert p.low < 1 / (1 + np.exp(-0.8)) < p.high


def test_win_table() -> None:
    points, played = win_rates([0, 1, 0], [1, 0, 1], [1, 0.5, 0], 2)
    assert points.tolist() == [[0, 1.5], [1.5, 0]]
    assert played.tolist() == [[0, 3], [3, 0]]


def test_bad_codes_are_refused() -> None:
    with pytest.raises(ValueError, match="itself"):
        fit_bradley_terry([0], [0], [1], players=2)
    with pytest.raises(ValueError, match="codes"):
        fit_bradley_terry([0], [5], [1], players=2)
    with pytest.raises(ValueError, match="outcome"):
        fit_bradley_terry([0], [1], [0.7], players=2)
