"""Traces on disk in the order in which they were found, and one short entry a trace in memory."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import IO, Any, NamedTuple

from reprise.domain import telemetry
from reprise.snapshot import traces
from reprise.snapshot.calls import Calls
from reprise.snapshot.request import RecordRequest
from reprise.snapshot.tables import Cell, json_cell

Json = dict[str, Any]


class Entry(NamedTuple):
    """One trace: where it lies in the spool (bytes), and its row of the index. Sorts by beginning and id."""

    start_us: int
    trace_id: str
    end_us: int
    offset: int
    size: int
    spans: int
    pairs: str


class Spool:
    """Holds the newest version of every trace that an agent may see. Not for concurrent use."""

    def __init__(self, file: IO[bytes], request: RecordRequest) -> None:
        self._file = file
        self._view = request.view
        self._end_us = traces.nanoseconds(request.recorded_at) // 1000
        self._size = 0
        self.entries: dict[str, Entry] = {}

    def add(self, found: Iterable[Json]) -> None:
        """Take traces (Jaeger's UI JSON) in the place of what was known of them; spans that began after the
        window's end are left out."""
        for trace in found:
            spans = [span for span in trace["spans"] if span["startTime"] <= self._end_us]
            shown = canonical({**trace, "spans": spans})
            trace_id = str(trace["traceID"])
            self.entries.pop(trace_id, None)
            if spans and not telemetry.hides_trace(self._view, shown):
                self.entries[trace_id] = self._append(shown)

    def _append(self, trace: Json) -> Entry:
        line = json.dumps(trace, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        self._file.seek(self._size)
        self._file.write(line)
        entry = Entry(
            start_us=min(span["startTime"] for span in trace["spans"]),
            trace_id=trace["traceID"],
            end_us=max(span["startTime"] + span["duration"] for span in trace["spans"]),
            offset=self._size,
            size=len(line),
            spans=len(trace["spans"]),
            # The same few lists come again and again.
            pairs=sys.intern(json_cell(pairs(trace))),
        )
        self._size += len(line)
        return entry

    def line(self, entry: Entry) -> bytes:
        """The trace as one line."""
        self._file.seek(entry.offset)
        return self._file.read(entry.size)


def canonical(trace: Json) -> Json:
    """The trace in the one of its forms that does not hang on when it was asked for.

    Jaeger's store in memory answers with the spans, and so the numbers of the processes, in an order of
    chance, and says a span's warnings once more each time that it is read. Here spans are in the order of
    their beginning, processes are numbered as spans name them first, and each warning stands once.
    """
    spans = sorted(trace["spans"], key=lambda span: (span["startTime"], span["spanID"]))
    numbers = {old: f"p{n}" for n, old in enumerate(dict.fromkeys(span["processID"] for span in spans), 1)}
    return {
        **trace,
        "spans": [
            {
                **span,
                "processID": numbers[span["processID"]],
                "warnings": list(dict.fromkeys(span["warnings"])) if span["warnings"] else None,
            }
            for span in spans
        ],
        "processes": {
            new: trace["processes"][old] for old, new in numbers.items() if old in trace["processes"]
        },
    }


def pairs(trace: Json) -> list[tuple[str, str, str]]:
    """Distinct (service, operation, span.kind) of a trace's spans, sorted; a kind that is not known is ""."""
    services = {key: process["serviceName"] for key, process in trace["processes"].items()}
    return sorted(
        {
            (
                services.get(span["processID"], ""),
                span["operationName"],
                next((str(tag["value"]) for tag in span["tags"] if tag["key"] == "span.kind"), ""),
            )
            for span in trace["spans"]
        }
    )


def index_row(entry: Entry, offset: int) -> Sequence[Cell]:
    """The row of `traces/index.tsv` for a trace that lies at `offset` of the sorted file."""
    return (
        entry.trace_id,
        entry.start_us,
        entry.end_us,
        offset,
        entry.size,
        entry.spans,
        entry.pairs,
    )


def application_calls(calls: Calls, line: bytes, namespace: str) -> None:
    """Count a trace's calls if it touches the application (by the rule of `traces.belongs`)."""
    trace = json.loads(line)
    processes = trace["processes"].values()
    named = {
        str(tag["value"])
        for process in processes
        for tag in process.get("tags") or ()
        if tag["key"] == "k8s.namespace.name"
    }
    if namespace in named if named else any(p["serviceName"] != traces.BACKEND for p in processes):
        calls.add(trace)
