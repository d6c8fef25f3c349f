"""Clients that mean harm, or cannot do better: the gateway stays within its memory, and serves the others."""

import asyncio
import contextlib
import gzip
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest
from tests.contract.abuse import (
    ACCOMPLICE_TOKEN,
    HUGE,
    HUGE_COUNT,
    WAIT_SECONDS,
    Gate,
    Hoard,
    gateway,
    memory_limit_bytes,
)
from tests.contract.gateway_fakes import ANSWER, OTHER_TOKEN, PODS, TOKEN
from tests.contract.gateway_mcp import ACCEPT

from reprise.gateway import connections, server

TOOL_CALLS = 12
AUTHORIZED = f"Host: door\r\nAuthorization: Bearer {TOKEN}\r\n"


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Gate]:
    async with gateway(tmp_path, Hoard()) as made:
        yield made


async def read_nothing(gate: Gate, stack: AsyncExitStack) -> None:
    """Huge lists on more connections than an attempt may have, and nobody who reads them."""
    for _ in range(connections.MAX_OF_ATTEMPT + 30):
        caller = await gate.connect(f"GET {HUGE} HTTP/1.1\r\n{AUTHORIZED}\r\n".encode())
        stack.callback(caller.transport.abort)


async def read_many_at_once(gate: Gate, stack: AsyncExitStack) -> None:
    """As many huge lists as an attempt may ask for at a time, each of them read to its end."""
    async with gate.client(connections=server.MAX_IN_FLIGHT) as http:

        async def ask() -> tuple[int, int]:
            async with http.get(HUGE) as answer:
                body = await answer.read()
                return answer.status, body.count(b'"uid"')

        found = await asyncio.gather(*(ask() for _ in range(server.MAX_IN_FLIGHT)))
    assert {status for status, _ in found} <= {200, 429}
    assert (200, HUGE_COUNT) in found


async def query_much_at_once(gate: Gate, stack: AsyncExitStack) -> None:
    """As many of the largest answers of Prometheus and Jaeger as an attempt may ask for at a time."""
    paths = ("/prometheus/api/v1/query_range?query=up&step=5", "/jaeger/api/traces?service=cart&limit=500")
    async with gate.client(connections=server.MAX_IN_FLIGHT) as http:

        async def ask(number: int) -> tuple[int, int]:
            async with http.get(paths[number % 2]) as answer:
                size = 0
                async for part in answer.content.iter_any():
                    size += len(part)
                return answer.status, size

        found = await asyncio.gather(*(ask(number) for number in range(server.MAX_IN_FLIGHT)))
    assert {status for status, _ in found} <= {200, 429}
    assert sum(status == 200 and size > 10_000_000 for status, size in found) > 1


async def use_tools_at_once(gate: Gate, stack: AsyncExitStack) -> None:
    """Calls of tools of two attempts, each of which reads as much as a tool does: a gigabyte as values."""
    tools = (
        ("query_metrics_range", {"query": "half", "max_points": 500}),
        ("search_traces", {"service": "half"}),
        ("trace_errors", {"service": "half"}),
        ("query_metrics_range", {"query": "half"}),
    )

    async def ask(http: aiohttp.ClientSession, number: int) -> str:
        name, arguments = tools[number % len(tools)]
        params = {"name": name, "arguments": arguments}
        message = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}
        async with http.post("/mcp", json=message, headers=ACCEPT) as answer:
            if answer.status != 200:
                return f"{answer.status}: {await answer.text()}"
            result = (await answer.json())["result"]
            return str(result["content"][0]["text"]) if result.get("isError") else "told"

    clients = [
        await stack.enter_async_context(gate.client(token, connections=server.MAX_IN_FLIGHT))
        for token in (TOKEN, ACCOMPLICE_TOKEN)
    ]
    found = await asyncio.gather(*(ask(http, number) for http in clients for number in range(TOOL_CALLS)))
    assert set(found) == {"told"}


async def trickle(gate: Gate, stack: AsyncExitStack) -> None:
    """Connections on which a request never comes to its end. All but the youngest are closed."""
    opened = []
    for _ in range(2 * connections.MAX_UNKNOWN + 50):
        opened.append(await gate.connect(b"GET / HTTP/1.1\r\nX-A: ", reads=True))
        stack.callback(opened[-1].transport.abort)
    async with asyncio.timeout(WAIT_SECONDS):
        while sum(not one.is_lost.is_set() for one in opened) > connections.MAX_UNKNOWN:
            for one in opened:
                await one.say(b"a")
            await asyncio.sleep(0.5)


async def answered(gate: Gate, *parts: bytes) -> bytes:
    """The first line that comes back, b"" when the connection is closed before it."""
    caller = await gate.connect(reads=True)
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            for part in parts:
                await caller.say(part)
            await caller.has_line.wait()
        return bytes(caller.heard).partition(b"\n")[0]
    finally:
        caller.transport.abort()


