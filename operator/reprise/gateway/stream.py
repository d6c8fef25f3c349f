"""An answer that goes out in pieces: it ends with its attempt, and a reader that stops reading is dropped."""

import asyncio
import hashlib
from collections.abc import Callable

from aiohttp import web

from reprise.domain import errors
from reprise.gateway.session import Session

WRITE_TIMEOUT_SECONDS = 30.0
# Set by the server on each request: what to call when a stream opens; bytes that a stream has sent.
OPENED: web.RequestKey[Callable[[], None]] = web.RequestKey("opened")
SENT = web.RequestKey("sent", int)
# The digest of those bytes, which hashlib keeps as they go out.
HASHED: web.RequestKey["hashlib._Hash"] = web.RequestKey("hashed")
RESPONSE = web.RequestKey("response", web.StreamResponse)
# Set on a request that is answered in process: at most how many bytes of a stream to collect.
COLLECT = web.RequestKey("collect", int)


class Stream:
    def __init__(self, request: web.Request, session: Session, content_type: str) -> None:
        self._request = request
        self._session = session
        self._response = web.StreamResponse(headers={"Content-Type": content_type})
        self._collected: bytearray | None = bytearray() if COLLECT in request else None
        self.size = 0

    async def open(self) -> None:
        if self._collected is not None:
            return
        self._session.add_stream()
        self._request[SENT] = 0
        self._request[HASHED] = hashlib.sha256()
        self._request[RESPONSE] = self._response
        self._request[OPENED]()
        await self._response.prepare(self._request)

    async def write(self, data: bytes) -> None:
        """Send. Raises TimeoutError when the reader takes nothing for WRITE_TIMEOUT_SECONDS,
        ConnectionError when it is gone, and Refused when more comes than is to be collected."""
        if self._collected is not None:
            if self.size + len(data) > self._request[COLLECT]:
                raise errors.Refused(f"expected at most {self._request[COLLECT]} bytes; ask for less")
            self._collected += data
            self.size += len(data)
            return
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
        if self._collected is not None:
            return web.Response(body=bytes(self._collected), headers=self._response.headers)
        await self._response.write_eof()
        return self._response
