"""An answer that goes out in pieces: it ends with its attempt, and a reader that stops reading is dropped."""

import asyncio
from collections.abc import Callable

from aiohttp import web

from reprise.gateway.session import Session

WRITE_TIMEOUT_SECONDS = 30.0
# Set by the server on each request: what to call when a stream opens; bytes that a stream has sent.
OPENED: web.RequestKey[Callable[[], None]] = web.RequestKey("opened")
SENT = web.RequestKey("sent", int)


class Stream:
    def __init__(self, request: web.Request, session: Session, content_type: str) -> None:
        self._request = request
        self._session = session
        self._response = web.StreamResponse(headers={"Content-Type": content_type})
        self.size = 0

    async def open(self) -> None:
        self._session.add_stream()
        self._request[SENT] = 0
        self._request[OPENED]()
        await self._response.prepare(self._request)

    async def write(self, data: bytes) -> None:
        """Send. Raises TimeoutError when the reader takes nothing for WRITE_TIMEOUT_SECONDS, and
        ConnectionError when it is gone."""
        async with asyncio.timeout(WRITE_TIMEOUT_SECONDS):
            await self._response.write(data)
        self.size += len(data)
        self._request[SENT] = self.size

    async def close(self) -> web.StreamResponse:
        await self._response.write_eof()
        return self._response
