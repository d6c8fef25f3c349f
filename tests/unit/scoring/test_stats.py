"""Means and their intervals."""

import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reprise.domain import stats


def test_pinned_so_that_published_intervals_stay_reproducible() -> None:
    found = stats.mean_interval([1.0, 0.0, 0.5, 1.0, 0.25], seed=7)
    assert found.n == 5
    assert found.mean == pytest.approx(0.55)
    assert (found.low, found.high) == pytest.approx((0.2, 0.9))


def test_nothing_has_no_mean() -> None:
    assert stats.mean_interval([], seed=1) == stats.MeanInterval(None, 0, None, None)


def test_one_value_has_no_width() -> None:
    assert stats.mean_interval([0.5], seed=1) == stats.MeanInterval(0.5, 1, 0.5, 0.5)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_finite_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        stats.mean_interval([0.0, value], seed=1)


@settings(max_examples=25)
@example([0.0, 0.0, 0.8703141945998418], 0)  # its mean times three, divided by three, is larger
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.integers())
def test_properties(values: list[float], seed: int) -> None:
    found = stats.mean_interval(values, seed)
    assert found.mean is not None
    assert found.low is not None
    assert found.high is not None
    assert min(values) <= found.low <= found.high <= max(values)
    assert found == stats.mean_interval(values[::-1], seed), "order does not matter"


def test_more_values_narrow_the_interval() -> None:
    few, many = stats.mean_interval([0.0, 1.0] * 4, 3), stats.mean_interval([0.0, 1.0] * 64, 3)
    assert few.low is not None
    assert few.high is not None
    assert many.low is not None
    assert many.high is not None
    assert many.high - many.low < few.high - few.low


# Newcombe 1998, table I, method 3 (the score interval without correction).
@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_share_interval(hits: int, n: int, low: float, high: float) -> None:
    assert stats.share_interval(hits, n) == pytest.approx((low, high), abs=5e-5)


def test_share_interval_has_a_width_when_all_hit() -> None:
    assert stats.share_interval(3, 3) == pytest.approx((0.4385, 1.0), abs=5e-5)
