"""The time that a replay shows: it stands still at the end of the recording, or goes by until then."""

import asyncio
import datetime as dt
import time
from collections.abc import Callable


class Clock:
    """Call it for now (aware). A moving one begins at `begin` when it is made, and stops at `end`."""

    def __init__(
        self,
        begin: dt.datetime,
        end: dt.datetime,
        *,
        moving: bool,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._begin = min(begin, end)
        self._end = end
        self.moving = moving
        self._monotonic = monotonic
        self._started = monotonic()

    def __call__(self) -> dt.datetime:
        if not self.moving:
            return self._end
        passed = dt.timedelta(seconds=self._monotonic() - self._started)
        return min(self._end, self._begin + passed)

    async def reach(self, moment: dt.datetime) -> bool:
        """Wait until it is `moment`. False at once when that never comes."""
        if moment > self._end:
            return False
        # NB: once more when the loop's clock ran ahead of ours by a hair.
        while (left := (moment - self()).total_seconds()) > 0:  # noqa: ASYNC110 - time tells nobody
            await asyncio.sleep(left)
        return True
