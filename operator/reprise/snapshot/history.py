"""`history/`: what happened to every object from the baseline to the moment of recording.

Made of the watcher's spool. Before it is read, the spool is brought up to the list that was recorded: a watch
is open until everything that the list holds has been seen, or a version at least as new.
"""

import asyncio
import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reprise.adapters import kube
from reprise.domain import errors, redaction, rows
from reprise.snapshot import objects, spool, tables, watcher
from reprise.snapshot.manifest import FileEntry, Missing
from reprise.snapshot.request import RecordRequest, rfc3339
from reprise.snapshot.resources import Resource

Json = dict[str, Any]
CATCH_UP_SECONDS = 20


@dataclass(frozen=True)
class Observation:
    """One line of a history, as an agent may see it. `type`: BASE, ADDED, MODIFIED or DELETED."""

    type: str
    time: str
    resource_version: str
    cells: list[Any] | None
    object: Json


# -- bringing the spool up to date ----------------------------------------------------------------------


async def catch_up(
    api: kube.Kube, resource: Resource, listed: objects.Listed, path: Path, clock: watcher.Clock
) -> str:
    """Watch on from the end of the spool up to the list. "" or why that did not succeed."""
    try:
        with spool.Spool(path) as store:
            async with asyncio.timeout(CATCH_UP_SECONDS):
                await _catch_up(api, resource, listed, store, clock)
    except TimeoutError:
        return f"not all changes had been seen within {CATCH_UP_SECONDS} s"
    except errors.RepriseError as exc:
        return str(exc)
    return ""


async def _catch_up(
    api: kube.Kube, resource: Resource, listed: objects.Listed, store: spool.Spool, clock: watcher.Clock
) -> None:
    state: dict[str, str] = {}
    for entry in await asyncio.to_thread(lambda: list(_versions(store.path))):
        _apply(state, *entry)

    def reached(raw: list[bytes]) -> bool:
        for line in raw:
            event = spool.parse_event(line)
            _apply(state, *event)
            if _number(event[2]) >= _number(listed.resource_version):
                return True
        return state == listed.versions

    while not (_number(store.version) >= _number(listed.resource_version) or state == listed.versions):
        if not store.version:
            await watcher.begin(api, resource, store, clock)
        elif await watcher.watch(api, resource, store, clock, CATCH_UP_SECONDS, reached):
            return


def _versions(path: Path) -> Iterator[tuple[str, str, str]]:
    """(type, uid, resourceVersion) of every entry."""
    for entry in spool.read(path):
        if entry.kind == "row":
            yield "ADDED", spool.uid_of(entry.value), spool.version_of(entry.value)
        elif entry.kind == "event":
            row = spool.row_of(entry.value)
            yield entry.value["type"], spool.uid_of(row), spool.version_of(row)
        elif entry.kind == "gap":
            yield "GAP", "", ""


def _apply(state: dict[str, str], kind: str, uid: str, version: str) -> None:
    match kind:
        case "DELETED":
            state.pop(uid, None)
        case "GAP":
            state.clear()
        case "ADDED" | "MODIFIED":
            state[uid] = version


def _number(version: str) -> int:
    """Versions of one resource can be compared as numbers; what is none is older than everything."""
    return int(version) if version.isdecimal() else -1


# -- from the spool to the file -------------------------------------------------------------------------


