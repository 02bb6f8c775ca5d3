"""Bradley-Terry abilities from pairwise verdicts, with ties, an order effect and clustered standard errors.

P(first beats second) depends on eta = ability_first - ability_second + order. With Davidson ties (1970; with order
effect Davidson & Beaver 1977) the outcomes win, tie, loss have weights exp(eta / 2), nu, exp(-eta / 2); with half
ties a tie is half a win in a logistic quasi-likelihood.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from evalharness.stats.arrays import BoolArray, FloatArray, IntArray, group_codes, vector
from evalharness.stats.clustered import group_sums, t_quantile
from evalharness.stats.estimate import Estimate, point
from evalharness.stats.sandwich import Sandwich, inverse_information, robust_interval, sandwich
from evalharness.stats.unfitted import Unfitted

Ties = Literal["half", "davidson"]

_STEPS = 200
_TOLERANCE = 1e-10
_FARTHEST = 30.0
_ENDLESS = "no finite maximum: a system or a place never loses"


@dataclass(frozen=True, slots=True, eq=False)
class BradleyTerry:
    """Fitted abilities (m,) in log odds, summing to 0.

    order: advantage of being shown first, in log odds; ``None`` if not fitted.
    log_tie: log of Davidson's nu; ``None`` with half ties or where no tie occurred.
    errors: over abilities, then order, then log_tie.
    """

    abilities: FloatArray
    order: float | None
    log_tie: float | None
    errors: Sandwich
    n: int
    ties: Ties

    @property
    def groups(self) -> int:
        """Number of clusters."""
        return self.errors.groups

    @property
    def model_covariance(self) -> FloatArray:
        """The inverse information."""
        return self.errors.model

    @property
    def covariance(self) -> FloatArray | None:
        """The CR1 sandwich over groups, ``None`` with a single group."""
        return self.errors.robust

    def ability(self, player: int, level: float = 0.95) -> Estimate:
        """Return a player's ability relative to the mean of all."""
        return self._estimate(self._unit(player), level)

    def difference(self, player: int, other: int, level: float = 0.95, *, robust: bool = True) -> Estimate:
        """Return ability minus ability in log odds; not ``robust`` takes the model-based error."""
        return self._estimate(self._unit(player) - self._unit(other), level, robust=robust)

    def order_effect(self, level: float = 0.95) -> Estimate | None:
        """Return the advantage of being shown first, in log odds; ``None`` if not fitted."""
        if self.order is None:
            return None
        direction = np.zeros(len(self.model_covariance))
        direction[self.abilities.size] = 1.0
        return self._estimate(direction, level)

    def win_probability(self, player: int, other: int, level: float = 0.95) -> Estimate:
        """Return P(player beats other | no tie), without order effect."""
        gap = self.difference(player, other, level)
        p = float(expit(gap.require()))
        se = None if gap.se is None else p * (1.0 - p) * gap.se
        low = None if gap.low is None else float(expit(gap.low))
        high = None if gap.high is None else float(expit(gap.high))
        return replace(gap, value=p, se=se, low=low, high=high)

    def rank_probabilities(self, draws: int = 10_000, seed: int = 0) -> FloatArray | None:
        """Return P(player has rank r) (m, m), rank 1 first, over seeded normal draws of the abilities.

        ``None`` with a single group, where the abilities have no error to draw from.
        """
        if self.covariance is None:
            return None
        m = self.abilities.size
        values, vectors = np.linalg.eigh(self.covariance[:m, :m])
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        drawn = self.abilities + np.random.default_rng(seed).normal(size=(draws, m)) @ root.T
        ranks = np.argsort(np.argsort(-drawn, axis=1), axis=1)
        cells = (np.arange(m) * m + ranks).ravel()
        return np.asarray(np.bincount(cells, minlength=m * m).reshape(m, m) / draws)

    def _unit(self, player: int) -> FloatArray:
        direction = np.zeros(len(self.model_covariance))
        direction[range(self.abilities.size)[player]] = 1.0
        return direction

    def _estimate(self, direction: FloatArray, level: float, *, robust: bool = True) -> Estimate:
        others = [value for value in (self.order, self.log_tie) if value is not None]
        value = float(direction @ np.concatenate([self.abilities, others]))
        if not robust:
            se = math.sqrt(max(0.0, float(direction @ self.model_covariance @ direction)))
            half = t_quantile(0.5 + level / 2, np.inf) * se
            low, high, method = value - half, value + half, "information, normal"
            return Estimate(value, se, low, high, level, method, self.n, self.groups, None)
        error = self.errors.error(direction)
        if error is None:
            return point(value, n=self.n, groups=self.groups, level=level, method="none: a single group")
        return robust_interval(value, error, n=self.n, groups=self.groups, level=level)


