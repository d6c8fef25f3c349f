"""A backend that restarts while it is being read is waited for, but not for long."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from reprise.domain import errors

_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 2.0
T = TypeVar("T")


async def patiently(call: Callable[[], Awaitable[T]], seconds: float) -> T:
    """The answer of `call`, repeated while it raises Unreachable; its last error once `seconds` are over."""
    clock = asyncio.get_running_loop().time
    until = clock() + seconds
    pause = _FIRST_PAUSE_SECONDS
    while True:
        try:
            return await call()
        except errors.Unreachable:
            if (left := until - clock()) <= 0:
                raise
        # Nothing tells when a server listens again, so it is asked, less and less often.
        await asyncio.sleep(min(pause, left))
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
