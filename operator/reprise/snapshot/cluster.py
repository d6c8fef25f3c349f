"""The Kubernetes side of a snapshot: discovery, objects, their history, ITBench's tables, logs."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reprise.adapters import kube
from reprise.domain import errors
from reprise.snapshot import api as documents
from reprise.snapshot import events, history, logs, objects, resources, tables, watcher
from reprise.snapshot.manifest import FileEntry, Missing
from reprise.snapshot.patience import Patience
from reprise.snapshot.request import RecordRequest, rfc3339
from reprise.snapshot.resources import Resource
from reprise.snapshot.tables import Cell, json_cell

Json = dict[str, Any]
TABLE_NAME = "k8s_objects_raw.tsv"
COLUMNS = ("timestamp", "body", "namespace", "object_kind", "object_name")
# Events have a table of their own; leases and usage change all the time and say nothing of what was done.
_NOT_IN_TABLE = frozenset({"events", "leases"})
_METRICS = "metrics.k8s.io"


@dataclass
class Part:
    """What was taken. `objects`: those of the application and those without a namespace, for the topology."""

    files: list[FileEntry] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    objects: list[Json] = field(default_factory=list)
    pods: list[Json] = field(default_factory=list)


async def take(
    api: kube.Kube, root: Path, request: RecordRequest, spools: Path | None, clock: watcher.Clock
) -> Part:
    """Write everything that comes from the API server. `spools`: where the run's watcher has left its spools;
    None where nothing was watched.

    Raises Unreachable when the API server stays away, or when what no incident can do without cannot be had.
    """
    part = Part()
    patience = Patience()
    files, missing = await documents.take(api, root, request.view, patience)
    part.files += files
    part.missing += missing
    served = await resources.readable(api, request.injector_hidden, patience)
    part.missing += served.missing
    if spools is None:
        part.missing.append(Missing("history", "every resource", "nothing was watched before the recording"))
    seen = events.Seen(request)
    began: dict[str, str] = {}
    with tables.TableWriter(root, TABLE_NAME, COLUMNS) as table:
        for resource in served.resources:
            taking = _Taking(api, root, request, resource, part, _Sink(table, seen, resource, request))
            listed = await taking.take_objects(patience)
            if listed is not None and not (
                spools is not None
                and resource.watched
                and await taking.take_history(listed, watcher.spool_path(spools, resource), clock, began)
            ):
                await asyncio.to_thread(taking.tell_list)
    part.files.append(table.entry)
    part.missing += history.late(began, request.baseline_at)
    with tables.TableWriter(root, events.FILE_NAME, events.COLUMNS) as event_table:
        await asyncio.to_thread(lambda: event_table.write_rows(seen.rows()))
    part.files.append(event_table.entry)
    await _take_logs(api, root, request, part)
    return part


async def _take_logs(api: kube.Kube, root: Path, request: RecordRequest, part: Part) -> None:
    patience = Patience()
    own = [pod for pod in part.pods if pod["metadata"]["namespace"] == request.namespace]
    others = [pod for pod in part.pods if pod["metadata"]["namespace"] != request.namespace]
    with tables.TableWriter(root, logs.FILE_NAME, logs.COLUMNS) as table:
        found = [
            await logs.take(api, root, request, own, patience, table),
            await logs.take(api, root, request, others, patience),
        ]
    part.files.append(table.entry)
    for files, missing in found:
        part.files += files
        part.missing += missing


class _Sink:
    """Where observations of one resource go: a row of ITBench's tables, or nowhere."""

    def __init__(
        self, table: tables.TableWriter, seen: events.Seen, resource: Resource, request: RecordRequest
    ) -> None:
        self.table = table
        self._seen = seen
        self._resource = resource
        self._request = request
        self.is_events = (resource.group, resource.plural) == ("", "events")
        self.is_tabled = (
            resource.preferred and resource.group != _METRICS and resource.plural not in _NOT_IN_TABLE
        )

    def add(self, time: str, obj: Mapping[str, Any]) -> None:
        if self.is_events:
            self._seen.add(obj)
        elif self.is_tabled and belongs(self._resource, obj, self._request.namespace):
            self.table.write_rows([_row(time, self._resource, obj)])


def belongs(resource: Resource, obj: Mapping[str, Any], namespace: str) -> bool:
    """Whether it is the application's, or has no namespace. Of the namespaces, only the application's."""
    if resource.plural == "namespaces":
        return bool(obj["metadata"]["name"] == namespace)
    return not resource.namespaced or obj["metadata"].get("namespace") == namespace


def _row(time: str, resource: Resource, obj: Mapping[str, Any]) -> Sequence[Cell]:
    meta = obj["metadata"]
    return (time, json_cell(obj), meta.get("namespace", ""), resource.kind, meta["name"])


class _Taking:
    """One resource: its list, then its history."""

    def __init__(
        self,
        api: kube.Kube,
        root: Path,
        request: RecordRequest,
        resource: Resource,
        part: Part,
        sink: _Sink,
    ) -> None:
        self._api = api
        self._root = root
        self._request = request
        self._resource = resource
        self._part = part
        self._sink = sink
        self._kept: list[Json] = []

    async def take_objects(self, patience: Patience) -> objects.Listed | None:
        """The list, or None where it could not be had. Raises where nothing can be recorded without it."""
        try:
            listed = await patience.attempt(self._list)
        except errors.RepriseError as exc:
            if self._resource.essential:
                raise
            self._part.missing.append(Missing("objects", self._resource.name, str(exc)))
            return None
        self._part.files.append(listed.entry)
        if self._sink.is_tabled:
            self._part.objects += [
                obj for obj in self._kept if belongs(self._resource, obj, self._request.namespace)
            ]
        if (self._resource.group, self._resource.plural) == ("", "pods"):
            self._part.pods += self._kept
        return listed

    async def _list(self) -> objects.Listed:
        self._kept.clear()
        keep = self._kept.append if self._sink.is_tabled or self._sink.is_events else None
        return await objects.take(self._api, self._root, self._resource, self._request.view, keep)

    async def take_history(
        self, listed: objects.Listed, spool: Path, clock: watcher.Clock, began: dict[str, str]
    ) -> bool:
        """Whether there is a history; then its observations are in the tables."""
        name = self._resource.name
        why = await history.catch_up(self._api, self._resource, listed, spool, clock)
        before = self._sink.table.mark()
        try:
            told = await asyncio.to_thread(
                history.write,
                self._root,
                spool,
                self._resource,
                self._request,
                listed.resource_version,
                self._observe,
            )
        except (errors.Corrupt, errors.NotFound) as exc:
            self._sink.table.rewind(before)
            self._part.missing.append(Missing("history", name, why or str(exc)))
            return False
        self._part.files.append(told.entry)
        self._part.missing += told.missing
        if why:
            self._part.missing.append(Missing("history", name, why))
        began[name] = told.began_at
        return True

    def _observe(self, seen: history.Observation) -> None:
        # An Event that expires, or an object that turned hidden, is nothing that was observed of it.
        gone = seen.type == "DELETED"
        if not (gone and (self._sink.is_events or seen.cells == [])):
            self._sink.add(seen.time, seen.object)

    def tell_list(self) -> None:
        """Without a history, each object was observed once."""
        time = rfc3339(self._request.recorded_at)
        for obj in self._kept:
            self._sink.add(time, obj)
