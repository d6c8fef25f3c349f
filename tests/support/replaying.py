"""A replay that runs beside a test."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from reprise.replay import serve
from reprise.replay.attempts import Outcome

START_SECONDS = 60


@dataclass
class Running:
    """`http` trusts the replay's certificate. `outcomes` are there once it has ended."""

    ready: serve.Ready
    http: aiohttp.ClientSession
    outcomes: tuple[Outcome, ...] = ()

    async def ask(
        self,
        path: str,
        *,
        attempt: int = 0,
        method: str = "GET",
        accept: str = "application/json",
        **more: Any,
    ) -> tuple[int, Any]:
        """Status and body, decoded when it is JSON."""
        headers = {"Authorization": f"Bearer {self.ready.keys[attempt].token}", "Accept": accept}
        async with self.http.request(method, self.ready.url + path, headers=headers, **more) as answer:
            body = await answer.text()
            return answer.status, json.loads(body) if "json" in answer.headers["Content-Type"] else body


@asynccontextmanager
async def replaying(root: Path, out: Path, **settings: Any) -> AsyncIterator[Running]:
    """Serve the snapshot in `root` on any free port."""
    chosen = serve.Settings(**{"out": out, "cache": out.parent / "cache", "port": 0, **settings})
    stop, opened = asyncio.Event(), asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve.run(root, chosen, stop, opened.set_result))
    try:
        async with asyncio.timeout(START_SECONDS):
            await asyncio.wait({serving, opened}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()
        ready = opened.result()
        tls = ssl.create_default_context(cafile=ready.ca)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls)) as http:
            running = Running(ready, http)
            yield running
    finally:
        stop.set()
        running_outcomes = await serving
    running.outcomes = running_outcomes