class _Story:
    """Reads one spool from its beginning and tells the observations within the window."""

    def __init__(self, path: Path, resource: Resource, request: RecordRequest, last_version: str) -> None:
        self._path = path
        self._resource = resource
        self._start = rfc3339(request.baseline_at)
        self._end = rfc3339(request.recorded_at)
        self._view = request.view
        self._last = _number(last_version)
        self._shown = rows.Shown()
        # uid → (version, where its row is). What is before the window is only noted, and read again from the
        # file if it is still there when the window begins.
        self._state: dict[str, tuple[str, int]] = {}
        self._listing: set[str] | None = None
        self._told_base = False
        self._begun = False
        self.missing: list[Missing] = []
        self.began_at = ""

    def tell(self) -> Iterator[Observation]:
        for entry in spool.read(self._path):
            # The list that the watch began with is the base, also where it came after the window had begun.
            if entry.seen >= self._start and self._begun:
                yield from self._base(self._start)
            match entry.kind:
                case "row":
                    yield from self._row(entry)
                case "sync":
                    yield from self._sync(entry)
                case "event":
                    yield from self._event(entry)
                case "gap":
                    self._note(entry)
        if self._begun:
            yield from self._base(self._start)

    def _note(self, entry: spool.Entry) -> None:
        if entry.seen >= self._start:
            self.missing.append(
                Missing("history", self._resource.name, f"{self._time(entry.seen)}: {entry.value}")
            )

    def _time(self, seen: str) -> str:
        """Within the window: what the list at its end holds may have been seen a moment later."""
        return min(max(seen, self._start), self._end)

    def _base(self, time: str) -> Iterator[Observation]:
        if self._told_base:
            return
        self._told_base = True
        for _, offset in self._state.values():
            yield from self._observe("BASE", time, spool.row_at(self._path, offset))

    def _row(self, entry: spool.Entry) -> Iterator[Observation]:
        uid, version = spool.uid_of(entry.value), spool.version_of(entry.value)
        if self._listing is None:
            self._listing = set()
        self._listing.add(uid)
        known = self._state.get(uid)
        self._state[uid] = (version, entry.offset)
        if self._told_base and (known is None or known[0] != version):
            yield from self._observe("MODIFIED" if known else "ADDED", entry.seen, entry.value)

    def _sync(self, entry: spool.Entry) -> Iterator[Observation]:
        listed, self._listing = self._listing or set(), None
        for uid in [uid for uid in self._state if uid not in listed]:
            _, offset = self._state.pop(uid)
            if self._told_base:
                yield from self._observe("DELETED", entry.seen, spool.row_at(self._path, offset))
        if not self._begun:
            self._begun, self.began_at = True, entry.seen
            if entry.seen >= self._start:
                yield from self._base(self._time(entry.seen))

    def _event(self, entry: spool.Entry) -> Iterator[Observation]:
        kind, row = entry.value["type"], spool.row_of(entry.value)
        if kind == "BOOKMARK" or (self._last >= 0 and _number(spool.version_of(row)) > self._last):
            return
        uid = spool.uid_of(row)
        if kind == "DELETED":
            self._state.pop(uid, None)
        else:
            self._state[uid] = (spool.version_of(row), entry.offset)
        if self._told_base:
            yield from self._observe(kind, entry.seen, row)

    def _observe(self, kind: str, seen: str, row: Json) -> Iterator[Observation]:
        whole = row["object"]
        hidden = redaction.hides(self._view, self._resource.group, self._resource.plural, whole)
        shown = self._shown.type_of("ADDED" if kind == "BASE" else kind, spool.uid_of(row), not hidden)
        if shown is None:
            return
        told = "BASE" if kind == "BASE" else shown
        version = spool.version_of(row)
        if hidden:
            yield Observation(told, self._time(seen), version, [], rows.stub(whole))
            return
        cells = objects.shown_cells(self._view, row["cells"])
        clean = redaction.clean(self._view, whole)
        yield Observation(told, self._time(seen), version, cells, clean)


@dataclass(frozen=True)
class Told:
    """A history that was written. `began_at`: when the list that it begins with was complete."""

    entry: FileEntry
    missing: tuple[Missing, ...]
    began_at: str


def write(
    root: Path,
    path: Path,
    resource: Resource,
    request: RecordRequest,
    last_version: str,
    keep: Callable[[Observation], None],
) -> Told:
    """Write `history/<name>.jsonl` up to a resourceVersion. `keep` is called with every line.

    Raises NotFound where there is no list to begin with, Corrupt for a spool that cannot be read, OSError.
    Leaves no file then. Not for the event loop.
    """
    story = _Story(path, resource, request, last_version)
    with tables.FileWriter(root, f"history/{resource.name}.jsonl") as out:
        for observation in story.tell():
            out.write(objects.dump(_wire(observation)) + b"\n")
            out.rows += 1
            keep(observation)
        if not story.began_at:
            raise errors.NotFound(
                f"expected a watch of {resource.name}, found none that got as far as a list"
            )
    return Told(out.entry, tuple(story.missing), story.began_at)


def _wire(observation: Observation) -> Mapping[str, Any]:
    return {
        "type": observation.type,
        "time": observation.time,
        "resourceVersion": observation.resource_version,
        "cells": observation.cells,
        "object": observation.object,
    }


def late(names_began: Mapping[str, str], baseline_at: dt.datetime) -> list[Missing]:
    """What the histories lack at their beginning. One line for all that began together with the watching."""
    start = rfc3339(baseline_at)
    behind = {name: began for name, began in names_began.items() if began > start}
    if len(behind) > 1 and len(behind) == len(names_began):
        text = f"watching began between {min(behind.values())} and {max(behind.values())}, after baselineAt"
        return [Missing("history", "every resource", text)]
    return [
        Missing("history", name, f"watching began at {began}, after baselineAt")
        for name, began in sorted(behind.items())
    ]
