"""How many connections there may be, and whose.

A connection costs memory before anybody knows who it is. So those on which no request of an attempt has come
yet are few: when there are more, the oldest go, and whoever speaks soon enough is not among them. What an
attempt has open is counted for it alone.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from weakref import WeakKeyDictionary, WeakSet

from aiohttp import web

log = logging.getLogger(__name__)
MAX_UNKNOWN = 256
# An attempt's requests in flight, and as many connections that are kept for the next ones.
MAX_OF_ATTEMPT = 128
REAP_SECONDS = 1.0
# Of an answer that waits for its reader; asyncio's own bound for TLS is 512 KiB.
WRITE_BUFFER_BYTES = 64 * 1024
HANDSHAKE_SECONDS = 15.0


CONNECTIONS: "web.AppKey[Connections]" = web.AppKey("connections")


class Connections:
    """Which connections belong to which attempt. Holds on to none of them. `attempt_uids` gives the attempts
    that there are."""

    def __init__(self, attempt_uids: Callable[[], Sequence[str]]) -> None:
        self._attempt_uids = attempt_uids
        self._owner: WeakKeyDictionary[asyncio.Transport, str] = WeakKeyDictionary()
        self._of: dict[str, WeakSet[asyncio.Transport]] = {}

    def admit(self, request: web.Request, attempt_uid: str) -> bool:
        """Note that the attempt speaks on the request's connection. False when it has too many others; then
        the connection should not be kept."""
        connection = request.transport
        if connection is None or self._owner.get(connection) == attempt_uid:
            return True
        found = self._of.setdefault(attempt_uid, WeakSet())
        if len(found) >= MAX_OF_ATTEMPT:
            return False
        connection.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        self._owner[connection] = attempt_uid
        found.add(connection)
        return True

    def excess(self, open_connections: Sequence[asyncio.Transport]) -> list[asyncio.Transport]:
        """Those to close, of all that are open, the oldest first. What is not open is forgotten.

        NB: no transport of asyncio's TLS can be asked: one that is lost says that it is not closing.
        """
        for uid in set(self._of) - set(self._attempt_uids()):
            del self._of[uid]
        for found in self._of.values():
            found.intersection_update(open_connections)
        unknown = [one for one in open_connections if one not in self._owner]
        return unknown[: max(0, len(unknown) - MAX_UNKNOWN)]

    async def reap(self, server: web.Server) -> None:
        """Close what is too much, until cancelled."""
        while True:
            await asyncio.sleep(REAP_SECONDS)
            handlers = server.connections
            closed = self.excess([one.transport for one in handlers if one.transport is not None])
            for one in closed:
                one.abort()
            if closed:
                log.warning("closed %d connections on which no attempt has spoken", len(closed))
