"""A kept-alive HTTP/1.1 connection that costs the measuring side little, and load of many of them.

Clients made for comfort take longer to read an answer's head than some of the servers to write it.
"""

import asyncio
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

# What kubectl asks for, so that the server prints the table.
TABLE = (
    "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,"
    "application/json"
)
_BUFFER_BYTES = 8 << 20


@dataclass(frozen=True)
class Place:
    """Where to ask, and as whom."""

    url: str
    tls: ssl.SSLContext | None = None
    token: str = ""

    def request(self, path: str, accept: str = TABLE, encoding: str = "gzip") -> bytes:
        """A GET, as bytes. Answers are read, not unpacked: kubectl, too, asks for gzip."""
        lines = [f"GET {path} HTTP/1.1", f"Host: {urlsplit(self.url).netloc}", f"Accept: {accept}"]
        if self.token:
            lines.append(f"Authorization: Bearer {self.token}")
        return "\r\n".join([*lines, f"Accept-Encoding: {encoding}", "", ""]).encode()


@dataclass
class Load:
    """What a load has given: milliseconds of every request, and seconds in all."""

    seconds: float = 0.0
    millis: list[float] = field(default_factory=list)

    @property
    def a_second(self) -> float:
        return len(self.millis) / self.seconds


class Connection:
    """Use as an async context manager. One request at a time."""

    def __init__(self, place: Place) -> None:
        self._place = place

    async def __aenter__(self) -> "Connection":
        parts = urlsplit(self._place.url)
        self._reader, self._writer = await asyncio.open_connection(
            parts.hostname, parts.port, ssl=self._place.tls, limit=_BUFFER_BYTES
        )
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._writer.close()

    async def ask(self, request: bytes) -> tuple[float, bytes]:
        """Milliseconds until the whole answer is here, and its body. Raises RuntimeError unless it is 200."""
        begun = time.perf_counter()
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        body = await self._body(head.lower())
        elapsed = (time.perf_counter() - begun) * 1000
        if head.split(b" ", 2)[1] != b"200":
            raise RuntimeError(f"expected 200, found {head[:80]!r}: {body[:300]!r}")
        return elapsed, body

    async def open_stream(self, request: bytes) -> int:
        """Send a request whose answer does not end; its status. `read_on` reads what comes."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        return int(head.split(b" ", 2)[1])

    async def read_on(self) -> None:
        """Read until cancelled, or until the server ends it."""
        while await self._reader.read(65536):
            pass

    async def _body(self, head: bytes) -> bytes:
        if b"transfer-encoding: chunked" in head:
            parts = []
            while size := int(await self._reader.readuntil(b"\r\n"), 16):
                parts.append(await self._reader.readexactly(size))
                await self._reader.readexactly(2)
            await self._reader.readexactly(2)
            return b"".join(parts)
        _, found, rest = head.partition(b"content-length:")
        return await self._reader.readexactly(int(rest.partition(b"\r\n")[0])) if found else b""


async def once(place: Place, path: str, accept: str = TABLE) -> bytes:
    """One answer's body, unpacked, over a connection of its own."""
    async with Connection(place) as connection:
        return (await connection.ask(place.request(path, accept, "identity")))[1]


async def hammer(places: Sequence[Place], path: str, seconds: float) -> Load:
    """Ask over one connection a place, each again as soon as it is answered."""
    load = Load()
    connections = [Connection(place) for place in places]
    try:
        for connection in connections:
            await connection.__aenter__()
        begun = time.perf_counter()

        async def work(connection: Connection, request: bytes) -> None:
            while time.perf_counter() - begun < seconds:
                load.millis.append((await connection.ask(request))[0])

        async with asyncio.TaskGroup() as group:
            for place, connection in zip(places, connections, strict=True):
                group.create_task(work(connection, place.request(path)))
        load.seconds = time.perf_counter() - begun
    finally:
        for connection in connections:
            if hasattr(connection, "_writer"):
                await connection.__aexit__()
    return load
