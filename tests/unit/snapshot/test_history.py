"""From the watch to the file: what a run's watcher leaves on disk, and what is told of it."""

import asyncio
import datetime as dt
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.api_server import ApiServer, connect, serve

from reprise.adapters.kube import Kube
from reprise.domain import errors
from reprise.snapshot import history, objects, spool, watcher
from reprise.snapshot.request import RecordRequest
from reprise.snapshot.resources import Resource

START = dt.datetime(2026, 11, 21, 12, 0, tzinfo=dt.UTC)
REQUEST = RecordRequest("uid", "shop", 7, baseline_at=START, recorded_at=START + dt.timedelta(minutes=4))
PODS = Resource("", "v1", "pods", "Pod", True, ("get", "list", "watch"))
EVENTS = Resource("", "v1", "events", "Event", True, ("get", "list", "watch"))


class Clock:
    def __init__(self) -> None:
        self.now = START - dt.timedelta(seconds=30)

    def __call__(self) -> dt.datetime:
        return self.now

    def at(self, seconds: float) -> None:
        """Seconds after the baseline."""
        self.now = START + dt.timedelta(seconds=seconds)


class World:
    """A server, and a watcher that can die at any time."""

    def __init__(self, url: str, server: ApiServer, directory: Path) -> None:
        self.url, self.server, self.directory = url, server, directory
        self.clock = Clock()
        self._task: asyncio.Task[None] | None = None

    def path(self, resource: Resource = PODS) -> Path:
        return watcher.spool_path(self.directory, resource)

    def watch(self) -> None:
        connecting = lambda: connect(self.url)  # noqa: E731
        work = watcher.follow(connecting, self.directory, True, watcher.Tried(), self.clock)
        self._task = asyncio.create_task(work)

    async def kill(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not condition():  # noqa: ASYNC110 - a file on disk tells nobody that it grew
                await asyncio.sleep(0.01)

    async def seen(self, text: str, resource: Resource = PODS) -> None:
        """Wait until the spool holds the text."""
        path = self.path(resource)
        await self.until(lambda: path.exists() and text.encode() in path.read_bytes())

    async def told(self, root: Path, resource: Resource = PODS) -> tuple[list[dict[str, Any]], history.Told]:
        """Record the resource as the recorder does."""
        await self.kill()
        async with connect(self.url) as api:
            listed = await objects.take(api, root, resource, REQUEST.view)
            assert await history.catch_up(api, resource, listed, self.path(resource), self.clock) == ""
        found: list[history.Observation] = []
        made = history.write(
            root, self.path(resource), resource, REQUEST, listed.resource_version, found.append
        )
        text = (root / f"history/{resource.name}.jsonl").read_text()
        assert made.entry.rows == len(found)
        return [json.loads(line) for line in text.splitlines()], made


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    server = ApiServer()
    async with serve(server) as url:
        made = World(url, server, tmp_path / "run.spool")
        yield made
        await made.kill()


def short(lines: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """(type, name, status) of each line."""
    return [
        (
            line["type"],
            line["object"]["metadata"]["name"],
            (line["object"].get("status") or {}).get("phase", ""),
        )
        for line in lines
    ]


async def test_base_then_changes(world: World, tmp_path: Path) -> None:
    server = world.server
    server.put("pods", "a", "shop", status={"phase": "Pending"})
    server.put("pods", "gone", "shop")
    server.put("pods", "operator", "reprise-system")
    world.watch()
    await world.seen('"sync"')
    server.put("pods", "a", "shop", status={"phase": "Running"})
    server.drop("pods", "gone", "shop")
    await world.seen("DELETED")
    world.clock.at(10)
    server.put("pods", "b", "other", status={"phase": "Running"}, metadata={"managedFields": [{}]})
    server.put("pods", "a", "shop", status={"phase": "Failed"})
    server.put("pods", "operator", "reprise-system", status={"phase": "Failed"})
    server.drop("pods", "b", "other")
    await world.seen(
        '"DELETED","object":{"kind":"Table","metadata":{},"columnDefinitions":null,"rows":[{"cells":["b"'
    )
    lines, made = await world.told(tmp_path)
    assert short(lines) == [
        ("BASE", "a", "Running"),
        ("ADDED", "b", "Running"),
        ("MODIFIED", "a", "Failed"),
        ("DELETED", "b", "Running"),
    ]
    assert lines[0]["time"] == "2026-11-21T12:00:00.000000Z"
    assert lines[0]["cells"] == ["a", "Running"]
    assert lines[1]["time"] == "2026-11-21T12:00:10.000000Z"
    assert "managedFields" not in lines[1]["object"]["metadata"]
    assert lines[2]["resourceVersion"] == lines[2]["object"]["metadata"]["resourceVersion"]
    assert made.missing == ()
    assert made.began_at < "2026-11-21T12:00:00"


async def test_a_watcher_that_dies_goes_on_where_it_was(world: World, tmp_path: Path) -> None:
    server = world.server
    server.put("pods", "a", "shop")
    world.watch()
    await world.seen('"sync"')
    world.clock.at(5)
    server.put("pods", "a", "shop", status={"phase": "Running"})
    await world.seen("Running")
    await world.kill()
    with world.path().open("ab") as out:
        out.write(b'{"seen":"2026-11-21T12:00:06.000000Z","event":{"type":"MODI')
    server.put("pods", "a", "shop", status={"phase": "Failed"})
    server.put("pods", "b", "shop")
    world.watch()
    await world.seen('"b"')
    lines, made = await world.told(tmp_path)
    assert short(lines) == [
        ("BASE", "a", ""),
        ("MODIFIED", "a", "Running"),
        ("MODIFIED", "a", "Failed"),
        ("ADDED", "b", ""),
    ]
    assert made.missing == ()
    lists = [path for path in server.requests if path == "/api/v1/pods"]
    assert len(lists) == 2, "by the first watcher and by the recorder; the second one only watches"


async def test_a_list_that_a_crash_cut_short_is_read_again(world: World, tmp_path: Path) -> None:
    world.server.put("pods", "a", "shop")
    with spool.Spool(world.path()) as half:
        half.rows([{"cells": ["old"], "object": {"metadata": {"name": "old", "uid": "o"}}}], world.clock())
    lines, _ = await world.told(tmp_path)
    assert short(lines) == [("BASE", "a", "")]


async def test_history_that_the_server_forgot_is_a_gap(world: World, tmp_path: Path) -> None:
    server = world.server
    for name in ("a", "b", "same"):
        server.put("pods", name, "shop")
    world.watch()
    await world.seen('"sync"')
    await world.kill()
    world.clock.at(20)
    server.put("pods", "a", "shop", status={"phase": "Failed"})
    server.put("pods", "passing", "shop")
    server.drop("pods", "passing", "shop")
    server.drop("pods", "b", "shop")
    server.put("pods", "c", "shop")
    server.forget()
    world.watch()
    await world.seen('"gap"')
    await world.seen('"c"')
    lines, made = await world.told(tmp_path)
    assert short(lines) == [
        ("BASE", "a", ""),
        ("BASE", "b", ""),
        ("BASE", "same", ""),
        ("MODIFIED", "a", "Failed"),
        ("ADDED", "c", ""),
        ("DELETED", "b", ""),
    ]
    ((signal, what),) = [(gap.signal, gap.what) for gap in made.missing]
    assert (signal, what) == ("history", "core~v1~pods")
    assert made.missing[0].why.startswith("2026-11-21T12:00:20.000000Z: the server had forgotten")


async def test_the_server_restarts(world: World, tmp_path: Path) -> None:
    server = world.server
    world.watch()
    await world.until(lambda: server.watches == 8)
    world.clock.at(1)
    server.failing = {"/api/v1/pods": 2}
    server.restart()
    server.put("pods", "a", "shop")
    await world.seen('"a"')
    lines, made = await world.told(tmp_path)
    assert (short(lines), made.missing) == ([("ADDED", "a", "")], ())
    asked = {path for path in server.requests if path.endswith("?watch")}
    assert not {path for path in asked if "leases" in path or "metrics" in path or "secrets" in path}


async def test_what_the_recorded_list_holds_is_in_the_history(world: World, tmp_path: Path) -> None:
    """Nobody has watched since the baseline: the recorder catches up."""
    server = world.server
    server.put("pods", "a", "shop")
    world.watch()
    await world.seen('"sync"')
    await world.kill()
    world.clock.at(300)
    server.put("pods", "a", "shop", status={"phase": "Failed"})
    server.put("pods", "b", "shop")
    lines, _ = await world.told(tmp_path)
    assert short(lines) == [("BASE", "a", ""), ("MODIFIED", "a", "Failed"), ("ADDED", "b", "")]
    assert {line["time"] for line in lines[1:]} == {"2026-11-21T12:04:00.000000Z"}, "within the window"


async def test_nothing_is_told_that_is_newer_than_the_list(world: World, tmp_path: Path) -> None:
    server = world.server
    async with connect(world.url) as api:
        with spool.Spool(world.path()) as store:
            await watcher.begin(api, PODS, store, world.clock)
        world.clock.at(1)
        server.put("pods", "a", "shop")
        listed = await objects.take(api, tmp_path, PODS, REQUEST.view)
        server.put("pods", "newer", "shop")
        assert await history.catch_up(api, PODS, listed, world.path(), world.clock) == ""
    assert "newer" in world.path().read_text()
    history.write(tmp_path, world.path(), PODS, REQUEST, listed.resource_version, lambda seen: None)
    told = (tmp_path / "history/core~v1~pods.jsonl").read_text().splitlines()
    assert short([json.loads(line) for line in told]) == [("ADDED", "a", "")]


async def test_a_bookmark_is_enough_to_have_caught_up(world: World, tmp_path: Path) -> None:
    """An object that came and went leaves the list as it was; the version says that it has been seen."""
    server = world.server
    async with connect(world.url) as api:
        with spool.Spool(world.path()) as store:
            await watcher.begin(api, PODS, store, world.clock)
        world.clock.at(1)
        server.put("pods", "hidden", "reprise-system")
        listed = await objects.take(api, tmp_path, PODS, REQUEST.view)
        late = objects.Listed(listed.entry, str(server.version + 1), {"unknown": "1"})
        catching = asyncio.create_task(history.catch_up(api, PODS, late, world.path(), world.clock))
        await world.seen("hidden")
        server.bookmark("pods")
        assert await catching == ""


async def test_a_watch_that_began_late_says_so(world: World, tmp_path: Path) -> None:
    world.server.put("pods", "a", "shop")
    world.clock.at(60)
    lines, made = await world.told(tmp_path)
    assert [(line["type"], line["time"]) for line in lines] == [("BASE", "2026-11-21T12:01:00.000000Z")]
    (gap,) = history.late({"core~v1~pods": made.began_at}, START)
    assert gap.why == "watching began at 2026-11-21T12:01:00.000000Z, after baselineAt"
    (gap,) = history.late({"a": made.began_at, "b": made.began_at}, START)
    assert gap.what == "every resource"


async def test_events_about_hidden_things_are_left_out(world: World, tmp_path: Path) -> None:
    server = world.server

    def event(name: str, time: str, message: str) -> None:
        server.put("events", name, "shop", lastTimestamp=time, message=message)

    event("old", "2026-11-21T11:00:00Z", "before the window")
    world.watch()
    await world.seen('"sync"', EVENTS)
    world.clock.at(1)
    event("ours", "2026-11-21T12:00:01Z", "scheduled by kopf")
    event("old", "2026-11-21T12:00:01Z", "and again")
    event("turns", "2026-11-21T12:00:01Z", "plain")
    event("turns", "2026-11-21T12:00:02Z", "about reprise-agents")
    await world.seen("reprise-agents", EVENTS)
    lines, _ = await world.told(tmp_path, EVENTS)
    assert short(lines) == [("ADDED", "old", ""), ("ADDED", "turns", ""), ("DELETED", "turns", "")]
    assert lines[2]["cells"] == []
    assert "message" not in lines[2]["object"]
    assert "reprise" not in json.dumps(lines)


def test_a_spool_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("something else\n")
    with pytest.raises(errors.Corrupt, match="remove the spool"):
        list(spool.read(tmp_path / "s"))


async def test_a_damaged_spool_begins_again(world: World, tmp_path: Path) -> None:
    world.server.put("pods", "a", "shop")
    world.directory.mkdir()
    world.path().write_text("something else, of another release\n")
    world.watch()
    await world.seen('"sync"')
    lines, _ = await world.told(tmp_path)
    assert short(lines) == [("BASE", "a", "")]


async def test_pages_are_put_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "PAGE_ROWS", 2)
    server = ApiServer()
    for name in "abcde":
        server.put("pods", name, "shop")
    async with serve(server) as url, connect(url) as api:
        listed = await objects.take(api, tmp_path, PODS, REQUEST.view)
    assert (listed.entry.rows, len(listed.versions)) == (5, 5)
    head, *rows = [json.loads(line) for line in (tmp_path / listed.entry.path).read_text().splitlines()]
    assert [row["object"]["metadata"]["name"] for row in rows] == list("abcde")
    assert head["resourceVersion"] == listed.resource_version == str(server.version)


async def test_a_list_that_expires_halfway_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "PAGE_ROWS", 1)
    server = ApiServer()
    for name in "abc":
        server.put("pods", name, "shop")
    async with serve(server) as url, connect(url) as api:
        with pytest.raises(errors.Conflict):
            await objects.take(_Forgetting(api, server), tmp_path, PODS, REQUEST.view)  # type: ignore[arg-type]
    assert not (tmp_path / "objects/core~v1~pods.jsonl").exists()


