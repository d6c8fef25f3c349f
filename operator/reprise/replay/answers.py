"""Answers in the form in which the gateway reads those of an API server."""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, Self

from reprise.adapters import kube
from reprise.domain.access import ApiPath
from reprise.gateway import reply

Json = dict[str, Any]
JSON = "application/json"


def dump(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


class Failure(Exception):
    """An answer that is no success, carried to where answers are made. Never leaves this package."""

    def __init__(self, code: int, message: str, reason: str = "", details: Json | None = None) -> None:
        super().__init__(message)
        body = reply.status_body(code, message, reason)
        if details is not None:
            # The code comes last, as the API server has it.
            body = {**body, "details": details, "code": body.pop("code")}
        self.response = kube.Response(code, JSON, dump(body))


def not_found(path: ApiPath) -> Failure:
    """Word for word what the API server says of an object that does not exist."""
    kind = f"{path.resource}.{path.group}" if path.group else path.resource
    details = {"name": path.name, **({"group": path.group} if path.group else {}), "kind": path.resource}
    return Failure(404, f'{kind} "{path.name}" not found', details=details)


def no_resource() -> Failure:
    return Failure(404, "the server could not find the requested resource", details={})


async def once(body: bytes) -> AsyncGenerator[bytes, None]:
    if body:
        yield body


class Stream:
    """An answer that comes in pieces, with what is used of aiohttp's."""

    def __init__(self, status: int, parts: AsyncGenerator[bytes, None]) -> None:
        self.status = status
        self._parts = parts

    @classmethod
    def of(cls, response: kube.Response) -> Self:
        return cls(response.status, once(response.body))

    @property
    def content(self) -> Self:
        return self

    def iter_any(self) -> AsyncIterator[bytes]:
        return self._parts

    async def read(self) -> bytes:
        return b"".join([part async for part in self._parts])

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._parts.aclose()
