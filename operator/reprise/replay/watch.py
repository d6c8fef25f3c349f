"""Watch events, out of what was recorded."""

import asyncio
import datetime as dt
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from reprise.gateway import reply
from reprise.replay.answers import dump
from reprise.replay.clock import Clock
from reprise.replay.collection import Collection
from reprise.replay.history import DELETED, Entry, revision
from reprise.replay.selectors import Matches

Json = dict[str, Any]
INITIAL_END = "k8s.io/initial-events-end"


@dataclass(frozen=True)
class Asked:
    """`namespace` is empty for all. `include` is None for plain objects, else what rows of a Table carry.
    `since` is a resourceVersion: empty or 0 begins with what there is. `seconds` is how long it lasts."""

    namespace: str
    selects: Matches
    since: str
    initial: bool
    include: str | None
    seconds: float


async def events(found: Collection, asked: Asked, clock: Clock) -> AsyncGenerator[bytes, None]:
    """Lines of JSON as time goes by; where it stands still nothing happens after the first ones."""
    ends = time.monotonic() + asked.seconds
    encoder = _Encoder(found, asked)
    history = found.history
    if asked.since in ("", "0") or asked.initial:
        version = found.revision
        for _, entry in list(found.entries(asked.namespace)):
            if asked.selects(entry.object):
                yield encoder.event("ADDED", entry)
        if asked.initial:
            yield encoder.bookmark(version)
    else:
        version = asked.since
        if revision(version) < history.oldest:
            message = f"too old resource version: {version} ({history.oldest})"
            yield dump({"type": "ERROR", "object": reply.status_body(410, message, "Expired")}) + b"\n"
            return
    for index in range(history.after(revision(version)), len(history.records)):
        if not await _comes(history.records[index].time, clock, ends):
            break
        if event := _change(found, index, asked, encoder):
            yield event
    await asyncio.sleep(max(0.0, ends - time.monotonic()))


async def _comes(moment: dt.datetime, clock: Clock, ends: float) -> bool:
    """Wait for a moment; False when the watch ends before, or it never comes."""
    try:
        async with asyncio.timeout(max(0.0, ends - time.monotonic())):
            return await clock.reach(moment)
    except TimeoutError:
        return False


def _change(found: Collection, index: int, asked: Asked, encoder: "_Encoder") -> bytes | None:
    """A change as this watch sees it: what begins to be selected is added, what no longer is, deleted."""
    record = found.history.records[index]
    if asked.namespace and not record.key.startswith(f"{asked.namespace}/"):
        return None
    entry = found.history.entry(index)
    previous = found.history.before(index)
    was = previous is not None and asked.selects(previous.object)
    if record.type == DELETED:
        # Recorded only the deletion: then the last state says whether it was selected.
        was = was or (previous is None and asked.selects(entry.object))
        return encoder.event(DELETED, entry) if was else None
    match (was, asked.selects(entry.object)):
        case (True, True):
            return encoder.event("MODIFIED", entry)
        case (False, True):
            return encoder.event("ADDED", entry)
        case (True, False):
            return encoder.event(DELETED, entry)
        case _:
            return None


class _Encoder:
    """Events of one watch. A Table names its columns in the first one only."""

    def __init__(self, found: Collection, asked: Asked) -> None:
        self._found = found
        self._include = asked.include
        self._columns: Any = found.columns

    def event(self, kind: str, entry: Entry) -> bytes:
        obj = entry.object
        if self._include is not None:
            obj = self._table(
                self._found.row(entry, self._include), obj["metadata"].get("resourceVersion", "")
            )
        return dump({"type": kind, "object": obj}) + b"\n"

    def bookmark(self, version: str) -> bytes:
        meta = {
            "resourceVersion": version,
            "creationTimestamp": None,
            "annotations": {INITIAL_END: "true"},
        }
        head = self._found.head
        obj: Json = {"kind": head["itemKind"], "apiVersion": head["apiVersion"], "metadata": meta}
        if self._include is not None:
            # Cells fill the columns and tell nothing.
            cells = ["" for _ in self._found.columns or ()]
            partial = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": meta}
            obj = self._table({"cells": cells, "object": partial}, version)
        return dump({"type": "BOOKMARK", "object": obj}) + b"\n"

    def _table(self, row: Json, version: str) -> Json:
        columns, self._columns = self._columns, None
        return {
            "kind": "Table",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": {"resourceVersion": version},
            "columnDefinitions": columns,
            "rows": [row],
        }
