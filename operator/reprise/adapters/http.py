"""What the adapters of HTTP query APIs share: one lazily opened session, its headers and its TLS."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import aiohttp


class HttpApi:
    """One server. Use it as an async context manager or close it with `close()`.

    base_url: with any path prefix, such as an API-server proxy's. `session` is used and left open when given.
    `headers` and `ssl_context` go with every request.
    """

    def __init__(
        self,
        base_url: str,
        session: aiohttp.ClientSession | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._base = base_url.rstrip("/")
        self._session = session
        self._own = session is None
        self._headers = dict(headers or {})
        self._ssl = ssl_context

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the session, unless it was given."""
        if self._own and self._session is not None:
            await self._session.close()
            self._session = None

    def _open(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | Sequence[tuple[str, str]] | None,
        timeout_seconds: float,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """One request, to be entered with `async with`; parameters go into the URL, or into a POST's form,
        in whose place a POST may have a `body`."""
        if self._session is None:
            self._session = aiohttp.ClientSession()
        return self._session.request(
            method,
            self._base + path,
            params=params if method == "GET" else None,
            data=(body or params) if method == "POST" else None,
            headers={**self._headers, **(headers or {})},
            ssl=self._ssl if self._ssl is not None else True,
            timeout=aiohttp.ClientTimeout(total=timeout_seconds),
        )
