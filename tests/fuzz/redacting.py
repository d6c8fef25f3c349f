"""Targets `redaction`, `telemetry` and `logs`: what the rules leave of what the systems behind say."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

from reprise.adapters.streams import MAX_LINE_BYTES, whole_lines
from reprise.domain import discovery, errors, redaction
from reprise.domain.access import ApiPath
from reprise.domain.redaction import View
from reprise.gateway import jaeger, prometheus, promql, shape
from reprise.gateway.watch import Watch
from tests.fuzz import oracle
from tests.fuzz.draw import Draw

Json = dict[str, Any]
START = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
NOW = datetime(2026, 1, 2, 13, 0, tzinfo=UTC)
RUN = "netpol-incident-7"
VIEWS = (View(START, run=RUN), View(START, injector_hidden=False))
RESOURCES = (
    ("", "pods"),
    ("", "events"),
    ("events.k8s.io", "events"),
    ("", "nodes"),
    ("", "namespaces"),
    ("rbac.authorization.k8s.io", "clusterroles"),
    ("", "configmaps"),
)
FORMS = ("json", "partial", "table")


def redaction_target(data: bytes) -> None:
    """Objects, rows and watch events of the Kubernetes API."""
    draw = Draw(data)
    view = VIEWS[draw.below(2)]
    group, resource = RESOURCES[draw.below(len(RESOURCES))]
    path = ApiPath(group, "v1", "", resource, "", "")
    form = FORMS[draw.below(3)]
    include = ("None", "Metadata", "Object")[draw.below(3)]
    watch = Watch(view, path, form, include)
    shown: set[str] = set()
    for _ in range(1 + draw.below(3)):
        obj = draw.object()
        row = {"cells": [draw.value(2) for _ in range(draw.below(4))], "object": obj}
        if draw.byte() & 1:
            row["conditions"] = [draw.texts()]
        body = {
            "json": lambda obj=obj, row=row: shape.as_object(view, path, obj),
            "partial": lambda obj=obj, row=row: shape.as_partial(view, path, obj),
            "table": lambda obj=obj, row=row: shape.as_row(view, path, row, include),
        }[form]()
        if body is not None:
            _object(view, resource, obj, body, row if form == "table" else None)
        kind = ("ADDED", "MODIFIED", "DELETED")[draw.below(3)]
        sent = row if form == "table" else obj
        event = {"type": kind, "object": {"kind": "Table", "rows": [sent]} if form == "table" else sent}
        line = json.dumps(event, ensure_ascii=True).encode()
        told = watch.filter(line)
        uid = obj["metadata"]["uid"]
        if told is not None:
            answer = oracle.check_document(
                told, [event, "ADDED", "DELETED", "columnDefinitions", "type"], view.injector_hidden
            )
            # What was never shown is not told of; what goes is told of once.
            if answer["type"] == "DELETED" and body is None and uid not in shown:
                raise oracle.Leak(f"a watch tells of what it never showed: {told[:300]!r}")
        if body is None:
            shown.discard(uid)
        else:
            shown.add(uid)


def _object(view: View, resource: str, obj: Json, body: bytes, row: Json | None) -> None:
    answer = oracle.check_document(body, row or obj, view.injector_hidden)
    hidden = {"reprise-system", "reprise-agents"} | ({"chaos-mesh"} if view.injector_hidden else set())
    meta = obj["metadata"]
    if meta.get("namespace") in hidden or (resource == "namespaces" and meta["name"] in hidden):
        raise oracle.Leak(f"an object of a hidden namespace: {body[:300]!r}")
    shown = answer.get("object") or {} if row else answer
    oracle.check_metadata(shown.get("metadata") or {})
    if row and len(answer["cells"]) != len(row["cells"]):
        raise oracle.Leak(f"cells have lost their places: {body[:300]!r}")
    if not row and shape.as_object(view, ApiPath("", "v1", "", "pods", "", ""), answer) != body:
        raise AssertionError(f"cleaning what is clean changes it: {body[:300]!r}")


def telemetry_target(data: bytes) -> None:
    """Prometheus' and Jaeger's answers, merged alerts, and what discovery says."""
    draw = Draw(data)
    view = VIEWS[draw.below(2)]
    kinds: tuple[Callable[[View, Draw], tuple[Any, Any]], ...] = (
        _series,
        _rules,
        _values,
        _traces,
        _groups,
        _alerts,
    )
    given, answer = kinds[draw.below(len(kinds))](view, draw)
    words = ["status", "success", "data", "result", "total", "limit", "offset", "errors", *_ALERT_WORDS]
    oracle.check_document(json.dumps(answer).encode(), [given, *words], view.injector_hidden)


_ALERT_WORDS = (
    "state", "labels", "annotations", "activeAt", "expr", "resolvedAt", "resolved", "2026-01-02T12:00:00Z",
    "2026-01-02T12:00:10Z", "2026-01-02T12:00:15Z", "groups", "interval", "name", "rules", "alerts",
    "verbs", "resources",
)  # fmt: skip


def _series(view: View, draw: Draw) -> tuple[Any, Any]:
    rows = [{"metric": draw.texts(), "values": [[1767355200, "1"]]} for _ in range(draw.below(4))]
    kind = ("vector", "matrix", "scalar", "string")[draw.below(4)]
    result: Any = rows if draw.below(4) or kind in ("vector", "matrix") else [1, "1"]
    given = {"status": "success", "data": {"resultType": kind, "result": result}, "warnings": [draw.text()]}
    if kind in ("scalar", "string"):
        given["data"] = {"resultType": kind, "result": [1767355200, "1"]}
    return given, _metrics(view, "query_range", given, draw)


def _encoded(given: Json, draw: Draw) -> bytes:
    """As UTF-8 or with escapes, as the draw has it. Half a surrogate cannot be written in the first."""
    return json.dumps(given).encode() if draw.byte() & 1 else redaction.dump(given)


def _metrics(view: View, endpoint: str, given: Json, draw: Draw) -> Json:
    """What is shown; nothing when the answer is refused, as one with half a surrogate is."""
    try:
        shown: Json = json.loads(prometheus.filtered(view, endpoint, _encoded(given, draw)))
    except errors.Unreachable:
        return {"status": "success", "data": {"groups": [], "result": []}}
    return shown


def _rules(view: View, draw: Draw) -> tuple[Any, Any]:
    groups = [
        {"name": draw.text(), "file": draw.text(), "rules": [_rule(draw) for _ in range(draw.below(3))]}
        for _ in range(draw.below(3))
    ]
    given = {"status": "success", "data": {"groups": groups}}
    answer = _metrics(view, "rules", given, draw)
    if any("file" in group for group in answer["data"]["groups"]):
        raise oracle.Leak("the file of a rule")
    return given, answer


def _rule(draw: Draw) -> Json:
    alerts = [
        {"labels": draw.texts(), "annotations": draw.texts(), "state": "firing"} for _ in range(draw.below(3))
    ]
    return {"name": draw.text(), "query": draw.text(), "labels": draw.texts(), "alerts": alerts}


def _values(view: View, draw: Draw) -> tuple[Any, Any]:
    endpoint = ("series", "labels", "label/x/values", "metadata", "alerts")[draw.below(5)]
    data: Any = [draw.text() for _ in range(draw.below(4))]
    if endpoint == "series":
        data = [draw.texts() for _ in range(draw.below(4))]
    elif endpoint == "metadata":
        data = {draw.text(): [draw.texts()] for _ in range(draw.below(4))}
    elif endpoint == "alerts":
        data = {"alerts": [{"labels": draw.texts()} for _ in range(draw.below(4))]}
    given = {"status": "success", "data": data}
    return given, _metrics(view, endpoint, given, draw)


def _traces(view: View, draw: Draw) -> tuple[Any, Any]:
    if draw.byte() & 1:
        data: Any = [draw.value(3) for _ in range(draw.below(4))]
        data = [item for item in data if not isinstance(item, dict) or "spans" not in item]
    else:
        data = [_trace(draw) for _ in range(draw.below(3))]
    given = {"data": data}
    try:
        answer = json.loads(jaeger.filtered(view, _encoded(given, draw))[0])
    except errors.Unreachable:
        answer = {"data": []}
    for item in answer["data"]:
        spans = item.get("spans", ()) if isinstance(item, dict) else ()
        early = [span for span in spans if span["startTime"] < START.timestamp() * 1e6]
        if early:
            raise oracle.Leak(f"a trace from before the window: {early!r:.300}")
    return given, answer


def _trace(draw: Draw) -> Json:
    spans = [
        {
            "startTime": int(START.timestamp() * 1e6) + 1000 * (draw.byte() - 20),
            "operationName": draw.text(),
            "tags": [{"key": draw.key(), "value": draw.text()}],
        }
        for _ in range(draw.below(4))
    ]
    return {"traceID": "a", "spans": spans, "processes": {"p1": {"serviceName": draw.text()}}}


def _groups(view: View, draw: Draw) -> tuple[Any, Any]:
    groups = ("apps", "chaos-mesh.org", "reprise.dev", "", draw.text())
    listed = [{"name": group, "versions": []} for group in groups]
    found = discovery.groups({"kind": "APIGroupList", "groups": listed}, view.injector_hidden)
    body = json.loads(redaction.encode(view, found))
    return {"kind": "APIGroupList", "groups": listed}, body


def _alerts(view: View, draw: Draw) -> tuple[Any, Any]:
    rules = {"data": {"groups": [{"rules": [_rule(draw)]}]}}
    rows = [
        {"metric": {**draw.texts(), "alertstate": "firing"}, "values": [[1767355200, "1"], [1767355210, "1"]]}
        for _ in range(draw.below(3))
    ]
    history = {"status": "success", "data": {"resultType": "matrix", "result": rows}}
    merged = promql.merge_alerts(
        _metrics(view, "rules", rules, draw),
        _metrics(view, "query_range", history, draw),
        NOW,
        5,
    )
    return [rules, history], merged


class _Pieces:
    """A stream's body in the pieces it is given."""

    status = 200

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces
        self.content = self

    async def iter_any(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece


def logs_target(data: bytes) -> None:
    """A log that comes in pieces, some of its lines longer than anybody reads."""
    draw = Draw(data)
    view = VIEWS[draw.below(2)]
    size, long_at = 1 + draw.below(40), draw.byte()
    text = b"\n".join(draw.text().encode(errors="replace") for _ in range(draw.below(20))) + draw.rest()
    if long_at > 250:
        text = text.replace(b"\n", b"x" * (MAX_LINE_BYTES + 1), 1)
        size *= 100_000
    pieces = [text[at : at + size] for at in range(0, len(text), size)]

    async def read() -> bytes:
        kept: list[bytes] = []
        async for batch in whole_lines(_Pieces(pieces)):  # type: ignore[arg-type]
            kept += redaction.keep_lines(view, batch)
        return b"".join(kept)

    shown = asyncio.run(read())
    oracle.check_words(shown, view.injector_hidden)
    if view.run and RUN.encode() in shown.lower():
        raise oracle.Leak(f"the run's name in a line of a log: {shown[:300]!r}")
    if not set(shown.split(b"\n")) <= set(text.split(b"\n")) | {b""}:
        raise oracle.Leak("half a line, or one that was never there")
