"""What a watch has seen of one resource, on disk as it came: a file that any process can take up again.

One line an entry, `{"seen":"<time>","<kind>":…}`, where kind is

    row    a row of the list that the watch began with: {"cells", "object"}
    sync   the list is complete; its resourceVersion
    event  a watch event as the server sent it
    gap    why what happened between the last entry and the next list is not known

Lines are appended and never changed, so that whoever dies leaves at most one cut line, which is dropped. What
is in here is not redacted: it never leaves the operator's volume.
"""

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from reprise.domain import errors
from reprise.snapshot.request import rfc3339

Json = dict[str, Any]
_SEEN = len('{"seen":"2026-01-01T00:00:00.000000Z",')
_KINDS = ("row", "sync", "event", "gap")


@dataclass(frozen=True)
class Entry:
    """One line: when it was seen, what it is, its value, and where it stands in the file."""

    seen: str
    kind: str
    value: Any
    offset: int


def row_of(event: Json) -> Json:
    """The row of a watch event; one without cells where the server prints no Table."""
    obj = event["object"]
    if obj.get("kind") != "Table":
        return {"cells": None, "object": obj}
    (row,) = obj["rows"]
    return {"cells": row["cells"], "object": row["object"]}


def version_of(row: Json) -> str:
    return str((row["object"].get("metadata") or {}).get("resourceVersion", ""))


def uid_of(row: Json) -> str:
    return str((row["object"].get("metadata") or {}).get("uid", ""))


def parse_event(raw: bytes) -> tuple[str, str, str]:
    """(type, uid, resourceVersion) of a watch event as the server sent it."""
    event = json.loads(raw)
    row = row_of(event)
    return event["type"], uid_of(row), version_of(row)


class Spool:
    """Use as a context manager. One writer at a time: the watcher, then the recorder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        # Where a watch goes on; "" when a list must come first.
        self.version = ""
        self._file: IO[bytes] | None = None
        self._last_event = b""

    def __enter__(self) -> "Spool":
        """Drop what a crash cut short: half a line, half a list. Raises OSError."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("ab+", buffering=0)
        try:
            self._file.truncate(self._recover())
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        assert self._file is not None  # noqa: S101 - entered
        self._file.close()

    def _recover(self) -> int:
        """How many bytes are good; sets `version`."""
        good = end = 0
        self.version, last, listing = "", b"", False
        with self.path.open("rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                end += len(line)
                match kind_of(line):
                    case "row":
                        listing = True
                    case "sync":
                        self.version, last, listing = _value(line), b"", False
                    case "event":
                        last = line
                    case "gap":
                        self.version, last = "", b""
                if not listing:
                    good = end
        if last:
            self.version = version_of(row_of(_value(last)))
        return good

    # -- writing ------------------------------------------------------------------------------------

    def rows(self, rows: list[Json], seen: dt.datetime) -> None:
        lines = (
            _line("row", json.dumps(row, separators=(",", ":"), ensure_ascii=False), seen) for row in rows
        )
        self._append(b"".join(lines))

    def sync(self, version: str, seen: dt.datetime) -> None:
        self._append(_line("sync", json.dumps(version), seen))
        self.version, self._last_event = version, b""

    def events(self, raw: list[bytes], seen: dt.datetime) -> None:
        """Lines of a watch, as they came."""
        head = b'{"seen":"%s","event":' % rfc3339(seen).encode()
        self._append(b"".join(head + line.rstrip(b"\n") + b"}\n" for line in raw))
        self._last_event = raw[-1]

    def gap(self, why: str, seen: dt.datetime) -> None:
        self._append(_line("gap", json.dumps(why, ensure_ascii=False), seen))
        self.version, self._last_event = "", b""

    def settle(self) -> None:
        """Bring `version` up to the last event. Events are parsed here only, not as they come."""
        if self._last_event:
            self.version = version_of(row_of(json.loads(self._last_event)))
            self._last_event = b""

    def _append(self, data: bytes) -> None:
        """Raises OSError; what was written of it is dropped when the spool is opened again."""
        assert self._file is not None  # noqa: S101 - entered
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]


def _line(kind: str, value: str, seen: dt.datetime) -> bytes:
    return f'{{"seen":"{rfc3339(seen)}","{kind}":{value}}}\n'.encode()


def kind_of(line: bytes) -> str:
    """The kind by its place in the line. Raises Corrupt."""
    found = line[_SEEN + 1 : _SEEN + 8].partition(b'"')[0].decode(errors="replace")
    if found not in _KINDS:
        raise errors.Corrupt(f"expected a line of a spool, found {line[:60]!r}; remove the spool")
    return found


def _value(line: bytes) -> Any:
    try:
        (_, value) = json.loads(line).items()
    except ValueError as exc:
        raise errors.Corrupt(f"expected a line of a spool, found {line[:60]!r}; remove the spool") from exc
    return value[1]


def read(path: Path) -> Iterator[Entry]:
    """The whole lines in order, parsed one at a time; nothing where there is no file. Raises Corrupt."""
    offset = 0
    try:
        lines = path.open("rb")
    except FileNotFoundError:
        return
    with lines:
        for line in lines:
            if not line.endswith(b"\n"):
                return
            yield Entry(line[9 : _SEEN - 2].decode(), kind_of(line), _value(line), offset)
            offset += len(line)


def row_at(path: Path, offset: int) -> Json:
    """The row of the entry at an offset that `read` gave."""
    with path.open("rb") as lines:
        lines.seek(offset)
        line = lines.readline()
    value: Json = _value(line)
    return row_of(value) if kind_of(line) == "event" else value
