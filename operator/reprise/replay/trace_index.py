"""Where the traces of a snapshot lie, and which may match: an SQLite index of `traces/index.tsv`."""

import csv
import json
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from reprise.domain import errors
from reprise.replay.source import Source

_FORM = "1"
_HEADER = ("trace_id", "start_us", "end_us", "offset", "bytes", "spans", "pairs")
_SCHEMA = """
CREATE TABLE traces (
    number INTEGER PRIMARY KEY, id TEXT, start_us INTEGER, end_us INTEGER, at INTEGER, size INTEGER
);
CREATE TABLE pairs (number INTEGER, service TEXT, operation TEXT, kind TEXT);
"""
_INDEXES = """
CREATE UNIQUE INDEX by_id ON traces (id);
CREATE INDEX by_start ON traces (start_us);
CREATE INDEX by_pair ON pairs (service, operation, number);
CREATE INDEX by_number ON pairs (number, service, operation);
"""


class Place(NamedTuple):
    """A trace: its times in microseconds since 1970, and where it lies in traces.jsonl."""

    start_us: int
    end_us: int
    offset: int
    size: int


def normal(trace_id: str) -> str:
    """A trace id in all its 32 digits. Raises InvalidInput for what is no hexadecimal number."""
    try:
        return f"{int(trace_id, 16):032x}"
    except ValueError as exc:
        raise errors.InvalidInput(f"cannot parse the trace id {trace_id[:40]!r}") from exc


class TraceIndex:
    """Kept in the cache folder under the snapshot's digest; made when it is not there."""

    def __init__(self, source: Source, cache: Path) -> None:
        """Raises Corrupt when index.tsv cannot be read. A snapshot without traces has an empty index."""
        cache.mkdir(parents=True, exist_ok=True)
        path = cache / f"traces-{source.digest[:32]}-{_FORM}.sqlite"
        if not path.is_file():
            unfinished = path.with_suffix(f".{os.getpid()}")
            unfinished.unlink(missing_ok=True)
            _make(source.root / "traces" / "index.tsv", unfinished)
            unfinished.replace(path)
        self._db = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, check_same_thread=False)

    def close(self) -> None:
        self._db.close()

    def find(self, trace_id: str) -> Place | None:
        row = self._db.execute(
            "SELECT start_us, end_us, at, size FROM traces WHERE id = ?", (trace_id,)
        ).fetchone()
        return None if row is None else Place(*row)

    def candidates(self, service: str, operation: str, start_us: int, end_us: int) -> Iterator[Place]:
        """Traces of which a span of this service (and operation, unless empty) may begin between the times;
        the youngest first."""
        more = "AND operation = ?" if operation else ""
        values = (end_us, start_us, service, *((operation,) if operation else ()))
        # S608: only one of two constants is put in.
        query = f"""
            SELECT start_us, end_us, at, size FROM traces
            WHERE start_us <= ? AND end_us >= ?
            AND EXISTS (SELECT 1 FROM pairs WHERE pairs.number = traces.number AND service = ? {more})
            ORDER BY start_us DESC, number DESC
        """  # noqa: S608
        for row in self._db.execute(query, values):
            yield Place(*row)

    def pairs(self, until_us: int) -> list[tuple[str, str, str]]:
        """Distinct (service, operation, kind) of the traces that had begun by a time."""
        query = """
            SELECT DISTINCT service, operation, kind FROM pairs JOIN traces USING (number) WHERE start_us <= ?
            ORDER BY 1, 2, 3
        """
        return [(row[0], row[1], row[2]) for row in self._db.execute(query, (until_us,))]


def _make(index: Path, path: Path) -> None:
    db = sqlite3.connect(path)
    try:
        db.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + _SCHEMA)
        if index.is_file():
            with index.open(encoding="utf-8", newline="\n") as lines:
                _fill(db, lines)
        db.executescript(_INDEXES)
        db.commit()
    finally:
        db.close()


def _fill(db: sqlite3.Connection, lines: Iterator[str]) -> None:
    rows = csv.reader(lines, delimiter="\t")
    header = tuple(next(rows, ()))
    if header != _HEADER:
        raise errors.Corrupt(f"traces/index.tsv: expected the columns {', '.join(_HEADER)}, found {header}")
    for number, row in enumerate(rows):
        try:
            trace_id, start, end, offset, size, _, pairs = row
            db.execute(
                "INSERT INTO traces VALUES (?, ?, ?, ?, ?, ?)",
                (number, normal(trace_id), int(start), int(end), int(offset), int(size)),
            )
            db.executemany(
                "INSERT INTO pairs VALUES (?, ?, ?, ?)",
                [(number, service, operation, kind) for service, operation, kind in json.loads(pairs)],
            )
        except (ValueError, errors.InvalidInput, sqlite3.IntegrityError) as exc:
            raise errors.Corrupt(
                f"traces/index.tsv: row {number + 1}: expected a trace, found {exc}"
            ) from exc