async def huge_headers_and_bodies(gate: Gate, stack: AsyncExitStack) -> None:
    submit = f"POST /submit HTTP/1.1\r\n{AUTHORIZED}Content-Type: application/json\r\n"
    bomb = gzip.compress(bytes(300 * 1024 * 1024))
    compressed = f"{submit}Content-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n".encode()
    chunks = [b"10000\r\n" + b"x" * 65536 + b"\r\n"] * 64
    cases = {
        "a header of 8 MB": [f"GET /api HTTP/1.1\r\n{AUTHORIZED}X-A: ".encode(), *[b"x" * 65536] * 128],
        "a line of 8 MB": [b"GET /" + b"x" * 65536, *[b"x" * 65536] * 128],
        "100,000 headers": [f"GET /api HTTP/1.1\r\n{AUTHORIZED}".encode(), *[b"X-A: b\r\n" * 1000] * 100],
        "a body of 1 TB": [f"{submit}Content-Length: {10**12}\r\n\r\n".encode(), *[b"x" * 65536] * 64],
        "a body without end": [f"{submit}Transfer-Encoding: chunked\r\n\r\n".encode(), *chunks],
        "300 MB of zeros, compressed": [compressed, bomb],
    }
    for name, parts in cases.items():
        line = await answered(gate, *parts)
        assert line == b"" or line.split(b" ")[1].startswith(b"4"), f"{name}: {line!r}"


async def no_http_and_no_tls(gate: Gate, stack: AsyncExitStack) -> None:
    """Bytes to the port that are no TLS, and bytes inside of TLS that are no HTTP."""
    plain = (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + os.urandom(512), os.urandom(4096), b"\x00")
    for number in range(200):
        caller = await gate.connect(plain[number % len(plain)], tls=False, reads=True)
        stack.callback(caller.transport.abort)
    inside = (
        os.urandom(512),
        b"GET\r\n\r\n",
        b"\r\n" * 500,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/9\r\n\r\n",
    )
    for part in inside:
        line = await answered(gate, part, b"\r\n\r\nGET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert line == b"" or line.startswith(b"HTTP/1."), line
    line = await answered(gate, b"GET /api HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \xff\r\n\r\n")
    assert line.startswith(b"HTTP/1.1 401"), line


async def pipeline(gate: Gate, stack: AsyncExitStack) -> None:
    """A hundred thousand requests on each of a few connections, none with a token, no answer read."""
    for _ in range(10):
        caller = await gate.connect()
        stack.callback(caller.transport.abort)
        # The connection takes no more at some point: that is what is hoped for.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2):
                for _ in range(100):
                    await caller.say(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 1000)


async def watch_without_end(gate: Gate, stack: AsyncExitStack) -> None:
    """Two thousand watches of one attempt: it gets as many as it may have, and may still submit."""
    http = await stack.enter_async_context(gate.client(connections=server.MAX_STREAMS + 8))
    statuses: list[int] = []

    async def ask() -> None:
        answer = await http.get(PODS, params={"watch": "true"})
        statuses.append(answer.status)
        if answer.status == 200:
            stack.callback(answer.close)
        else:
            await answer.read()

    await asyncio.gather(*(ask() for _ in range(2000)))
    assert sorted(set(statuses)) == [200, 429]
    assert statuses.count(200) == server.MAX_STREAMS
    async with http.post("/submit", json=ANSWER) as answer:
        assert answer.status == 200


ABUSES: dict[str, Callable[[Gate, AsyncExitStack], Awaitable[None]]] = {
    "readers that read nothing": read_nothing,
    "huge lists at once": read_many_at_once,
    "huge answers of telemetry at once": query_much_at_once,
    "tools that read much at once": use_tools_at_once,
    "headers that trickle": trickle,
    "huge headers and bodies": huge_headers_and_bodies,
    "no HTTP and no TLS": no_http_and_no_tls,
    "requests before answers": pipeline,
    "watches without end": watch_without_end,
}

# Of the memory, where it was never all but is to leave room for others who do the same.
SHARES = {"tools that read much at once": 0.75}


async def behave(http: aiohttp.ClientSession, until: asyncio.Event) -> list[float]:
    """Ask as a decent agent does, until told to end. Each must be answered; how many seconds each took."""
    took = []
    while not until.is_set():
        begun = time.perf_counter()
        async with http.get(PODS) as answer:
            assert answer.status == 200, await answer.text()
        took.append(time.perf_counter() - begun)
        await asyncio.sleep(0.05)
    return took


@pytest.mark.parametrize("abuse", ABUSES)
async def test_memory_stays_bounded_and_others_are_served(gate: Gate, abuse: str) -> None:
    done = asyncio.Event()
    async with AsyncExitStack() as stack, gate.client(OTHER_TOKEN, connections=2) as other:
        decent = asyncio.create_task(behave(other, done))
        try:
            await ABUSES[abuse](gate, stack)
            # Also while all that was opened is open still, and on a connection that is new.
            async with gate.client(OTHER_TOKEN) as new, new.get(PODS) as answer:
                assert answer.status == 200
        finally:
            done.set()
            (served,) = await asyncio.gather(decent, return_exceptions=True)
    assert isinstance(served, list), served
    assert served
    assert gate.process.returncode is None, gate.log.read_text()
    middle, worst = sorted(served)[len(served) // 2], max(served)
    print(f"{abuse}: peak {gate.peak_bytes() >> 20} MiB")
    print(f"the other: {len(served)} requests, in the middle {middle:.3f} s, at most {worst:.3f} s")
    assert gate.peak_bytes() < memory_limit_bytes() * SHARES.get(abuse, 1)
