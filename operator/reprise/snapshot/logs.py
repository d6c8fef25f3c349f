"""What the containers wrote in the window: `logs/` as it came, and the application's as `otel_logs_raw.tsv`.

A log is read in chunks, and a line may be longer than one: it is written as it comes and taken back when a
later part of it names what is hidden.
"""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp

from reprise.adapters import kube, streams
from reprise.domain import errors, redaction
from reprise.snapshot import tables
from reprise.snapshot.manifest import FileEntry, Missing
from reprise.snapshot.patience import Patience
from reprise.snapshot.request import RecordRequest, rfc3339
from reprise.snapshot.tables import Cell, attributes, text_cell

FILE_NAME = "otel_logs_raw.tsv"
COLUMNS = (
    "Timestamp", "TraceId", "SpanId", "TraceFlags", "SeverityText", "SeverityNumber", "ServiceName", "Body",
    "ResourceSchemaUrl", "ResourceAttributes", "ScopeSchemaUrl", "ScopeName", "ScopeVersion",
    "ScopeAttributes", "LogAttributes",
)  # fmt: skip
# Of one container. More than this in a few minutes is a loop; the manifest says that it was cut.
LIMIT_BYTES = 16 << 20
CHUNK_BYTES = 1 << 20
TIMEOUT_SECONDS = 120.0
_TIME_BYTES = len("2026-01-01T00:00:00.")
# In the table; in `logs/` a line is as long as it is.
LINE_BYTES = 1 << 20

# OpenTelemetry's severity numbers, by the names that loggers use.
_SEVERITY = {
    "TRACE": 1, "DEBUG": 5, "INFO": 9, "INFORMATION": 9, "NOTICE": 10, "WARN": 13, "WARNING": 13,
    "ERROR": 17, "ERR": 17, "CRITICAL": 21, "FATAL": 21, "PANIC": 21,
}  # fmt: skip
_MESSAGE = ("message", "msg", "body", "event")
_LEVEL = ("severity", "severity_text", "level", "levelname", "log.level")
_TRACE = ("trace_id", "traceId", "traceid", "otelTraceID")
_SPAN = ("span_id", "spanId", "spanid", "otelSpanID")


def what(pod: Mapping[str, Any], container: str, previous: bool) -> str:
    """How a log is called in the manifest."""
    meta = pod["metadata"]
    return f"{meta['namespace']}/{meta['name']}/{container}" + (" (previous)" if previous else "")


def file_name(pod: Mapping[str, Any], container: str, previous: bool) -> str:
    meta = pod["metadata"]
    return f"logs/{meta['namespace']}/{meta['name']}/{container}{'.previous' if previous else ''}.log"


async def take(
    api: kube.Kube,
    root: Path,
    request: RecordRequest,
    pods: Sequence[Mapping[str, Any]],
    patience: Patience,
    table: tables.TableWriter | None = None,
) -> tuple[list[FileEntry], list[Missing]]:
    """Write the log of every container of the pods, one after the other, and its rows into `table`.

    A log that cannot be had, or that is cut, is a gap; what there was of it is kept.
    """
    entries: list[FileEntry] = []
    missing: list[Missing] = []
    for pod in pods:
        for container, previous in containers(pod):
            if redaction.mentions(request.view, container):
                continue
            name = what(pod, container, previous)
            try:
                lines = await patience.attempt(
                    lambda log=(pod, container, previous): _one(api, root, request, log, table)  # type: ignore[misc]
                )
            except errors.RepriseError as exc:
                # The pod went, or its node has thrown the log away: a part is missing, the rest is good.
                missing.append(Missing("logs", name, str(exc)))
                continue
            entries.append(lines.entry)
            missing += [Missing("logs", name, why) for why in lines.cut]
    return entries, missing


async def _one(
    api: kube.Kube,
    root: Path,
    request: RecordRequest,
    log: tuple[Mapping[str, Any], str, bool],
    table: tables.TableWriter | None,
) -> "_Lines":
    """One log from its beginning. What it has written is gone when it fails."""
    pod, container, previous = log
    meta = pod["metadata"]
    query = [
        ("container", container),
        ("timestamps", "true"),
        # sinceTime counts whole seconds.
        ("sinceTime", rfc3339(request.baseline_at.replace(microsecond=0))),
        ("limitBytes", str(LIMIT_BYTES)),
        *([("previous", "true")] if previous else []),
    ]
    path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}/log"
    before = table.mark() if table else None
    response = await api.open(path, query, "*/*", timeout_seconds=TIMEOUT_SECONDS)
    try:
        async with response:
            if response.status != 200:
                body = await streams.read_capped(response)
                raise kube.translate(response.status, body, f"log of {what(pod, container, previous)}")
            with tables.FileWriter(root, file_name(pod, container, previous)) as out:
                lines = _Lines(out, table, log, request)
                async for chunk in response.content.iter_chunked(CHUNK_BYTES):
                    await asyncio.to_thread(lines.feed, chunk)
                await asyncio.to_thread(lines.end)
    except BaseException as exc:
        if table is not None and before is not None:
            table.rewind(before)
        if isinstance(exc, aiohttp.ClientError | TimeoutError):
            raise errors.Unreachable(f"log of {what(pod, container, previous)} broke off: {exc!r}") from exc
        raise
    return lines


