"""Tab-separated tables: one row is one line, so that rows can be counted and split by any tool.

The rule: cells are written by the `csv` module (delimiter tab, quotes doubled, quoted only when needed). What
could end a line in some reader (tab, newline and the other separators of `str.splitlines`) is written as
a backslash escape, and so is the backslash itself. Cells that hold maps are JSON, where these escapes are
part of the format, so they are written as they are.
"""

import csv
import hashlib
import io
import itertools
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from reprise.domain import errors
from reprise.snapshot.manifest import FileEntry, stays_inside

Cell = str | int | float
_CHUNK_ROWS = 2000
_ESCAPES = {
    ord("\\"): "\\\\",
    ord("\t"): "\\t",
    ord("\n"): "\\n",
    ord("\r"): "\\r",
    **{code: f"\\u{code:04x}" for code in (0x00, 0x0B, 0x0C, 0x1C, 0x1D, 0x1E, 0x85, 0x2028, 0x2029)},
}


def text_cell(text: str) -> str:
    """A text as a cell; `unescape` gives it back."""
    return text.translate(_ESCAPES)


def unescape(cell: str) -> str:
    """The text that `text_cell` was given."""
    out: list[str] = []
    characters = iter(cell)
    for char in characters:
        if char != "\\":
            out.append(char)
            continue
        match next(characters, "\\"):
            case "t":
                out.append("\t")
            case "n":
                out.append("\n")
            case "r":
                out.append("\r")
            case "u":
                out.append(chr(int("".join(next(characters, "0") for _ in range(4)), 16)))
            case other:
                out.append(other)
    return "".join(out)


def json_cell(value: object) -> str:
    """A map or list as a cell. ASCII only: JSON's own escapes then cover every line separator."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True, sort_keys=True)


@dataclass(frozen=True)
class Mark:
    """A place in a file that is being written."""

    size_bytes: int
    rows: int
    digest: "hashlib._Hash"


class FileWriter:
    """Writes one file of a snapshot and knows its digest without reading it again. Not for concurrent use.

    Use as a context manager; `entry` is valid afterwards. The file is on disk (fsync) when it closes,
    and gone when an error ends it.
    """

    def __init__(self, root: Path, name: str) -> None:
        # NB: names of pods and kinds become paths, and come from whoever answers as the API server.
        if not stays_inside(name):
            raise errors.Refused(
                f"expected names of letters, digits and ._~- to make a path of, found {name!r}: left out"
            )
        self.name = name
        self._path = root / name
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("xb")
        self._digest = hashlib.sha256()
        self._bytes = 0
        self.rows = 0

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self._digest.update(data)
        self._bytes += len(data)

    def mark(self) -> Mark:
        """This place, for `rewind`."""
        return Mark(self._bytes, self.rows, self._digest.copy())

    def rewind(self, mark: Mark) -> None:
        """Forget everything that was written since. A mark may be used more than once."""
        self._file.flush()
        self._file.truncate(mark.size_bytes)
        self._file.seek(mark.size_bytes)
        self._bytes, self.rows, self._digest = mark.size_bytes, mark.rows, mark.digest.copy()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with self._file:
                if kind is None:
                    self._file.flush()
                    os.fsync(self._file.fileno())
        except OSError:
            self._path.unlink(missing_ok=True)
            raise
        if kind is not None:
            self._path.unlink(missing_ok=True)

    @property
    def entry(self) -> FileEntry:
        return FileEntry(self.name, self._digest.hexdigest(), self._bytes, self.rows)


class TableWriter(FileWriter):
    """A table: its header is line 1, `rows` counts what follows."""

    def __init__(self, root: Path, name: str, columns: Sequence[str]) -> None:
        super().__init__(root, name)
        self._columns = tuple(columns)
        self.write(_lines([self._columns]))

    def write_rows(self, rows: Iterable[Sequence[Cell]]) -> None:
        """Rows in the order of the columns; their texts must be cells already. Holds a chunk at a time."""
        source = iter(rows)
        while chunk := list(itertools.islice(source, _CHUNK_ROWS)):
            if any(len(row) != len(self._columns) for row in chunk):
                raise ValueError(f"{self.name}: expected {len(self._columns)} cells in every row")
            self.write(_lines(chunk))
            self.rows += len(chunk)


def _lines(rows: Iterable[Sequence[Cell]]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_MINIMAL).writerows(rows)
    return buffer.getvalue().encode()


def write_json(root: Path, name: str, value: object, rows: int) -> FileEntry:
    """One JSON document. `rows` is what it counts: alerts, nodes, objects."""
    with FileWriter(root, name) as out:
        out.write(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode() + b"\n")
        out.rows = rows
    return out.entry


def read_rows(path: Path) -> list[dict[str, str]]:
    """A table as mappings of cells (still escaped), for tests and for small tables."""
    csv.field_size_limit(1 << 30)
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t"))


def attributes(values: Mapping[str, Any]) -> str:
    """A map cell as ClickHouse exports it: text to text."""
    return json_cell(
        {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
    )
