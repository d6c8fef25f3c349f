"""What calls of tools hold as values: much of it, only a few at a time, and each call once."""

import asyncio
import json

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from reprise.gateway.aside import MAX_KEPT, Aside
from reprise.gateway.tools.call import LIGHT_JSON_BYTES, MAX_JSON_BYTES, Reads, ToolError

HEAVY = "x" * (LIGHT_JSON_BYTES + 1)


def reads(aside: Aside, text: str = HEAVY) -> Reads:
    async def route(_: web.Request) -> web.Response:
        return web.Response(body=json.dumps(text).encode())

    return Reads(make_mocked_request("POST", "/mcp"), route, aside)


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_call_that_has_read_much_waits_until_another_has_answered() -> None:
    aside = Aside()
    before = [reads(aside) for _ in range(MAX_KEPT)]
    for one in before:
        assert await one.json("/a") == HEAVY
    async with reads(aside) as late:
        waiting = asyncio.create_task(late.json("/a"))
        await settle()
        assert not waiting.done()
        async with before[0]:
            pass
        async with asyncio.timeout(10):
            assert await waiting == HEAVY


async def test_a_call_never_waits_for_itself() -> None:
    aside = Aside()
    for one in [reads(aside) for _ in range(MAX_KEPT)]:
        async with asyncio.timeout(10):
            assert await asyncio.gather(*(one.json("/a") for _ in range(MAX_KEPT + 1)))


async def test_what_is_light_waits_for_nobody() -> None:
    aside = Aside()
    for one in [reads(aside) for _ in range(MAX_KEPT)]:
        await one.json("/a")
    async with asyncio.timeout(10):
        assert await reads(aside, "y").json("/a") == "y"


async def test_a_call_that_was_cancelled_while_it_waited_takes_no_turn() -> None:
    aside = Aside()
    before = [reads(aside) for _ in range(MAX_KEPT)]
    for one in before:
        await one.json("/a")
    async with reads(aside) as gone:
        waiting = asyncio.create_task(gone.json("/a"))
        await settle()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    async with before[0]:
        pass
    async with reads(aside) as late, asyncio.timeout(10):
        assert await late.json("/a") == HEAVY


async def test_what_a_call_reads_is_bounded_in_all() -> None:
    one = reads(Aside(), "x" * (MAX_JSON_BYTES // 2))
    await one.json("/a")
    with pytest.raises(ToolError, match="ask for less") as found:
        await one.json("/b")
    assert found.value.status == 413
