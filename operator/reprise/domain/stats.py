"""Means with their uncertainty."""

import math
import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

RESAMPLES = 2000
# The 97.5th percentile of the normal distribution.
_Z = statistics.NormalDist().inv_cdf(0.975)
_LOW, _HIGH = 0.025, 0.975


@dataclass(frozen=True)
class MeanInterval:
    """A mean of n values and its 95 % bootstrap interval. All three are None when n is 0.

    With n = 1 the interval has no width: resampling one value says nothing, so read n beside it.
    """

    mean: float | None
    n: int
    low: float | None
    high: float | None


def mean_interval(values: Sequence[float], seed: int) -> MeanInterval:
    """The mean and the percentile bootstrap interval (Efron 1979) from 2000 resamples.

    The result depends on the values and the seed alone: not on their order, nor on the Python version. Of
    `random.Random` only `random()` promises the same sequence in every version, so only it is used.
    Raises ValueError when a value is not finite.
    """
    ordered = sorted(values)
    n = len(ordered)
    if not all(math.isfinite(value) for value in ordered):
        raise ValueError("expected finite values, found NaN or an infinity")
    if n == 0:
        return MeanInterval(None, 0, None, None)
    draw = random.Random(seed).random  # noqa: S311 - statistics, not secrets
    means = sorted(_mean([ordered[int(draw() * n)] for _ in range(n)]) for _ in range(RESAMPLES))
    return MeanInterval(_mean(ordered), n, _quantile(means, _LOW), _quantile(means, _HIGH))


def share_interval(hits: int, n: int) -> tuple[float, float]:
    """Both ends of the 95 % score interval of a share (Wilson 1927); n > 0.

    Unlike the bootstrap's it has a width also where all or none hit.
    """
    share, square = hits / n, _Z * _Z
    middle = (share + square / (2 * n)) / (1 + square / n)
    half = _Z / (1 + square / n) * math.sqrt(share * (1 - share) / n + square / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def _mean(values: Sequence[float]) -> float:
    """Never outside of the values: a rounded division may be, by one unit in the last place."""
    return min(max(math.fsum(values) / len(values), min(values)), max(values))


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Linear interpolation between the two nearest values (Hyndman and Fan's type 7)."""
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    between = ordered[below] + (ordered[above] - ordered[below]) * (place - below)
    return min(max(between, ordered[below]), ordered[above])
