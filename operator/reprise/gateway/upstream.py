"""Reads from the systems behind the gateway, bounded in size and time."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Protocol, Self
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio import client

from reprise.adapters import kube
from reprise.domain import errors

# Enough for every schema and for thousands of pods; so many of them at a time fit into the memory limit.
MAX_BODY_BYTES = 16 * 1024 * 1024
MAX_READS = 8


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


class Source(Protocol):
    """What the gateway asks of an API server; a recorded one answers the same questions."""

    async def open(
        self,
        path: str,
        query: Sequence[tuple[str, str]] = (),
        accept: str = "application/json",
        timeout_seconds: float = kube.REQUEST_TIMEOUT_SECONDS,
    ) -> Opened: ...

    async def read(
        self, path: str, query: Sequence[tuple[str, str]] = (), accept: str = "application/json"
    ) -> kube.Response: ...

    async def request(self, method: str, path: str, **options: Any) -> kube.Json: ...

    def version_of(self, path: str) -> str | None:
        """Changes with every answer that may be given for `path`; None when nobody can tell."""


class Upstream(kube.Kube):
    """The API server, with answers that can be read as they come."""

    def __init__(self, api: client.ApiClient) -> None:
        super().__init__(api)
        self._reads = asyncio.Semaphore(MAX_READS)

    @classmethod
    async def reach(cls, kubeconfig: str | None = None) -> Self:
        """Connect as `Kube.connect` does."""
        found = await cls.connect(kubeconfig)
        assert isinstance(found, cls)  # noqa: S101 - connect() makes what it is called on
        return found

    async def __aenter__(self) -> Self:
        return self

    def version_of(self, path: str) -> str | None:
        """A live cluster changes at any time."""
        return None

    async def open(
        self,
        path: str,
        query: Sequence[tuple[str, str]] = (),
        accept: str = "application/json",
        timeout_seconds: float = kube.REQUEST_TIMEOUT_SECONDS,
    ) -> aiohttp.ClientResponse:
        """A GET whose body is not read yet; the caller closes it. Raises Unreachable.

        The answer is asked for uncompressed: packing and unpacking on one machine costs more than it saves.
        """
        request = await self._api.param_serialize(
            "GET",
            path + (f"?{urlencode(query)}" if query else ""),
            header_params={"Accept": accept, "Accept-Encoding": "identity"},
            auth_settings=["BearerToken"],
        )
        timeout = aiohttp.ClientTimeout(total=timeout_seconds, connect=5)
        try:
            answer = await self._api.call_api(*request, _request_timeout=timeout)
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            raise errors.Unreachable(f"GET {path}: the API server did not answer: {exc!r}") from exc
        response: aiohttp.ClientResponse = answer.response
        return response

    async def read(
        self,
        path: str,
        query: Sequence[tuple[str, str]] = (),
        accept: str = "application/json",
    ) -> kube.Response:
        """A GET, read whole. Raises Unreachable, and Refused when it is larger than MAX_BODY_BYTES."""
        async with self._reads, await self.open(path, query, accept) as response:
            body = await read_capped(response)
        return kube.Response(response.status, response.headers.get("Content-Type", ""), body)


async def read_capped(response: aiohttp.ClientResponse, limit: int = MAX_BODY_BYTES) -> bytes:
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


async def batches(response: Opened, limit: int = 4 * 1024 * 1024) -> AsyncIterator[list[bytes]]:
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


async def lines(response: Opened) -> AsyncIterator[bytes]:
    """The lines of a stream, one by one. Raises Unreachable when it breaks off."""
    async for batch in batches(response):
        for line in batch:
            yield line
