"""The API server of a snapshot, in process: discovery, get, list, watch and logs."""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from reprise.adapters import kube
from reprise.domain import access, discovery, errors
from reprise.domain.access import ApiPath
from reprise.replay import logs, selectors, watch
from reprise.replay.answers import JSON, Failure, Stream, dump, no_resource, not_found
from reprise.replay.clock import Clock
from reprise.replay.collection import Collection
from reprise.replay.history import Entry
from reprise.replay.source import Source

Json = dict[str, Any]
_AGGREGATED = {"/api": "api.aggregated", "/apis": "apis.aggregated"}
_NO_TABLE = (
    "the server was unable to respond with a content type that the client supports: "
    "only the following media types are accepted: application/json"
)


class SnapshotKube:
    """Answers what the gateway asks (`gateway.upstream.Source`). Holds the objects; logs stay on disk."""

    def __init__(self, source: Source, clock: Clock) -> None:
        """Raises Corrupt when the objects cannot be read."""
        self._root = source.root
        self._clock = clock
        self._collections: dict[tuple[str, str, str], Collection] = {}
        for path in sorted((source.root / "objects").glob("*.jsonl")):
            made = Collection(source.root, path.name, clock)
            self._collections[made.group, made.version, made.plural] = made

    # -- as the gateway asks --------------------------------------------------------------------

    def version_of(self, path: str) -> str | None:
        """What is served at `path` now; None for what is not kept."""
        parsed = access.parse(tuple(path.strip("/").split("/")))
        found = self._collection(parsed) if parsed else None
        return None if found is None else found.state

    async def read(
        self, path: str, query: Sequence[tuple[str, str]] = (), accept: str = JSON
    ) -> kube.Response:
        """A GET of discovery, an object or a list."""
        try:
            return self._read(path, dict(query), accept)
        except Failure as exc:
            return exc.response

    async def open(
        self,
        path: str,
        query: Sequence[tuple[str, str]] = (),
        accept: str = JSON,
        timeout_seconds: float = kube.REQUEST_TIMEOUT_SECONDS,
    ) -> Stream:
        """A GET whose body comes in pieces. A watch ends at its own `timeoutSeconds`."""
        given = dict(query)
        parsed = access.parse(tuple(path.strip("/").split("/")))
        try:
            if parsed is not None and parsed.subresource == "log":
                return logs.stream(self._root, self._pod(parsed), given, self._clock)
            if parsed is not None and given.get("watch") in ("true", "1"):
                return self._watch(parsed, given, accept)
        except Failure as exc:
            return Stream.of(exc.response)
        return Stream.of(await self.read(path, query, accept))

    async def request(self, method: str, path: str, **options: Any) -> Json:
        """A GET that must succeed. Raises what `Kube.request` raises."""
        if method != "GET":
            raise errors.Refused(f"{method} {path}: expected GET: a snapshot is never written to")
        answer = await self.read(path, options.get("query", ()))
        if answer.status != 200:
            raise kube.translate(answer.status, answer.body, f"{method} {path}")
        document: Json = answer.json()
        return document

    # -- objects --------------------------------------------------------------------------------

    def _collection(self, path: ApiPath) -> Collection | None:
        return self._collections.get((path.group, path.version, path.resource))

    def _read(self, path: str, query: Mapping[str, str], accept: str) -> kube.Response:
        parsed = access.parse(tuple(path.strip("/").split("/")))
        if parsed is None:
            return self._document(path, accept)
        found = self._collection(parsed)
        if found is None:
            # openapi/v3/apis/… and the like are no resources either, but documents.
            return self._document(path, accept)
        if parsed.subresource:
            raise no_resource()
        table = "as=Table" in accept
        if table and found.columns is None:
            raise Failure(406, _NO_TABLE)
        document = (
            self._get(found, parsed, query, table) if parsed.name else _list(found, parsed, query, table)
        )
        return kube.Response(200, JSON, dump(document))

    def _document(self, path: str, accept: str) -> kube.Response:
        name = path.strip("/").replace("/", "~")
        if accept == discovery.AGGREGATED:
            name = _AGGREGATED.get(path, name)
        try:
            return kube.Response(200, JSON, (self._root / "api" / f"{name}.json").read_bytes())
        except FileNotFoundError:
            raise no_resource() from None

    def _get(self, found: Collection, path: ApiPath, query: Mapping[str, str], table: bool) -> Json:
        entry = found.find(path.namespace, path.name)
        if entry is None:
            raise not_found(path)
        if not table:
            return entry.object
        version = entry.object["metadata"].get("resourceVersion", "")
        return _table(found, [entry], query, {"resourceVersion": version})

    def _pod(self, path: ApiPath) -> Json:
        found = self._collection(path)
        entry = found.find(path.namespace, path.name) if found else None
        if entry is None:
            raise not_found(path)
        return entry.object

    # -- watch ----------------------------------------------------------------------------------

    def _watch(self, path: ApiPath, query: Mapping[str, str], accept: str) -> Stream:
        found = self._collection(path)
        if found is None:
            raise no_resource()
        if path.group == "metrics.k8s.io":
            raise Failure(405, "watch is not supported on resources of kind " + repr(path.resource))
        asked = watch.Asked(
            namespace=path.namespace,
            selects=selector(found, query),
            since=query.get("resourceVersion", ""),
            initial=query.get("sendInitialEvents") in ("true", "1"),
            include=(query.get("includeObject") or "Metadata") if "as=Table" in accept else None,
            seconds=float(query.get("timeoutSeconds") or 1800),
        )
        return Stream(200, watch.events(found, asked, self._clock))


