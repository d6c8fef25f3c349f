"""Reads from the systems behind the gateway, bounded in size and time."""

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol, Self

from kubernetes.aio import client

from reprise.adapters import kube
from reprise.adapters.streams import Opened, read_capped

# So many answers of MAX_BODY_BYTES at a time fit into the memory limit.
MAX_READS = 8


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
    """The API server, with a bound on how much of it is held at once."""

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

    async def read(
        self,
        path: str,
        query: Sequence[tuple[str, str]] = (),
        accept: str = "application/json",
    ) -> kube.Response:
        """A GET, read whole. Raises Unreachable, and Refused when it is larger than
        streams.MAX_BODY_BYTES."""
        async with self._reads, await self.open(path, query, accept) as response:
            body = await read_capped(response)
        return kube.Response(response.status, response.headers.get("Content-Type", ""), body)
