"""`traces/` and `otel_traces_raw.tsv`: every trace that an agent may see, whole, and what finds it again.

Jaeger is read twice: slice by slice through its API v3, which has nanoseconds and finds the traces of all
services at once, and then by id through the API of its UI, whose JSON agents get and which is kept as it is.
"""

import asyncio
import contextlib
import functools
import itertools
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reprise.adapters import jaeger
from reprise.domain import errors
from reprise.snapshot import tables, trace_names, traces
from reprise.snapshot.calls import Calls
from reprise.snapshot.manifest import FileEntry, Missing
from reprise.snapshot.patience import patiently
from reprise.snapshot.request import RecordRequest, rfc3339
from reprise.snapshot.trace_spool import Spool, application_calls, index_row

FILE_NAME = "traces/traces.jsonl"
INDEX_NAME = "traces/index.tsv"
INDEX_COLUMNS = ("trace_id", "start_us", "end_us", "offset", "bytes", "spans", "pairs")
SIGNAL = "traces"
# Whole traces in one answer: a trace has some tens of kilobytes.
BATCH = 25


@dataclass
class Taken:
    """What was written, what could not be had, and the calls between the application's services."""

    files: list[FileEntry] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    calls: Calls = field(default_factory=Calls)


async def take(source: jaeger.Jaeger, root: Path, request: RecordRequest) -> Taken:
    """Write the files of this signal. Raises Unreachable when Jaeger gives nothing at all.

    When it stops answering for the request's patience half-way, the rest of the window is one gap.
    """
    taken = Taken()
    (root / FILE_NAME).parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=(root / FILE_NAME).parent) as file:
        spool = Spool(file, request)
        with tables.TableWriter(root, traces.FILE_NAME, traces.COLUMNS) as table:
            taken.missing += await _fill(source, request, table, spool)
        taken.files.append(table.entry)
        taken.files += await asyncio.to_thread(_write, root, spool, request, taken.calls)
    names, gaps = await trace_names.take(source, root, request)
    taken.files += names
    taken.missing += gaps
    return taken


async def _fill(
    source: jaeger.Jaeger,
    request: RecordRequest,
    table: tables.TableWriter,
    spool: Spool,
) -> list[Missing]:
    """Read the window into the table of spans and the spool, as far as Jaeger answers; what is missing."""
    reached = begin = request.view.window_start.timestamp()
    newest = ""
    missing: list[Missing] = []
    gone: set[str] = set()
    try:
        async with contextlib.aclosing(traces.read(source, request)) as batches:
            async for batch in batches:
                await asyncio.to_thread(_write_rows, table, batch, request)
                ids = [one.trace.trace_id for one in batch.found]
                for some in _some(ids):
                    gone.update(set(some) - await _spool(source, some, spool, request))
                newest = ids[-1] if ids else newest
                reached = batch.until
        if newest:  # it would be gone if Jaeger had restarted since, and with it what was not read by then
            gone.update({newest} - await _spool(source, [newest], spool, request))
    except errors.Unreachable as exc:
        if reached == begin:
            raise
        since = traces.time_cell(round(reached * 1e6) * 1000)
        missing.append(Missing(SIGNAL, f"{since} to {rfc3339(request.recorded_at)}", str(exc)))
    if gone:
        why = f"{len(gone)} of them were not there when asked for again: a restart, or the store is full"
        missing.append(Missing(SIGNAL, "traces that Jaeger lost", why))
    return missing


def _write_rows(table: tables.TableWriter, batch: traces.Batch, request: RecordRequest) -> None:
    ours = [one.fresh for one in batch.found if traces.belongs(one.trace, request.namespace)]
    table.write_rows(traces.rows(ours, request))


def _some(ids: Sequence[str]) -> Iterator[list[str]]:
    rest = iter(ids)
    while some := list(itertools.islice(rest, BATCH)):
        yield some


async def _spool(source: jaeger.Jaeger, ids: Sequence[str], spool: Spool, request: RecordRequest) -> set[str]:
    """Put these traces into the spool; the ids of those that Jaeger still had."""
    found = await patiently(functools.partial(source.ui_traces, ids), request.patience_seconds)
    await asyncio.to_thread(spool.add, found)
    # NB: the UI's API leaves out zeros that an id begins with.
    had = {str(trace["traceID"]).zfill(32) for trace in found}
    return {one for one in ids if one.zfill(32) in had}


def _write(root: Path, spool: Spool, request: RecordRequest, calls: Calls) -> list[FileEntry]:
    """Copy the spool in order, with its index; count the application's calls on the way."""
    with (
        tables.FileWriter(root, FILE_NAME) as out,
        tables.TableWriter(root, INDEX_NAME, INDEX_COLUMNS) as index,
    ):

        def copied() -> Iterator[Sequence[tables.Cell]]:
            offset = 0
            for entry in sorted(spool.entries.values()):
                line = spool.line(entry)
                out.write(line)
                out.rows += 1
                application_calls(calls, line, request.namespace)
                yield index_row(entry, offset)
                offset += entry.size

        index.write_rows(copied())
    return [out.entry, index.entry]
