"""All objects of one kind, as they were at a moment."""

import bisect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reprise.domain import errors
from reprise.replay import ages
from reprise.replay.clock import Clock
from reprise.replay.history import DELETED, Entry, History, key_of, revision

Json = dict[str, Any]


class Collection:
    """Made from `objects/<name>.jsonl`, and from `history/<name>.jsonl` where time moves.

    `head` is the first line: apiVersion, kind, itemKind, plural, namespaced, resourceVersion and
    columnDefinitions.
    """

    def __init__(self, root: Path, name: str, clock: Clock) -> None:
        """Raises Corrupt when a file is not what the format says."""
        self._clock = clock
        self._path = root / "history" / name
        self._history: History | None = None
        self.head, listed = _read(root / "objects" / name)
        group, _, self.version = str(self.head["apiVersion"]).rpartition("/")
        self.group = group
        self.plural = str(self.head["plural"])
        self.columns: list[Json] | None = self.head.get("columnDefinitions")
        self._entries = {key_of(entry.object): entry for entry in listed}
        self._order = sorted(self._entries)
        self._revision = revision(self.head.get("resourceVersion"))
        # Where nothing was recorded of changes, the state at the end is the only one known.
        self._moves = clock.moving and bool(self.history.records)
        self._applied = 0
        if self._moves:
            self._rewind()

    @property
    def history(self) -> History:
        """Read when it is first needed."""
        if self._history is None:
            self._history = History(self._path)
        return self._history

    def _rewind(self) -> None:
        self._entries = {
            self.history.records[index].key: self.history.entry(index) for index in range(self.history.base)
        }
        self._order = sorted(self._entries)
        self._revision = self.history.oldest
        self._applied = self.history.base

    def _advance(self) -> None:
        """Apply what has happened since the last time."""
        if not self._moves:
            return
        end = self.history.until(self._clock(), self._applied)
        for index in range(self._applied, end):
            record = self.history.records[index]
            self._revision = max(self._revision, record.revision)
            if record.type == DELETED:
                if self._entries.pop(record.key, None) is not None:
                    self._order.remove(record.key)
                continue
            if record.key not in self._entries:
                bisect.insort(self._order, record.key)
            self._entries[record.key] = self.history.entry(index)
        self._applied = end

    @property
    def revision(self) -> str:
        """The resourceVersion of a list that is made now; empty for what has none."""
        self._advance()
        return str(self._revision) if self._revision else ""

    @property
    def state(self) -> str:
        """Changes whenever a list would."""
        self._advance()
        # Ages go on where time does.
        return f"{self._applied}.{int(self._clock().timestamp())}" if self._clock.moving else ""

    def entries(self, namespace: str = "", after: str = "") -> Iterator[tuple[str, Entry]]:
        """In the order of keys, those of one namespace or all, beginning behind the key `after`."""
        self._advance()
        begin = bisect.bisect_right(self._order, after) if after else 0
        prefix = f"{namespace}/"
        for key in self._order[begin:]:
            if not namespace or key.startswith(prefix):
                yield key, self._entries[key]

    def find(self, namespace: str, name: str) -> Entry | None:
        self._advance()
        return self._entries.get(f"{namespace}/{name}" if self.head["namespaced"] else name)

    def row(self, entry: Entry, include: str) -> Json:
        """A row of a Table with the whole object or (`Metadata`) its metadata alone."""
        cells = entry.cells or []
        if self._clock.moving and self.columns:
            cells = ages.told(cells, self.columns, entry.object, self._clock())
        obj = entry.object
        if include != "Object":
            obj = {
                "kind": "PartialObjectMetadata",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": obj["metadata"],
            }
        return {"cells": cells, "object": obj}


def _read(path: Path) -> tuple[Json, list[Entry]]:
    try:
        with path.open("rb") as lines:
            head = json.loads(next(lines))
            if not {"apiVersion", "kind", "itemKind", "plural", "namespaced"} <= head.keys():
                raise ValueError(f"a first line with {sorted(head)}")
            return head, [Entry(document["cells"], document["object"]) for document in map(json.loads, lines)]
    except (ValueError, KeyError, TypeError, StopIteration, AttributeError) as exc:
        raise errors.Corrupt(f"objects/{path.name}: expected objects of a snapshot, found {exc!r}") from exc
