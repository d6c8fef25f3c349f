"""Which recorded snapshots may be dropped. Pure: the listing and the time are given."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from reprise.domain import errors


@dataclass(frozen=True)
class Policy:
    """What is kept: the newest `keep_last`, and all that is younger than `keep_days` days.

    A rule that is None keeps nothing by itself; with neither, everything is kept. Raises InvalidInput for
    negative numbers.
    """

    keep_last: int | None = None
    keep_days: float | None = None

    def __post_init__(self) -> None:
        problems = [
            f"{name}: expected 0 or more, found {value}"
            for name, value in (("keepLast", self.keep_last), ("keepDays", self.keep_days))
            if value is not None and not value >= 0
        ]
        if problems:
            raise errors.InvalidInput(problems)


@dataclass(frozen=True)
class Recorded:
    """A snapshot that is there. `in_use`: a run, an attempt or a replay still needs it."""

    name: str
    recorded_at: dt.datetime
    in_use: bool


def to_drop(policy: Policy, listing: Iterable[Recorded], now: dt.datetime) -> tuple[Recorded, ...]:
    """What the policy does not keep, oldest first. What is in use stays, and counts among the newest.

    Snapshots of the same time are ordered by name, so that two calls agree.
    """
    if policy.keep_last is None and policy.keep_days is None:
        return ()
    newest = sorted(listing, key=lambda item: (item.recorded_at, item.name), reverse=True)
    kept_last = policy.keep_last or 0
    # NB: so many days that no time lies before them are "all".
    since = None
    if policy.keep_days is not None:
        try:
            since = now - dt.timedelta(days=policy.keep_days)
        except OverflowError:
            return ()
    dropped = [
        item
        for place, item in enumerate(newest)
        if place >= kept_last and not item.in_use and (since is None or item.recorded_at < since)
    ]
    return tuple(reversed(dropped))
