"""Sending an answer that is finished, to a reader that may not want it.

aiohttp hands a whole body to the connection and takes it as sent; over TLS all of it then lies in memory
until the reader has it, and nobody counts it. So what is long goes out in pieces here, while the request
still counts against its attempt, and a reader that takes nothing is dropped.
"""

import asyncio

from aiohttp import web

from reprise.gateway import stream
from reprise.gateway.session import Session

PIECE_BYTES = 64 * 1024
# Answers of one attempt that are on their way, together.
MAX_UNSENT_BYTES = 32 * 1024 * 1024


def size_of(response: web.StreamResponse) -> int:
    """Of the body, in bytes; 0 for a stream, which has sent what it had."""
    body = response.body if isinstance(response, web.Response) else None
    return len(body) if isinstance(body, bytes) else 0


def has_room(session: Session, response: web.StreamResponse) -> bool:
    """Whether the attempt may have this answer before it has read its others. One is always sent."""
    return not session.unsent_bytes or session.unsent_bytes + size_of(response) <= MAX_UNSENT_BYTES


async def deliver(request: web.Request, session: Session, response: web.StreamResponse) -> web.StreamResponse:
    """Send what is long. Returns the response that aiohttp has to finish, which is `response` when it is
    short. Raises ConnectionError when the reader is gone, or has taken nothing for WRITE_TIMEOUT_SECONDS."""
    size = size_of(response)
    if size <= PIECE_BYTES or not isinstance(response, web.Response):
        return response
    body = memoryview(response.body)  # type: ignore[arg-type]  # size_of: these are bytes
    sent = web.StreamResponse(status=response.status, headers=response.headers)
    sent.content_length = size
    session.unsent_bytes += size
    try:
        await sent.prepare(request)
        for begin in range(0, size, PIECE_BYTES):
            async with asyncio.timeout(stream.WRITE_TIMEOUT_SECONDS):
                await sent.write(body[begin : begin + PIECE_BYTES])
        await sent.write_eof()
    except TimeoutError as exc:
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionError("expected a reader that reads, found none") from exc
    finally:
        session.unsent_bytes -= size
    return sent
