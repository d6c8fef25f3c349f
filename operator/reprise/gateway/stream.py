"""An answer that goes out in pieces: it ends with its attempt, and a reader that stops reading is dropped."""

import asyncio
import hashlib
from collections.abc import Callable

from aiohttp import web

from reprise.gateway.session import Session

WRITE_TIMEOUT_SECONDS = 30.0
# Set by the server on each request: what to call when a stream opens; bytes that a stream has sent.
OPENED: web.RequestKey[Callable[[], None]] = web.RequestKey("opened")
SENT = web.RequestKey("sent", int)
# The digest of those bytes, which hashlib keeps as they go out.
HASHED: web.RequestKey["hashlib._Hash"] = web.RequestKey("hashed")
RESPONSE = web.RequestKey("response", web.StreamResponse)


class Stream:
    def __init__(self, request: web.Request, session: Session, content_type: str) -> None:
        self._request = request
        self._session = session
        self._response = web.StreamResponse(headers={"Content-Type": content_type})
        self.size = 0

    async def open(self) -> None:
        self._session.add_stream()
        self._request[SENT] = 0
        self._request[HASHED] = hashlib.sha256()
        self._request[RESPONSE] = self._response
        self._request[OPENED]()
        await self._response.prepare(self._request)

    async def write(self, data: bytes) -> None:
        """Send. Raises TimeoutError when the reader takes nothing for WRITE_TIMEOUT_SECONDS, and
        ConnectionError when it is gone."""
        async with asyncio.timeout(WRITE_TIMEOUT_SECONDS):
            await self._response.write(data)
        self.size += len(data)
        self._request[SENT] = self.size
        self._request[HASHED].update(data)

    @staticmethod
    def broken(request: web.Request) -> web.StreamResponse | None:
        """Cut the connection of a stream that failed halfway: there is no other way left to say so. Returns
        its response, None when the request has opened no stream."""
        response = request.get(RESPONSE)
        if response is not None and request.transport is not None:
            request.transport.abort()
        return response

    async def close(self) -> web.StreamResponse:
        await self._response.write_eof()
        return self._response
