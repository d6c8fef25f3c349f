"""What of the live suite runs when there is not time for all of it.

`make test` says with `REPRISE_TEST_UNTIL` (seconds since 1970) when no further live test is to begin: a
machine that had to build every image, or a slow one, still comes to an end. Tests marked `essential` come
first and run always; the other modules follow in an order that changes daily, so that all of them have
their turn.
"""

import os
import random
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from tests.live import daily

LIVE = Path(__file__).parent
UNTIL = "REPRISE_TEST_UNTIL"
OVER = "the time of `make test` is over; `make test-live` runs this"


def modules_in_order(essential: Iterable[str], others: Iterable[str], day: int) -> list[str]:
    """Names of modules: those with essential tests, then the others, shuffled by the day. Pure."""
    first = sorted(set(essential))
    rest = sorted(set(others) - set(first))
    random.Random(day).shuffle(rest)
    return first + rest


def order(items: list[pytest.Item], day: int = daily.TODAY) -> list[str]:
    """Sort the live tests among `items`, in place; returns the modules in their order."""
    if UNTIL not in os.environ:
        return []
    live = [item for item in items if LIVE in item.path.parents]
    modules = modules_in_order(
        (item.path.name for item in live if _essential(item)), (item.path.name for item in live), day
    )
    rank = {name: number for number, name in enumerate(modules)}
    elsewhere = [item for item in items if LIVE not in item.path.parents]
    items[:] = [*elsewhere, *sorted(live, key=lambda item: (rank[item.path.name], not _essential(item)))]
    return modules


def admit(item: pytest.Item) -> None:
    """Skip the test when it would begin too late."""
    if not _essential(item) and time.time() > float(os.environ.get(UNTIL, "inf")):
        # NB: pytest puts skips with the same words together; these say for each module how many are left.
        pytest.skip(f"{item.path.name}: {OVER}")


def _essential(item: pytest.Item) -> bool:
    return item.get_closest_marker("essential") is not None
