"""`reprise attach` against an API server that is not in a hurry."""

import asyncio
import base64
import json
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from reprise.cli import attach
from reprise.domain import errors, kubeconfig

RESOURCES = [
    {"name": "benchmarkruns", "kind": "BenchmarkRun", "namespaced": True, "verbs": ["get"]},
    {"name": "agentattempts", "kind": "AgentAttempt", "namespaced": True, "verbs": ["get"]},
]
SECRETS = [{"name": "secrets", "kind": "Secret", "namespaced": True, "verbs": ["get"]}]
CONFIG = kubeconfig.build("https://127.0.0.1:1", "PEM", "the-token", "otel-demo")


class Cluster:
    def __init__(self) -> None:
        self.runs: dict[str, str] = {"first": "Attempting"}
        self.attempts: list[dict[str, Any]] = []
        self.secrets: dict[str, str] = {}
        self.changed = asyncio.Event()
        self.listed = asyncio.Event()

    def add(self, index: int, phase: str = "Pending", uid: str = "uid-first") -> None:
        name = f"first-{index}"
        self.attempts.append(
            {
                "metadata": {"name": name, "namespace": "default"},
                "spec": {
                    "run": {"name": "first", "uid": uid},
                    "index": index,
                    "application": {"namespace": "otel-demo"},
                    "budgets": {"requests": 20, "wallClockSeconds": 60},
                },
                "status": {"phase": phase},
            }
        )
        self.secrets[f"{name}-kubeconfig"] = json.dumps(CONFIG)
        self.changed.set()

    def _run(self, name: str) -> dict[str, Any]:
        return {
            "metadata": {"name": name, "uid": f"uid-{name}"},
            "status": {"phase": self.runs[name], "message": "works"},
        }

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("watch"):
            response = web.StreamResponse()
            await response.prepare(request)
            await response.write(b'{"type":"ADDED","object":{}}\n')
            await self.changed.wait()
            await response.write(b'{"type":"MODIFIED","object":{}}\n')
            return response
        match request.path.strip("/").split("/"):
            case ["apis", _, _]:
                return web.json_response({"resources": RESOURCES})
            case ["api", "v1"]:
                return web.json_response({"resources": SECRETS})
            case [*_, "benchmarkruns"]:
                return web.json_response({"items": [self._run(name) for name in self.runs]})
            case [*_, "benchmarkruns", name] if name in self.runs:
                return web.json_response(self._run(name))
            case [*_, "agentattempts"]:
                self.listed.set()
                return web.json_response({"items": self.attempts})
            case [*_, "secrets", name] if name in self.secrets:
                encoded = base64.b64encode(self.secrets[name].encode()).decode()
                return web.json_response({"data": {"kubeconfig": encoded}})
            case _:
                return web.json_response({"message": "not found"}, status=404)


@pytest.fixture
async def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
async def admin(cluster: Cluster, tmp_path: Path) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", cluster.handle)
    async with TestServer(app) as server:
        path = tmp_path / "admin.kubeconfig"
        url = str(server.make_url("/")).rstrip("/")
        config = kubeconfig.build(url, "", "t", "default")
        del config["clusters"][0]["cluster"]["certificate-authority-data"]
        path.write_text(json.dumps(config))
        yield str(path)


async def fetch(target: str, admin: str, seconds: float = 10) -> dict[str, Any]:
    return await attach._fetch(attach.parse(target), "default", seconds, admin, None)


@pytest.mark.parametrize(("text", "index"), [("first", None), ("first/1", 1), ("a.b-c/12", 12)])
def test_targets(text: str, index: int | None) -> None:
    assert attach.parse(text) == attach.Target(text.partition("/")[0], index)


@pytest.mark.parametrize("text", ["", "/1", "first/", "first/0", "first/x", "First", "a/1/2", "-a"])
def test_odd_targets_are_refused(text: str) -> None:
    with pytest.raises(errors.InvalidInput, match="expected RUN or RUN/N"):
        attach.parse(text)


async def test_the_first_open_attempt_is_taken(cluster: Cluster, admin: str) -> None:
    cluster.add(1, "Pending", uid="of an earlier run of this name")
    cluster.add(1, "Submitted")
    cluster.add(3)
    cluster.add(2, "Running")
    found = await fetch("first", admin)
    assert (found["attempt"], found["token"], found["server"]) == (
        "first-2",
        "the-token",
        "https://127.0.0.1:1",
    )
    assert json.loads(found["kubeconfig"]) == CONFIG
    assert found["certificateAuthority"] == "PEM"


async def test_it_waits_for_the_attempt_and_says_for_what(
    cluster: Cluster, admin: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.runs["first"] = "Manifesting"
    waiting = asyncio.create_task(fetch("first/1", admin))
    await asyncio.wait_for(cluster.listed.wait(), 10)
    cluster.add(1)
    found = await asyncio.wait_for(waiting, 10)
    assert found["attempt"] == "first-1"
    assert "run first is Manifesting: works" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("target", "phase", "attempt_phase", "error", "text"),
    [
        ("other", "Attempting", None, errors.NotFound, "there are: first"),
        ("first/1", "Attempting", "TimedOut", errors.Refused, "in phase TimedOut"),
        ("first", "Completed", "Scored", errors.NotFound, "is Completed"),
        ("first", "Invalid", None, errors.NotFound, "is Invalid: works"),
    ],
)
async def test_when_there_is_none_it_says_why(
    cluster: Cluster,
    admin: str,
    target: str,
    phase: str,
    attempt_phase: str | None,
    error: type[errors.RepriseError],
    text: str,
) -> None:
    cluster.runs["first"] = phase
    if attempt_phase:
        cluster.add(1, attempt_phase)
    with pytest.raises(error, match=text):
        await fetch(target, admin)


async def test_it_does_not_wait_for_ever(cluster: Cluster, admin: str) -> None:
    with pytest.raises(errors.NotFound, match="within the given time"):
        await fetch("first", admin, seconds=0)


def test_the_file_is_private_and_replaces_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "first.kubeconfig"
    path.write_text("old")
    path.chmod(0o644)
    attach.write_private(path, "{}")
    assert path.read_text() == "{}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_kubeconfig_may_be_yaml() -> None:
    assert json.loads(attach.as_json("kind: Config\nusers: []\n")) == {"kind": "Config", "users": []}
    for odd in ("a: [", "just text"):
        with pytest.raises(errors.Corrupt):
            attach.as_json(odd)
