"""What a retention policy drops."""

import datetime as dt

import pytest

from reprise.domain import errors, retention

NOW = dt.datetime(2026, 11, 21, 12, 0, tzinfo=dt.UTC)


def listing(*days_ago: float, in_use: tuple[int, ...] = ()) -> list[retention.Recorded]:
    return [
        retention.Recorded(f"s{index}", NOW - dt.timedelta(days=days), index in in_use)
        for index, days in enumerate(days_ago)
    ]


TABLE = {
    "keep all": (retention.Policy(), listing(1, 2, 900), []),
    "nothing there": (retention.Policy(keep_last=0), [], []),
    "the newest two": (retention.Policy(keep_last=2), listing(3, 1, 2, 4), ["s3", "s0"]),
    "more than there are": (retention.Policy(keep_last=9), listing(3, 1), []),
    "none": (retention.Policy(keep_last=0), listing(1, 2), ["s1", "s0"]),
    "young ones": (retention.Policy(keep_days=2.5), listing(1, 2, 3), ["s2"]),
    "on the edge stays": (retention.Policy(keep_days=2), listing(2), []),
    "either rule keeps": (retention.Policy(keep_last=1, keep_days=2), listing(1, 1.5, 3, 4), ["s3", "s2"]),
    "the last one stays however old": (retention.Policy(keep_last=1, keep_days=2), listing(40, 50), ["s1"]),
    "in use stays": (retention.Policy(keep_last=0), listing(1, 2, 3, in_use=(1,)), ["s2", "s0"]),
    "in use counts": (retention.Policy(keep_last=1), listing(1, 2, in_use=(0,)), ["s1"]),
    "from the future": (retention.Policy(keep_days=1), listing(-3), []),
    "longer than time": (retention.Policy(keep_days=1e12), listing(900), []),
    "same time, by name": (retention.Policy(keep_last=1), listing(1, 1, 1), ["s0", "s1"]),
}


@pytest.mark.parametrize(("policy", "found", "expected"), TABLE.values(), ids=TABLE.keys())
def test_dropped(policy: retention.Policy, found: list[retention.Recorded], expected: list[str]) -> None:
    assert [item.name for item in retention.to_drop(policy, found, NOW)] == expected
    assert [item.name for item in retention.to_drop(policy, reversed(found), NOW)] == expected


def test_every_mistake_at_once() -> None:
    with pytest.raises(errors.InvalidInput) as caught:
        retention.Policy(keep_last=-1, keep_days=float("nan"))
    assert len(caught.value.problems) == 2
