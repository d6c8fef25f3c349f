"""How much of what others answered is held at once, and where large answers are worked on.

An attempt may ask for as much as it likes, many times at a time. What is held of it stays bounded, and nobody
else waits until it is read.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from reprise.gateway.session import Session
from reprise.gateway.upstream import MAX_READS

# More than the lists of a namespace have.
LARGE_BYTES = 1024 * 1024
# As values, a document takes about ten times its bytes. Of these, so many that are worth counting are kept.
MAX_KEPT = 3
T = TypeVar("T")


class Aside:
    """One for each system behind the gateway."""

    def __init__(self) -> None:
        self._reading = asyncio.Semaphore(MAX_READS)
        self._large = asyncio.Lock()
        # Held while what was read is kept as values, until there is an answer.
        self.keeping = asyncio.Semaphore(MAX_KEPT)

    @contextlib.asynccontextmanager
    async def holding(self, session: Session) -> AsyncIterator[None]:
        """While an answer is read and not yet made smaller, which is the most that a request holds: few at a
        time, and fewer of one attempt."""
        async with session.pages, self._reading:
            yield

    async def work(self, body: bytes, make: Callable[[], T]) -> T:
        """What `make` makes of `body`. Large ones are worked on beside everybody else's requests, one at a
        time."""
        if len(body) <= LARGE_BYTES:
            return make()
        async with self._large:
            return await asyncio.to_thread(make)
