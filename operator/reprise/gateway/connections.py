"""How many connections there may be, and whose.

A connection costs memory before anybody knows who it is. So those on which no request of an attempt has come
yet are few: when there are more, the oldest go, and whoever speaks soon enough is not among them. What an
attempt has open is counted for it alone.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence

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
    """Which connections belong to which attempt, as long as they are open. `attempt_uids` gives the attempts
    that there are.

    NB: neither aiohttp's protocols nor uvloop's transports can be held weakly, so what is closed is forgotten
    by `reap`.
    """

    def __init__(self, attempt_uids: Callable[[], Sequence[str]]) -> None:
        self._attempt_uids = attempt_uids
        self._owner: dict[web.RequestHandler, str] = {}
        self._count: Counter[str] = Counter()

    def admit(self, request: web.Request, attempt_uid: str) -> bool:
        """Note that the attempt speaks on the request's connection. False when it has too many others; then
        the connection should not be kept."""
        connection = request.protocol
        if self._owner.get(connection) == attempt_uid:
            return True
        if self._count[attempt_uid] >= MAX_OF_ATTEMPT:
            return False
        if request.transport is not None:
            request.transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        self._count[self._owner.pop(connection, "")] -= 1
        self._count[attempt_uid] += 1
        self._owner[connection] = attempt_uid
        return True

    def excess(self, open_connections: Sequence[web.RequestHandler]) -> list[web.RequestHandler]:
        """Those to close, of all that are open, the oldest first. What is not open is forgotten."""
        is_open, there = set(open_connections), set(self._attempt_uids())
        self._owner = {one: uid for one, uid in self._owner.items() if one in is_open and uid in there}
        self._count = Counter(self._owner.values())
        unknown = [one for one in open_connections if one not in self._owner]
        return unknown[: max(0, len(unknown) - MAX_UNKNOWN)]

    async def reap(self, server: web.Server) -> None:
        """Close what is too much, until cancelled."""
        while True:
            await asyncio.sleep(REAP_SECONDS)
            closed = self.excess(server.connections)
            for one in closed:
                if one.transport is not None:
                    one.transport.abort()
            if closed:
                log.warning("closed %d connections on which no attempt has spoken", len(closed))
