"""`reprise operator` as a process of its own: real kopf over real HTTP, above the API server in memory."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml
from aiohttp import web
from tests.unit.handlers.world import REF, World

from reprise.domain.run_status import Phase

CODE = "from reprise.cli.main import main; main()"
GROUPS = {
    "kind": "APIGroupList",
    "groups": [
        {
            "name": "reprise.dev",
            "versions": [{"groupVersion": "reprise.dev/v1alpha1", "version": "v1alpha1"}],
            "preferredVersion": {"groupVersion": "reprise.dev/v1alpha1", "version": "v1alpha1"},
        }
    ],
}


class Server:
    """The world over HTTP: what kopf and the client ask of an API server, and Prometheus beside it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.over = asyncio.Event()
        self.port = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        if path.startswith("/prometheus/"):
            form = await request.post()
            return web.json_response(prometheus(str(form.get("query", ""))))
        if path == "/apis":
            return web.json_response(GROUPS)
        if path == "/api":
            return web.json_response({"kind": "APIVersions", "versions": ["v1"]})
        if path in ("/api/v1", *(f"/apis/{version}" for version in self.world._resources)):
            return web.json_response(self.discovery(path.removeprefix("/apis/").removeprefix("/api/")))
        if request.query.get("watch") == "true":
            return await self.watch(request)
        text = await request.text()
        answer = await self.world.raw(
            request.method,
            path,
            query=dict(request.query),
            body=json.loads(text) if text else None,
            content_type=request.content_type,
        )
        if self.world.run().status.phase.terminal:
            self.over.set()
        return web.Response(status=answer.status, body=answer.body, content_type="application/json")

    def discovery(self, version: str) -> dict[str, object]:
        return {
            "kind": "APIResourceList",
            "groupVersion": version,
            "resources": [
                {
                    "name": item.plural,
                    "singularName": item.kind.lower(),
                    "kind": item.kind,
                    "namespaced": item.namespaced,
                    "verbs": sorted(item.verbs),
                }
                for item in self.world._resources[version].values()
            ],
        }

    async def watch(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        version = request.query.get("resourceVersion", "")
        async for kind, item in self.world.watch(
            "reprise.dev/v1alpha1", "BenchmarkRun", resource_version=version, timeout_seconds=60
        ):
            await response.write(json.dumps({"type": kind, "object": item}).encode() + b"\n")
        return response


def prometheus(query: str) -> dict[str, object]:
    found = [] if "ALERTS" in query else [{"metric": {}, "value": [0, "1"]}]
    return {"status": "success", "data": {"resultType": "vector", "result": found}}


@asynccontextmanager
async def serving(server: Server) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    (address,) = runner.addresses
    try:
        yield f"http://127.0.0.1:{address[1]}"
    finally:
        await runner.cleanup()


def kubeconfig(path: Path, url: str) -> Path:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path.write_text(yaml.safe_dump(config))
    return path


async def test_a_run_is_handled_and_its_deletion_ends(tmp_path: Path) -> None:
    world = World()
    world.apply_run("quiet-day", agent={"kind": "none"}, snapshot={"enabled": False})
    found = world.run_object()
    found["metadata"]["finalizers"] = []  # kopf adds it
    world.store(found)
    server = Server(world)
    async with serving(server) as url:
        environ = {
            **os.environ,
            "KUBECONFIG": str(kubeconfig(tmp_path / "config", url)),
            "REPRISE_PROMETHEUS_URL": f"{url}/prometheus",
            "REPRISE_JAEGER_URL": f"{url}/jaeger",
            "REPRISE_METRICS_PORT": "0",
            "PYTHONPATH": "operator",
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", CODE, "operator", env=environ, stderr=asyncio.subprocess.PIPE
        )
        try:
            async with asyncio.timeout(60):
                await server.over.wait()
            run = world.run()
            assert run.status.phase is Phase.COMPLETED, run.status
            assert run.guarded
            annotations = world.run_object()["metadata"].get("annotations", {})
            assert all(key.startswith("reprise.dev/") for key in annotations), annotations
            world.delete_run()
            async with asyncio.timeout(60):
                await finalizer_gone(world)
        finally:
            process.send_signal(signal.SIGTERM)
            _, log = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == 0, log.decode()
        assert "Traceback" not in log.decode(), log.decode()


async def finalizer_gone(world: World) -> None:
    async for _, item in world.watch("reprise.dev/v1alpha1", "BenchmarkRun", timeout_seconds=60):
        if item["metadata"]["uid"] == REF.uid and not item["metadata"].get("finalizers"):
            return
    pytest.fail("the finalizer is still there")