def selector(found: Collection, query: Mapping[str, str]) -> selectors.Matches:
    """What both selectors of a query select. Raises Failure with the API server's words."""
    try:
        conditions = [
            selectors.labels(query.get("labelSelector", "")),
            selectors.fields(query.get("fieldSelector", ""), found.group, found.plural),
        ]
    except errors.InvalidInput as exc:
        raise Failure(400, str(exc)) from exc
    return lambda obj: all(matches(obj) for matches in conditions)


def _list(found: Collection, path: ApiPath, query: Mapping[str, str], table: bool) -> Json:
    selects = selector(found, query)
    # The metrics API knows no pages.
    limit = int(query.get("limit") or 0) if found.group != "metrics.k8s.io" else 0
    after, version = _opened(query.get("continue", "")) if query.get("continue") else ("", found.revision)
    chosen: list[Entry] = []
    last, more = "", False
    for key, entry in found.entries(path.namespace, after):
        if not selects(entry.object):
            continue
        if limit and len(chosen) == limit:
            more = True
            break
        chosen.append(entry)
        last = key
    meta: Json = {"resourceVersion": version} if version else {}
    if more:
        meta["continue"] = base64.urlsafe_b64encode(dump([last, version])).decode()
    if table:
        return _table(found, chosen, query, meta)
    items = [entry.object for entry in chosen]
    if found.group != access.INJECTOR_GROUP:
        # In lists the server tells the type of the elements once; those of custom resources tell it each.
        items = [{k: v for k, v in obj.items() if k not in ("kind", "apiVersion")} for obj in items]
    head = found.head
    return {"kind": head["kind"], "apiVersion": head["apiVersion"], "metadata": meta, "items": items}


def _opened(token: str) -> tuple[str, str]:
    try:
        key, version = json.loads(base64.urlsafe_b64decode(token))
        return str(key), str(version)
    except ValueError as exc:
        raise Failure(400, "continue key is not valid") from exc


def _table(found: Collection, entries: list[Entry], query: Mapping[str, str], meta: Json) -> Json:
    include = query.get("includeObject") or "Metadata"
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": meta,
        "columnDefinitions": found.columns,
        "rows": [found.row(entry, include) for entry in entries],
    }
