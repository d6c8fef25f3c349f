"""How long a recording waits for a backend that does not answer: a few tries, a bounded time in all."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from reprise.domain import errors

T = TypeVar("T")
SECONDS = 20.0
FIRST_DELAY_SECONDS = 0.25


class Patience:
    """A budget of waiting that is shared by everything that asks the same backend.

    What is spent on one failing part is gone for the next: a backend that is down costs the budget once, not
    once a resource.
    """

    def __init__(self, seconds: float = SECONDS) -> None:
        self._left = seconds

    async def attempt(self, work: Callable[[], Awaitable[T]]) -> T:
        """The outcome of `work`, which is called again after errors that may pass (Unreachable, Conflict).

        Raises its last error when the budget is used up, and other errors at once.
        """
        delay = FIRST_DELAY_SECONDS
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            try:
                return await work()
            except errors.RepriseError as exc:
                self._left -= clock() - began
                if not exc.retryable or self._left < delay:
                    raise
            self._left -= delay
            await asyncio.sleep(delay)
            delay *= 2


async def patiently(call: Callable[[], Awaitable[T]], seconds: float) -> T:
    """The answer of `call` with a patience of its own: see `Patience.attempt`."""
    return await Patience(seconds).attempt(call)