def fit_bradley_terry(
    first: ArrayLike,
    second: ArrayLike,
    outcome: ArrayLike,
    *,
    players: int,
    groups: ArrayLike | None = None,
    ties: Ties = "davidson",
    order_effect: bool = False,
    names: Sequence[str] | None = None,
) -> BradleyTerry | Unfitted:
    """Return maximum-likelihood abilities of `players` players, called by their `names` in a reason.

    first, second: (n,) player codes 0..players-1 in the order shown. outcome: (n,) 1 where the first wins, 0 where
    the second does, .5 for a tie. groups: (n,) clusters (scenarios); several verdicts about one scenario are no
    independent evidence. A finite fit exists only if every player beats, directly or through others, every other one
    (Ford 1957); otherwise the parts that don't connect are named.
    """
    data = _Data.of(first, second, outcome, players)
    if data.sign.size == 0:
        return Unfitted("no comparisons")
    parts = strong_components(data.beats())
    if len(parts) > 1:
        called = [str(player) for player in range(players)] if names is None else names
        named = "; ".join("{" + ", ".join(called[player] for player in part) + "}" for part in parts)
        reason = f"the players fall into parts without wins in both directions: {named}"
        return Unfitted(reason, data.sign.size)
    with_tie = ties == "davidson" and bool(np.any(data.sign == 0.0))
    if ties == "davidson" and not bool(np.any(data.sign != 0.0)):
        return Unfitted("every comparison is a tie", data.sign.size)
    model = _Model(data, order_effect, with_tie)
    if inverse_information(model.information(model.moments(np.zeros(model.size)))) is None:
        return Unfitted("abilities and the order shown can't be told apart", data.sign.size)
    beta = model.fit()
    if beta is None:
        return Unfitted(_ENDLESS, data.sign.size)
    return _fitted(model, beta, groups, "davidson" if with_tie else "half")


def win_rates(
    first: ArrayLike, second: ArrayLike, outcome: ArrayLike, players: int
) -> tuple[FloatArray, FloatArray]:
    """Return points (m, m) of row against column, ties half, and numbers of comparisons (m, m)."""
    data = _Data.of(first, second, outcome, players)
    share = (data.sign + 1.0) / 2.0
    points = _cells(data.first, data.second, share, players) + _cells(
        data.second, data.first, 1.0 - share, players
    )
    ones = np.ones_like(share)
    played = _cells(data.first, data.second, ones, players) + _cells(data.second, data.first, ones, players)
    return points, played


def strong_components(beats: ArrayLike) -> list[list[int]]:
    """Return the strongly connected parts of a "beats" relation (m, m), each sorted, in order of their first player."""
    reach = np.asarray(beats, dtype=np.bool_) | np.eye(len(np.asarray(beats)), dtype=np.bool_)
    for _ in range(max(1, len(reach)).bit_length()):
        reach = (reach.astype(np.float64) @ reach.astype(np.float64)) > 0.0
    mutual = reach & reach.T
    leaders = mutual.argmax(axis=1)
    return [np.flatnonzero(leaders == leader).tolist() for leader in np.unique(leaders)]


@dataclass(frozen=True, slots=True, eq=False)
class _Data:
    """Comparisons with the outcome as sign: 1 first wins, 0 tie, -1 second wins."""

    first: IntArray
    second: IntArray
    sign: FloatArray
    players: int

    @classmethod
    def of(cls, first: ArrayLike, second: ArrayLike, outcome: ArrayLike, players: int) -> _Data:
        a, b = np.asarray(first, dtype=np.intp), np.asarray(second, dtype=np.intp)
        y = vector(outcome, "outcome")
        if a.shape != y.shape or b.shape != y.shape:
            raise ValueError("first, second and outcome must have the same length")
        if not np.isin(y, (0.0, 0.5, 1.0)).all():
            raise ValueError("an outcome is 1, 0 or .5")
        if y.size and (min(a.min(), b.min()) < 0 or max(a.max(), b.max()) >= players):
            raise ValueError(f"player codes run from 0 to {players - 1}")
        if bool(np.any(a == b)):
            raise ValueError("a player can't be compared with itself")
        return cls(a, b, 2.0 * y - 1.0, players)

    def beats(self) -> BoolArray:
        """Return who beat or tied whom at least once (m, m)."""
        won = np.zeros((self.players, self.players), dtype=np.bool_)
        won[self.first[self.sign >= 0.0], self.second[self.sign >= 0.0]] = True
        won[self.second[self.sign <= 0.0], self.first[self.sign <= 0.0]] = True
        return won


