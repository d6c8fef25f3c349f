"""Follows every readable resource of the API, from a run's baseline on, into spools on disk.

What the server sends is appended as it comes and not looked at. Whatever breaks off is taken up again where
the spool ends, by this process or the next one.
"""

import asyncio
import datetime as dt
import json
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from reprise.adapters import kube, streams
from reprise.domain import errors
from reprise.snapshot import objects
from reprise.snapshot.patience import Patience
from reprise.snapshot.resources import Resource, readable
from reprise.snapshot.spool import Spool

logger = logging.getLogger(__name__)
Connect = Callable[[], AbstractAsyncContextManager[kube.Kube]]
Clock = Callable[[], dt.datetime]
# The server ends a watch after so long; a bookmark comes shortly before.
WATCH_SECONDS = 600
FIRST_DELAY_SECONDS = 0.25
MAX_DELAY_SECONDS = 10.0
# Nothing is longer: etcd takes objects of 1.5 MiB.
MAX_EVENT_BYTES = 64 << 20
DIRECTORY_ENDING = ".spool"


class Expired(errors.Conflict):
    """The server does not know any more what came after the spool's last entry (410 Gone)."""


def utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def spool_path(directory: Path, resource: Resource) -> Path:
    return directory / f"{resource.name}.jsonl"


class Tried:
    """Is set when every resource's list is on disk, or could not be had at the first try."""

    def __init__(self) -> None:
        self.all = asyncio.Event()
        self._names: set[str] = set()

    def expect(self, names: set[str]) -> None:
        self._names = names

    def one(self, name: str) -> None:
        self._names.discard(name)
        if not self._names:
            self.all.set()


async def follow(
    connect: Connect, directory: Path, injector_hidden: bool, tried: Tried, clock: Clock = utc_now
) -> None:
    """Watch until cancelled. The connection is its own: one watch a resource would fill a shared one."""
    delay = FIRST_DELAY_SECONDS
    while True:
        try:
            async with connect() as api:
                served = await readable(api, injector_hidden, Patience())
                delay = FIRST_DELAY_SECONDS
                watched = [resource for resource in served.resources if resource.watched]
                tried.expect({resource.name for resource in watched})
                async with asyncio.TaskGroup() as group:
                    for resource in watched:
                        group.create_task(_follow(api, resource, directory, tried, clock))
        except errors.RepriseError as exc:
            logger.warning("cannot watch for %s yet: %s", directory.name, exc)
        await asyncio.sleep(delay)
        delay = min(2 * delay, MAX_DELAY_SECONDS)


async def _follow(api: kube.Kube, resource: Resource, directory: Path, tried: Tried, clock: Clock) -> None:
    """One resource, for ever. A full disk and a server that is away are waited for alike."""
    delay, told = FIRST_DELAY_SECONDS, ""
    while True:
        spool = Spool(spool_path(directory, resource))
        try:
            # NB: not in a thread: a cancelled task would leave it behind, cutting a file that others write.
            with spool:
                while True:
                    if not spool.version:
                        await begin(api, resource, spool, clock)
                    tried.one(resource.name)
                    await watch(api, resource, spool, clock)
                    delay, told = FIRST_DELAY_SECONDS, ""
        except errors.Corrupt as exc:
            # What is left begins later than the run, and the manifest will say so.
            logger.error("%s: %s; begins again", spool.path, exc)
            spool.path.unlink(missing_ok=True)
        except (errors.RepriseError, OSError) as exc:
            if str(exc) != told:
                told = str(exc)
                logger.warning("%s of %s: %s", resource.name, directory.name, exc)
        tried.one(resource.name)
        await asyncio.sleep(delay)
        delay = min(2 * delay, MAX_DELAY_SECONDS)


async def begin(api: kube.Kube, resource: Resource, spool: Spool, clock: Clock) -> None:
    """The list that a watch goes on from."""
    version = ""
    async for page in objects.pages(api, resource):
        version = page.resource_version
        spool.rows(page.rows, clock())
    spool.sync(version, clock())


async def watch(
    api: kube.Kube,
    resource: Resource,
    spool: Spool,
    clock: Clock,
    seconds: int = WATCH_SECONDS,
    until: Callable[[list[bytes]], bool] = lambda raw: False,
) -> bool:
    """Append what is sent until the server ends it, or `until` says of what came last that it is enough.

    True when `until` said so. An expired version is noted as a gap; the next thing must be a list. Raises
    Unreachable and the like, OSError.
    """
    query = [
        ("watch", "true"),
        ("resourceVersion", spool.version),
        ("allowWatchBookmarks", "true"),
        ("includeObject", "Object"),
        ("timeoutSeconds", str(seconds)),
    ]
    try:
        response = await api.open(resource.path, query, objects.ACCEPT, timeout_seconds=seconds + 10)
        async with response:
            if response.status != 200:
                body = await streams.read_capped(response)
                what = f"watch {resource.path}"
                raise Expired(what) if response.status == 410 else kube.translate(response.status, body, what)
            async for raw in streams.batches(response, MAX_EVENT_BYTES):
                # Without its end, a line was cut off with the connection.
                good = [line for line in raw if line.endswith(b"\n") and not _is_error(line)]
                if good:
                    spool.events(good, clock())
                for line in raw:
                    if _is_error(line):
                        raise _error(line, resource)
                if good and until(good):
                    return True
    except Expired as exc:
        spool.gap(f"the server had forgotten what came after version {spool.version} ({exc})", clock())
    finally:
        spool.settle()
    return False


def _is_error(line: bytes) -> bool:
    """By its beginning: `type` is the first field of a watch event."""
    return b'"type":"ERROR"' in line[:40]


def _error(line: bytes, resource: Resource) -> errors.RepriseError:
    try:
        status = json.loads(line)["object"]
    except ValueError:
        status = {}
    text = f"watch {resource.path}: {status.get('message') or line[:200]!r}"
    return Expired(text) if status.get("code") == 410 else errors.Unreachable(text)
