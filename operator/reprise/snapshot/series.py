"""`metrics/series.jsonl`: every series that an agent may see, with its raw samples; `metrics/metadata.json`.

One metric is read, written and forgotten at a time, so that what is held at once is one metric's samples. The
order is that of the names, within a name that of the sorted labels.
"""

import asyncio
import datetime as dt
import functools
import itertools
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reprise.adapters import prometheus, remote_read
from reprise.domain import errors, redaction, telemetry
from reprise.snapshot import tables
from reprise.snapshot.manifest import FileEntry, Missing
from reprise.snapshot.patience import patiently
from reprise.snapshot.request import RecordRequest

FILE_NAME = "metrics/series.jsonl"
METADATA_NAME = "metrics/metadata.json"
SIGNAL = "metrics"


@dataclass
class Taken:
    """What was written, and what ought to have been and could not be had."""

    files: list[FileEntry] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)


async def take(
    source: prometheus.Prometheus,
    root: Path,
    request: RecordRequest,
) -> Taken:
    """Write both files. Raises Unreachable when Prometheus gives nothing at all.

    When it stops answering for the request's patience half-way, the metrics from there on are one gap.
    """
    taken = Taken()
    start_ms, end_ms = window_ms(request)
    start, end = request.baseline_at.timestamp(), request.recorded_at.timestamp()
    known = functools.partial(source.series_names, start, end)
    names = await patiently(known, request.patience_seconds)
    added = await patiently(source.external_labels, request.patience_seconds)
    shown = [name for name in names if not redaction.mentions(request.view, name)]
    with tables.FileWriter(root, FILE_NAME) as out:
        for name in shown:
            read = functools.partial(source.read_raw, name, start_ms, end_ms, added)
            try:
                found = await patiently(read, request.patience_seconds)
            except errors.InvalidInput as exc:
                taken.missing.append(Missing(SIGNAL, name, str(exc)))
                continue
            except errors.Unreachable as exc:
                if not out.rows:
                    raise
                taken.missing.append(Missing(SIGNAL, f"metrics from {name} on", str(exc)))
                break
            if any(one.histograms for one in found):
                taken.missing.append(Missing(SIGNAL, name, "native histograms are not recorded"))
            await asyncio.to_thread(_write, out, found, request)
    taken.files.append(out.entry)
    await _take_metadata(source, root, request, taken)
    return taken


async def _take_metadata(
    source: prometheus.Prometheus, root: Path, request: RecordRequest, taken: Taken
) -> None:
    try:
        found = await patiently(source.metadata, request.patience_seconds)
    except errors.Unreachable as exc:
        taken.missing.append(Missing(SIGNAL, "metadata", str(exc)))
        return
    shown = telemetry.metadata(request.view, dict(sorted(found.items())))
    taken.files.append(tables.write_json(root, METADATA_NAME, shown, len(shown)))


def _write(out: tables.FileWriter, found: Iterable[remote_read.RawSeries], request: RecordRequest) -> None:
    """One line a series that an agent may see and that has samples."""
    view = request.view
    for one in found:
        if one.times_ms and not telemetry.hides(view, dict(one.labels)):
            out.write(json.dumps(row(one), ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
            out.rows += 1


def row(series: remote_read.RawSeries) -> dict[str, Any]:
    """A series as its line holds it: times as the first (ms since 1970) and then the differences."""
    times = series.times_ms
    return {
        "metric": dict(series.labels),
        "t": [times[0], *(later - earlier for earlier, later in itertools.pairwise(times))],
        "v": [remote_read.value_text(value) for value in series.values],
    }


def window_ms(request: RecordRequest) -> tuple[int, int]:
    """First and last whole millisecond since 1970 within the window."""
    millisecond = dt.timedelta(milliseconds=1)
    epoch = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    return -((epoch - request.baseline_at) // millisecond), (request.recorded_at - epoch) // millisecond