class _Lines:
    """Takes a log apart as it comes; holds the beginning of one line at most."""

    def __init__(
        self,
        out: tables.FileWriter,
        table: tables.TableWriter | None,
        log: tuple[Mapping[str, Any], str, bool],
        request: RecordRequest,
    ) -> None:
        self._out = out
        self._table = table
        self._words = [word.encode() for word in request.view.line_words]
        self._overlap = max(map(len, self._words)) - 1
        self._end = rfc3339(request.recorded_at).encode()
        pod, container, previous = log
        self._service, self._resource = service_of(pod), resource_of(pod, container, previous)
        self._received = 0
        self._long = 0
        self._strange = ""
        self._keep_bytes = LINE_BYTES if table is not None else _TIME_BYTES
        self._begin()

    def _begin(self) -> None:
        self._mark = self._out.mark()
        self._head = bytearray()
        self._tail = b""
        self._size = 0
        self._dropped = False

    @property
    def entry(self) -> FileEntry:
        return self._out.entry

    @property
    def cut(self) -> list[str]:
        """What the file or the table lacks, for the manifest."""
        found = [f"cut after {LIMIT_BYTES} bytes"] if self._received >= LIMIT_BYTES else []
        if self._long:
            found.append(f"{self._long} lines are cut after {LINE_BYTES} bytes in {FILE_NAME}")
        if self._strange:
            found.append(f"expected lines with their times, found {self._strange!r}")
        return found

    def feed(self, chunk: bytes) -> None:
        self._received += len(chunk)
        *whole, rest = chunk.split(b"\n")
        for part in whole:
            self._part(part)
            self._finish(b"\n")
        if rest:
            self._part(rest)

    def end(self) -> None:
        """The log is over. A last line without its end stays as it is."""
        if self._size:
            self._finish(b"")

    def _part(self, part: bytes) -> None:
        self._size += len(part)
        if self._dropped:
            return
        searched = self._tail + part.lower()
        if any(word in searched for word in self._words):
            self._drop()
            return
        self._tail = searched[-self._overlap :]
        self._out.write(part)
        if (room := self._keep_bytes - len(self._head)) > 0:
            self._head += part[:room]

    def _drop(self) -> None:
        if self._out.mark().size_bytes > self._mark.size_bytes:
            self._out.rewind(self._mark)
        self._dropped = True

    def _judge(self) -> None:
        """Drop what is no line of the window, now that its beginning is there."""
        time = bytes(self._head[:_TIME_BYTES])
        if time > self._end:
            self._drop()
            if not time[:1].isdigit():
                # What the kubelet says of a log that it cannot read.
                self._strange = self._strange or self._head[:200].decode(errors="replace")

    def _finish(self, ending: bytes) -> None:
        if not self._dropped:
            self._judge()
        if not self._dropped:
            self._out.write(ending)
            self._out.rows += 1
            if self._table is not None and self._size:
                self._long += self._size > LINE_BYTES
                text = self._head.decode(errors="replace")
                self._table.write_rows([row(text, self._service, self._resource)])
        self._begin()


def containers(pod: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """(name, previous?) of every log that a pod can have: of containers that started at least once."""
    status = pod.get("status", {})
    kinds = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
    for state in (state for kind in kinds for state in status.get(kind) or ()):
        if state.get("restartCount", 0) > 0:
            yield state["name"], True
        if "waiting" not in state.get("state", {}) or state.get("restartCount", 0) > 0:
            yield state["name"], False


def resource_of(pod: Mapping[str, Any], container: str, previous: bool) -> str:
    """What is the same in every row of a log: where it comes from."""
    meta = pod["metadata"]
    return attributes(
        {
            "k8s.namespace.name": meta["namespace"],
            "k8s.pod.name": meta["name"],
            "k8s.pod.uid": meta.get("uid", ""),
            "k8s.container.name": container,
            "k8s.node.name": pod.get("spec", {}).get("nodeName", ""),
            **({"k8s.container.restart": "previous"} if previous else {}),
        }
    )


def service_of(pod: Mapping[str, Any]) -> str:
    """The `service.name` of a pod, by the labels that OpenTelemetry and Kubernetes give it."""
    labels = pod["metadata"].get("labels", {})
    for key in ("opentelemetry.io/name", "app.kubernetes.io/name", "app.kubernetes.io/component", "app"):
        if labels.get(key):
            return str(labels[key])
    return str(pod["metadata"]["name"])


def row(line: str, service: str, resource: str) -> Sequence[Cell]:
    """A line as the kubelet gives it: a time, a blank, what the container wrote."""
    time, _, text = line.partition(" ")
    fields = _fields(text)
    message = _take(fields, _MESSAGE)
    level = _take(fields, _LEVEL).upper()
    trace, span = _take(fields, _TRACE), _take(fields, _SPAN)
    return (
        time,
        "" if set(trace) <= {"0"} else trace,
        "" if set(span) <= {"0"} else span,
        0,
        level,
        _SEVERITY.get(level, 0),
        _take(fields, ("service.name", "service")) or service,
        text_cell(message if message else text),
        "",
        resource,
        "",
        text_cell(_take(fields, ("logger", "name", "scope"))),
        "",
        "{}",
        attributes(fields if message else {}),
    )


def _fields(text: str) -> dict[str, Any]:
    """A structured line as a mapping; empty for plain text."""
    if not text.startswith("{"):
        return {}
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _take(fields: dict[str, Any], keys: Sequence[str]) -> str:
    for key in keys:
        if isinstance(fields.get(key), str) and fields[key]:
            return str(fields.pop(key))
    return ""