class _Forgetting:
    """Lets the server compact after every answer."""

    def __init__(self, api: Kube, server: ApiServer) -> None:
        self._api, self._server = api, server

    async def request(self, *args: Any, **options: Any) -> dict[str, Any]:
        answer = await self._api.request(*args, **options)
        self._server.forget()
        return answer


def test_whoever_dies_leaves_a_spool_that_goes_on(tmp_path: Path) -> None:
    """Cut at every byte: what is left ends with a whole line, and a watch goes on where that says."""

    def row(name: str, version: str) -> dict[str, Any]:
        return {
            "cells": [name],
            "object": {"metadata": {"name": name, "uid": name, "resourceVersion": version}},
        }

    def event(name: str, version: str) -> bytes:
        table = {"kind": "Table", "rows": [row(name, version)]}
        return json.dumps({"type": "MODIFIED", "object": table}).encode() + b"\n"

    with spool.Spool(tmp_path / "whole") as store:
        states = [(0, "")]
        for step in (
            lambda: (store.rows([row("a", "1"), row("b", "2")], START), store.sync("3", START)),
            lambda: store.events([event("a", "4")], START),
            lambda: store.events([event("b", "5")], START),
            lambda: store.gap("forgotten", START),
            lambda: (store.rows([row("a", "6")], START), store.sync("7", START)),
            lambda: store.events([event("a", "8")], START),
        ):
            step()
            store.settle()
            states.append(((tmp_path / "whole").stat().st_size, store.version))
    data = (tmp_path / "whole").read_bytes()
    for cut in range(len(data) + 1):
        (tmp_path / "cut").write_bytes(data[:cut])
        with spool.Spool(tmp_path / "cut") as again:
            version = again.version
        left = (tmp_path / "cut").read_bytes()
        assert data.startswith(left)
        assert left[-1:] in (b"", b"\n")
        assert version == [known for size, known in states if size <= cut][-1], cut
