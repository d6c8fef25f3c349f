"""Spans at Jaeger against spans in a snapshot: nothing lost, nothing twice.

The source is counted by another road than that by which it was recorded: service by service, by a search of
the UI's API, each span in the slice in which it began.
"""

import csv
import json
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reprise.adapters import jaeger
from reprise.domain import errors, telemetry
from reprise.snapshot import trace_store, traces
from reprise.snapshot.request import RecordRequest

Json = dict[str, Any]
SLICE_US = 10_000_000
LIMIT = 200
# Narrower than this a slice is asked for with the highest limit that Jaeger takes in its place.
_NARROWEST_US = 1000
_HIGHEST_LIMIT = 10_000


@dataclass(frozen=True)
class Audit:
    """Numbers of spans; `lost` and `twice` name them as `<trace id>/<span id>`, at most `SHOWN` of each."""

    SHOWN = 100

    at_source: int
    written: int
    lost: tuple[str, ...]
    twice: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return self.at_source == self.written and not self.lost and not self.twice


async def audit(source: jaeger.Jaeger, root: Path, request: RecordRequest) -> Audit:
    """Compare a snapshot's traces with what Jaeger has of the same window.

    Spans that reached Jaeger after the recording count as lost, so ask when the window's spans are all in.
    Holds one answer and the index. Raises Unreachable without an answer, Corrupt for a snapshot that cannot
    be read.
    """
    try:
        index = _index(root)
        with (root / trace_store.FILE_NAME).open("rb") as lines:
            written, twice = _written(lines)
            at_source, lost = 0, []
            for service in await source.ui_services():
                async with aclosing(_search(source, service, request)) as found:
                    async for trace, first, last in found:
                        begun = _begun(trace, service, first, last, request)
                        kept = _spans_at(lines, index.get(trace["traceID"]))
                        at_source += len(begun)
                        lost += [f"{trace['traceID']}/{span}" for span in begun if span not in kept]
    except (OSError, ValueError, KeyError) as exc:
        raise errors.Corrupt(f"{root}: expected the traces of a snapshot, found {exc!r}") from exc
    return Audit(at_source, written, tuple(lost[: Audit.SHOWN]), tuple(twice[: Audit.SHOWN]))


def _index(root: Path) -> dict[str, tuple[int, int]]:
    """Trace id to offset and size of its line."""
    csv.field_size_limit(1 << 30)
    with (root / trace_store.INDEX_NAME).open(encoding="utf-8", newline="") as rows:
        return {
            row["trace_id"]: (int(row["offset"]), int(row["bytes"]))
            for row in csv.DictReader(rows, delimiter="\t")
        }


def _written(lines: Iterator[bytes]) -> tuple[int, list[str]]:
    """How many spans there are, and which of them more than once."""
    total, twice = 0, []
    known: set[str] = set()
    for line in lines:
        trace = json.loads(line)
        counts = Counter(span["spanID"] for span in trace["spans"])
        total += counts.total()
        again = trace["traceID"] in known
        twice += [f"{trace['traceID']}/{span}" for span, count in counts.items() if again or count > 1]
        known.add(trace["traceID"])
    return total, twice


def _spans_at(lines: Any, place: tuple[int, int] | None) -> set[str]:
    if place is None:
        return set()
    lines.seek(place[0])
    return {span["spanID"] for span in json.loads(lines.read(place[1]))["spans"]}


async def _search(
    source: jaeger.Jaeger, service: str, request: RecordRequest
) -> AsyncGenerator[tuple[Json, int, int], None]:
    """Every trace of a service with the slice (microseconds, both ends in it) in which it was found."""
    start, end = (traces.nanoseconds(at) // 1000 for at in (request.view.window_start, request.recorded_at))
    slices = [(at, min(at + SLICE_US - 1, end)) for at in range(start, end + 1, SLICE_US)]
    while slices:
        first, last = slices.pop()
        narrow = last - first < _NARROWEST_US
        limit = _HIGHEST_LIMIT if narrow else LIMIT
        # NB: a span may begin a part of a microsecond after `last`; whose slice it is, its start tells.
        found = await source.ui_search(service, first, last + 1, limit)
        if len(found) >= limit and not narrow:
            middle = (first + last) // 2
            slices += [(first, middle), (middle + 1, last)]
            continue
        for trace in found:
            yield trace, first, last


def _begun(trace: Json, service: str, first: int, last: int, request: RecordRequest) -> list[str]:
    """Ids of the service's spans that began within the slice, if the trace may be seen at all."""
    if telemetry.hides_trace(request.view, trace):
        return []
    services = {key: process["serviceName"] for key, process in trace["processes"].items()}
    return [
        span["spanID"]
        for span in trace["spans"]
        if first <= span["startTime"] <= last and services.get(span["processID"], "") == service
    ]
