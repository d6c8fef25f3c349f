"""What is too much for one run of the suite: some of it each day, all of it within days.

The whole suite has to fit into an hour and a half on two cores; budget.py cares for machines that are slow or
have every image to build. `REPRISE_TEST_ALL=1` takes everything.
"""

import datetime as dt
import os
import random
from collections.abc import Iterable

ALL = os.environ.get("REPRISE_TEST_ALL") == "1"
TODAY = dt.datetime.now(dt.UTC).date().toordinal()


def some(cases: Iterable[str], count: int) -> list[str]:
    """So many of the cases, the same all day; all of them when all are asked for."""
    ordered = sorted(cases)
    if ALL:
        return ordered
    return sorted(random.Random(TODAY).sample(ordered, min(count, len(ordered))))
