"""A gateway as a process of its own, before a fake cluster with a huge list, and clients without manners."""

import asyncio
import contextlib
import json
import os
import random
import re
import signal
import ssl
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer
from bench import telemetry
from tests.contract.gateway_fakes import OTHER_TOKEN, TOKEN, Cluster, attempt, pod
from tests.live.gateway_harness import ROOT, certificate

from reprise.gateway.tools import call as calls

HUGE = "/api/v1/namespaces/otel-demo/configmaps"
HUGE_COUNT = 5000
ACCOMPLICE_TOKEN = "accomplice"
START_SECONDS = 60
# Of one wait; nothing is held to it.
WAIT_SECONDS = 120


class Hoard(Cluster):
    """A cluster with a list of HUGE_COUNT ConfigMaps, about 10 MB, and telemetry that answers with 15 MB."""

    def __init__(self) -> None:
        super().__init__(pods=[pod("a"), pod("b")])
        budgets = {"wallClockSeconds": 36000, "requests": 100_000}
        for token, uid in ((TOKEN, "uid-1"), (OTHER_TOKEN, "uid-2"), (ACCOMPLICE_TOKEN, "uid-3")):
            self.put(attempt(token, uid, budgets=budgets, window={"start": "2026-01-01T00:00:00Z"}))
        items = [
            {
                "metadata": {"name": f"c{n}", "namespace": "otel-demo", "uid": f"c{n}"},
                "data": {"a": "x" * 1900},
            }
            for n in range(HUGE_COUNT)
        ]
        document = {
            "kind": "ConfigMapList",
            "apiVersion": "v1",
            "metadata": {"resourceVersion": "9"},
            "items": items,
        }
        self.huge = json.dumps(document).encode()
        draw = random.Random(1)
        # By what is asked of whom: a tool over MCP reads half as much as the routes do.
        self.telemetry = {
            ("prom", "up"): telemetry.matrix(draw),
            ("prom", "half"): telemetry.matrix(draw, calls.MAX_JSON_BYTES - 100_000),
            ("traces", "cart"): telemetry.traces(draw),
            ("traces", "half"): telemetry.traces(draw, calls.MAX_JSON_BYTES - 100_000),
        }

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.path == HUGE and not request.query.get("watch"):
            return web.Response(body=self.huge, content_type="application/json")
        asked = request.query.get("query") or request.query.get("service") or ""
        if found := self.telemetry.get((request.path.split("/")[1], asked)):
            return web.Response(body=found, content_type="application/json")
        return await super().handle(request)


class Caller(asyncio.Protocol):
    """One end of a connection, which keeps what comes when it reads, and sees when the other end hangs up."""

    transport: asyncio.Transport

    def __init__(self, reads: bool) -> None:
        self._reads = reads
        self.heard = bytearray()
        self.is_writable = asyncio.Event()
        self.is_lost = asyncio.Event()
        self.has_line = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.is_writable.set()
        if not self._reads:
            transport.pause_reading()

    def data_received(self, data: bytes) -> None:
        self.heard += data
        if b"\n" in self.heard:
            self.has_line.set()

    def pause_writing(self) -> None:
        self.is_writable.clear()

    def resume_writing(self) -> None:
        self.is_writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        for event in (self.is_lost, self.has_line, self.is_writable):
            event.set()

    async def say(self, data: bytes) -> None:
        """Returns when there is room for more, or nobody who listens."""
        if not self.is_lost.is_set():
            self.transport.write(data)
            await self.is_writable.wait()


@dataclass
class Gate:
    """The process. `other` asks as the attempt that behaves."""

    process: asyncio.subprocess.Process
    port: int
    tls: ssl.SSLContext
    log: Path

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def peak_bytes(self) -> int:
        """The most that the process has had in memory until now."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        (line,) = (line for line in text.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024

    async def connect(self, line: bytes = b"", tls: bool = True, reads: bool = False) -> "Caller":
        """A connection that has said `line`."""
        _, made = await asyncio.get_running_loop().create_connection(
            lambda: Caller(reads), "127.0.0.1", self.port, ssl=self.tls if tls else None
        )
        made.transport.write(line)
        return made

    def client(self, token: str = TOKEN, connections: int = 100) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            self.url,
            headers={"Authorization": f"Bearer {token}"},
            connector=aiohttp.TCPConnector(ssl=self.tls, limit=connections),
            timeout=aiohttp.ClientTimeout(total=WAIT_SECONDS),
        )


def memory_limit_bytes() -> int:
    """What the gateway's container may have."""
    documents = yaml.safe_load_all((ROOT / "manifests/gateway/gateway.yaml").read_text())
    (deployment,) = (one for one in documents if one["kind"] == "Deployment")
    text = deployment["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"]
    return int(text.removesuffix("Mi")) * 1024 * 1024


@contextlib.asynccontextmanager
async def gateway(directory: Path, cluster: Cluster) -> AsyncIterator[Gate]:
    fake = web.Application()
    fake.router.add_route("*", "/{path:.*}", cluster.handle)
    async with TestServer(fake) as api:
        config: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": str(api.make_url("/")).rstrip("/")}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        }
        (directory / "kubeconfig").write_text(json.dumps(config))
        certificate(directory / "tls")
        tls = ssl.create_default_context(cafile=str(directory / "tls" / "tls.crt"))
        (directory / "log").touch()
        with (directory / "log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", "from reprise.cli.main import main; main()", "gateway",
                "--host", "127.0.0.1", "--port", "0", "--tls", str(directory / "tls"),
                "--audit", str(directory / "audit"), "--kubeconfig", str(directory / "kubeconfig"),
                "--prometheus", str(api.make_url("/prom")), "--jaeger", str(api.make_url("/traces")),
                env={**os.environ, "PYTHONPATH": str(ROOT / "operator")},
                stdout=log,
                stderr=log,
            )  # fmt: skip
        try:
            yield Gate(process, await _port(process, directory / "log"), tls, directory / "log")
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGKILL)
            await process.wait()


async def _port(process: asyncio.subprocess.Process, log: Path) -> int:
    """The port that it says it serves on."""
    async with asyncio.timeout(START_SECONDS):
        while True:
            said = await asyncio.to_thread(log.read_text)
            if found := re.search(r" serving on 127\.0\.0\.1:(\d+)", said):
                return int(found[1])
            assert process.returncode is None, said
            await asyncio.sleep(0.1)
