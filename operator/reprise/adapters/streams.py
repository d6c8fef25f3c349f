"""Answers that are read as they come, bounded in size."""

from collections.abc import AsyncIterator
from typing import Any, Protocol

import aiohttp

from reprise.domain import errors

# Enough for every schema and for thousands of pods.
MAX_BODY_BYTES = 16 * 1024 * 1024
MAX_LINE_BYTES = 4 * 1024 * 1024
CONNECT_SECONDS = 5.0


class Content(Protocol):
    """A body that comes in pieces."""

    def iter_any(self) -> AsyncIterator[bytes]: ...


class Opened(Protocol):
    """An answer whose body is not read yet: what is used of aiohttp's."""

    @property
    def status(self) -> int: ...

    @property
    def content(self) -> Content: ...

    async def read(self) -> bytes: ...

    async def __aenter__(self) -> Any: ...

    async def __aexit__(self, *exc_info: Any) -> None: ...


async def read_capped(response: Opened, limit: int = MAX_BODY_BYTES) -> bytes:
    """The body. Raises Refused when it is longer than `limit` bytes, Unreachable when it breaks off."""
    parts: list[bytes] = []
    size = 0
    try:
        async for part in response.content.iter_any():
            size += len(part)
            if size > limit:
                raise errors.Refused(f"expected an answer of at most {limit} bytes; ask for less at a time")
            parts.append(part)
    except (aiohttp.ClientError, TimeoutError, OSError) as exc:
        raise errors.Unreachable(f"the answer broke off: {exc!r}") from exc
    return b"".join(parts)


async def get_capped(
    http: aiohttp.ClientSession, url: str, query: list[tuple[str, str]], seconds: float, who: str
) -> tuple[int, bytes]:
    """Status and body of a GET. Raises Unreachable, which says `who` did not answer within so many seconds,
    and Refused as `read_capped` does."""
    timeout = aiohttp.ClientTimeout(total=seconds, connect=min(seconds, CONNECT_SECONDS))
    try:
        async with http.get(url, params=query, timeout=timeout) as response:
            return response.status, await read_capped(response)
    except (aiohttp.ClientError, TimeoutError, OSError) as exc:
        raise errors.Unreachable(f"{who} did not answer: {exc!r}") from exc


async def batches(response: Opened, limit: int = MAX_LINE_BYTES) -> AsyncIterator[list[bytes]]:
    """The lines of a stream as they come, each with its end, those that came together in one list. A line
    beyond `limit` bytes comes in pieces. Raises Unreachable when the stream breaks off.
    """
    rest = b""
    try:
        async for part in response.content.iter_any():
            *whole, rest = (rest + part).split(b"\n")
            if whole:
                yield [line + b"\n" for line in whole]
            if len(rest) > limit:
                yield [rest]
                rest = b""
    except (aiohttp.ClientError, TimeoutError, OSError) as exc:
        raise errors.Unreachable(f"the stream broke off: {exc!r}") from exc
    if rest:
        yield [rest]


async def whole_lines(response: Opened) -> AsyncIterator[list[bytes]]:
    """As `batches`, without the lines that come in pieces: nobody can judge half a line."""
    is_piece = False
    async for batch in batches(response):
        was_piece, is_piece = is_piece, not batch[-1].endswith(b"\n") and len(batch[-1]) > MAX_LINE_BYTES
        yield batch[was_piece : len(batch) - is_piece]


async def lines(response: Opened) -> AsyncIterator[bytes]:
    """The lines of a stream, one by one. Raises Unreachable when it breaks off."""
    async for batch in batches(response):
        for line in batch:
            yield line
