"""Watches hold connections, and nobody waits for one of them to end."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestServer

from reprise.adapters.kube import Kube

WATCHES = 150
CONFIG = """
apiVersion: v1
kind: Config
current-context: here
contexts: [{{name: here, context: {{cluster: here, user: me}}}}]
clusters: [{{name: here, cluster: {{server: "{server}"}}}}]
users: [{{name: me, user: {{token: t}}}}]
"""


async def test_many_watches_keep_no_request_waiting(tmp_path: Path) -> None:
    over = asyncio.Event()

    async def watch(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await over.wait()
        return response

    async def version(request: web.Request) -> web.Response:
        return web.json_response({"major": "1"})

    app = web.Application()
    app.add_routes([web.get("/watch", watch), web.get("/version", version)])
    async with TestServer(app) as server:
        (tmp_path / "config").write_text(CONFIG.format(server=server.make_url("/")))
        async with await Kube.connect(str(tmp_path / "config")) as kube, AsyncExitStack() as open_ones:
            for _ in range(WATCHES):
                response = await kube.open("/watch", timeout_seconds=10)
                await open_ones.enter_async_context(response)
            assert await kube.request("GET", "/version") == {"major": "1"}
            over.set()
