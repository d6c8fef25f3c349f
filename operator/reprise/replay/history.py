"""What happened to the objects of one kind while the snapshot was recorded, read from disk line by line."""

import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from reprise.domain import errors, redaction

Json = dict[str, Any]
BASE = "BASE"
DELETED = "DELETED"


class Entry(NamedTuple):
    """An object and its cells in a Table (None where there is no Table)."""

    cells: list[Any] | None
    object: Json


def key_of(obj: Json) -> str:
    """`namespace/name`, or the name alone: objects are listed in this order."""
    meta = obj["metadata"]
    namespace = meta.get("namespace")
    return f"{namespace}/{meta['name']}" if namespace else str(meta["name"])


def revision(text: object) -> int:
    """A resourceVersion as a number, 0 for what is none."""
    return int(text) if isinstance(text, str) and text.isdecimal() else 0


@dataclass(frozen=True, slots=True)
class Record:
    """One line: BASE, ADDED, MODIFIED or DELETED. `previous` is the index of the record with the state of the
    object before it, None when there was none. The line itself stays on disk."""

    type: str
    time: dt.datetime
    revision: int
    key: str
    offset: int
    size: int
    previous: int | None


class History:
    """The records of a file in its order, BASE lines first. Holds their places, not the objects."""

    def __init__(self, path: Path) -> None:
        """Raises Corrupt when a line cannot be read. A file that is missing is a history without records."""
        self._path = path
        self.records: list[Record] = []
        if path.is_file():
            self._index()
        self.base = sum(record.type == BASE for record in self.records)
        # From here on every change is known; what came before is not.
        self.oldest = max((record.revision for record in self.records[: self.base]), default=0)

    def _index(self) -> None:
        latest: dict[str, int] = {}
        offset = 0
        with self._path.open("rb") as lines:
            for number, line in enumerate(lines):
                try:
                    document = json.loads(line)
                    time = redaction.parse_time(document["time"])
                    if time is None:
                        raise ValueError(f"time {document['time']!r}")
                    key, kind = key_of(document["object"]), str(document["type"])
                    number_of = revision(document["resourceVersion"])
                except (ValueError, KeyError, TypeError) as exc:
                    raise errors.Corrupt(
                        f"history/{self._path.name}: line {number + 1}: expected a change, found {exc!r}"
                    ) from exc
                self.records.append(Record(kind, time, number_of, key, offset, len(line), latest.get(key)))
                offset += len(line)
                if kind == DELETED:
                    latest.pop(key, None)
                else:
                    latest[key] = number

    def entry(self, index: int) -> Entry:
        """The object of a record, from disk."""
        record = self.records[index]
        with self._path.open("rb") as lines:
            lines.seek(record.offset)
            document = json.loads(lines.read(record.size))
        return Entry(document["cells"], document["object"])

    def before(self, index: int) -> Entry | None:
        """The object as it was before a record."""
        previous = self.records[index].previous
        return None if previous is None else self.entry(previous)

    def until(self, now: dt.datetime, begin: int = 0) -> int:
        """The index of the first record, from `begin` on, that is later than `now`; BASE lines never are."""
        index = max(begin, self.base)
        while index < len(self.records) and self.records[index].time <= now:
            index += 1
        return index

    def after(self, number: int) -> int:
        """The index of the first change beyond a resourceVersion."""
        return next(
            (index for index in range(self.base, len(self.records)) if self.records[index].revision > number),
            len(self.records),
        )