@dataclass(frozen=True, slots=True, eq=False)
class _Model:
    """The likelihood in free parameters: abilities of players 1..m-1 (player 0 at 0), order, log nu."""

    data: _Data
    with_order: bool
    with_tie: bool

    @property
    def size(self) -> int:
        """Number of free parameters."""
        return self.data.players - 1 + self.with_order + self.with_tie

    def eta(self, beta: FloatArray) -> FloatArray:
        """Return the log odds (n,) of each comparison."""
        abilities = np.concatenate([[0.0], beta[: self.data.players - 1]])
        order = beta[self.data.players - 1] if self.with_order else 0.0
        return np.asarray(abilities[self.data.first] - abilities[self.data.second] + order)

    def moments(self, beta: FloatArray) -> tuple[FloatArray, ...]:
        """Return by comparison: residual and variance of eta's statistic, of the tie's, and their covariance."""
        eta, sign = self.eta(beta), self.data.sign
        if not self.with_tie:
            p = expit(eta)
            return (sign + 1.0) / 2.0 - p, p * (1.0 - p), np.zeros(0), np.zeros(0), np.zeros(0)
        logits = np.stack([eta / 2.0, np.full_like(eta, beta[-1]), -eta / 2.0])
        weights = np.exp(logits - logits.max(axis=0))
        win, tie, loss = weights / weights.sum(axis=0)
        mean = (win - loss) / 2.0
        variance = (win + loss) / 4.0 - mean**2
        return sign / 2.0 - mean, variance, (sign == 0.0) - tie, tie * (1.0 - tie), -mean * tie

    def scores(self, moments: tuple[FloatArray, ...], codes: IntArray, count: int) -> FloatArray:
        """Return summed score vectors by group (count, size)."""
        residual, _, tie_residual, _, _ = moments
        m = self.data.players
        by_player = _cells(codes, self.data.first, residual, m, count)
        by_player -= _cells(codes, self.data.second, residual, m, count)
        columns = [by_player[:, 1:]]
        if self.with_order:
            columns.append(group_sums(residual, codes, count)[:, None])
        if self.with_tie:
            columns.append(group_sums(tie_residual, codes, count)[:, None])
        return np.hstack(columns)

    def information(self, moments: tuple[FloatArray, ...]) -> FloatArray:
        """Return the negative Hessian (size, size)."""
        _, variance, _, tie_variance, covariance = moments
        first, second, m = self.data.first, self.data.second, self.data.players
        cross = _cells(first, second, variance, m)
        block = -(cross + cross.T)
        block[np.diag_indices(m)] += np.bincount(first, weights=variance, minlength=m)
        block[np.diag_indices(m)] += np.bincount(second, weights=variance, minlength=m)
        matrix = np.zeros((self.size, self.size))
        matrix[: m - 1, : m - 1] = block[1:, 1:]
        if self.with_order:
            _border(matrix, m - 1, _signed(first, second, variance, m)[1:], float(variance.sum()))
        if self.with_tie:
            border = _signed(first, second, covariance, m)[1:]
            if self.with_order:
                border = np.append(border, covariance.sum())
            _border(matrix, self.size - 1, border, float(tie_variance.sum()))
        return matrix

    def fit(self) -> FloatArray | None:
        """Return the maximum by damped Newton steps; ``None`` if it lies at infinity."""
        beta: FloatArray = np.zeros(self.size)
        everything = np.zeros(self.data.sign.size, dtype=np.intp)
        for _ in range(_STEPS):
            moments = self.moments(beta)
            gradient = self.scores(moments, everything, 1)[0]
            step: FloatArray = np.linalg.lstsq(self.information(moments), gradient, rcond=None)[0]
            largest = float(np.abs(step).max(initial=0.0))
            beta = beta + step * min(1.0, 2.0 / max(largest, 1e-300))
            if float(np.abs(beta).max(initial=0.0)) > _FARTHEST:
                return None
            if largest < _TOLERANCE:
                return beta
        return None


def _fitted(model: _Model, beta: FloatArray, groups: ArrayLike | None, ties: Ties) -> BradleyTerry | Unfitted:
    moments = model.moments(beta)
    codes, count = group_codes(groups, model.data.sign.size)
    bread = inverse_information(model.information(moments))
    if bread is None:
        return Unfitted(_ENDLESS, model.data.sign.size)
    spread = _to_centred(model.data.players, model.size)
    values = spread @ beta
    m = model.data.players
    return BradleyTerry(
        abilities=values[:m],
        order=float(values[m]) if model.with_order else None,
        log_tie=float(values[-1]) if model.with_tie else None,
        errors=sandwich(bread, model.scores(moments, codes, count)).mapped(spread),
        n=model.data.sign.size,
        ties=ties,
    )


def _to_centred(players: int, size: int) -> FloatArray:
    """Return the matrix from free parameters to centred abilities and the other parameters."""
    extra = size - (players - 1)
    matrix = np.zeros((players + extra, size))
    matrix[1:players, : players - 1] = np.eye(players - 1)
    matrix[:players] -= matrix[:players].mean(axis=0)
    matrix[players:, players - 1 :] = np.eye(extra)
    return matrix


def _cells(
    rows: IntArray, columns: IntArray, weights: FloatArray, width: int, height: int | None = None
) -> FloatArray:
    """Return the sum of weights in each cell (height, width)."""
    height = width if height is None else height
    flat = np.bincount(rows * width + columns, weights=weights, minlength=height * width)
    return np.asarray(flat.reshape(height, width))


def _signed(first: IntArray, second: IntArray, weights: FloatArray, m: int) -> FloatArray:
    gained = np.bincount(first, weights=weights, minlength=m)
    return np.asarray(gained - np.bincount(second, weights=weights, minlength=m))


def _border(matrix: FloatArray, index: int, border: FloatArray, corner: float) -> None:
    matrix[index, :index] = border
    matrix[:index, index] = border
    matrix[index, index] = corner
