"""Lists and Tables of the API server, taken apart without reading the objects in them.

msgspec reads the document to its end, as any JSON parser does; what it finds where an object stands it hands
over as the bytes that stood there. Fields that a list or a Table of Kubernetes does not have are not passed
on.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from reprise.domain import redaction, rows
from reprise.domain.redaction import View
from reprise.gateway import shape

Judge = Callable[[bytes], bytes | None]


class Head(msgspec.Struct):
    """A list or Table without what is in it."""

    kind: str | None = None
    apiVersion: str | None = None
    metadata: dict[str, Any] | None = None

    @property
    def token(self) -> str:
        """With which the API server goes on; "" at the end."""
        return (self.metadata or {}).get("continue") or ""


class Objects(Head):
    """A list. `items` are its objects as they stood there."""

    items: list[msgspec.Raw] | None = None

    def without_items(self) -> Head:
        return Head(self.kind, self.apiVersion, self.metadata)

    def shown(self, judge: Judge) -> list[bytes]:
        """The encoded items that are not hidden. Raises ValueError for what is no JSON."""
        found = (judge(bytes(item)) for item in self.items or ())
        return [item for item in found if item is not None]


class Row(msgspec.Struct):
    cells: list[Any] | None = None
    conditions: list[Any] | None = None
    object: msgspec.Raw = msgspec.Raw(b"null")


class Table(Head):
    columnDefinitions: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    rows: list[Row] | None = None

    def without_rows(self) -> "Table":
        # NB: a copy: the definitions are a view of the whole body, which would be held as long as they are.
        columns = self.columnDefinitions
        if columns is not msgspec.UNSET:
            columns = columns.copy()
        return Table(self.kind, self.apiVersion, self.metadata, columns)

    def shown(self, view: View, judge: Judge) -> list[bytes]:
        """The encoded rows whose objects are not hidden. Raises ValueError for what is no JSON."""
        judged = ((row, judge(bytes(row.object))) for row in self.rows or ())
        kept = [(row, part) for row, part in judged if part is not None]
        heads = _heads(view, [row for row, _ in kept])
        return [shape.joined(head, part) for head, (_, part) in zip(heads, kept, strict=True)]


_OBJECTS = msgspec.json.Decoder(Objects)
_TABLE = msgspec.json.Decoder(Table)


def read_objects(body: bytes) -> Objects:
    """A list. Raises ValueError when it is none."""
    return shape.read(_OBJECTS, body, "a list of the Kubernetes API")


def read_table(body: bytes) -> Table:
    """A Table. Raises ValueError when it is none."""
    return shape.read(_TABLE, body, "a list of the Kubernetes API")


def _heads(view: View, found: list[Row]) -> list[bytes]:
    """`rows.encode_head` of each. Where no hidden word stands in all of them there is none in any."""
    heads = [shape.dump({"cells": row.cells or []}) for row in found]
    if not any(row.conditions for row in found) and not redaction.mentions(view, b"".join(heads).decode()):
        return heads
    return [rows.encode_head(view, {"cells": row.cells or [], "conditions": row.conditions}) for row in found]


def encode(head: Head, key: str, items: list[bytes], token: str) -> bytes:
    """A list or Table (`key` is `items` or `rows`) around encoded items. `token` continues the list; how much
    is left is not told: it would count what is hidden."""
    meta = {
        name: value
        for name, value in (head.metadata or {}).items()
        if name not in ("continue", "remainingItemCount", "selfLink")
    }
    if token:
        meta["continue"] = token
    fields: dict[str, Any] = {"kind": head.kind, "apiVersion": head.apiVersion}
    fields = {name: value for name, value in fields.items() if value is not None} | {"metadata": meta}
    if isinstance(head, Table) and head.columnDefinitions is not msgspec.UNSET:
        fields["columnDefinitions"] = head.columnDefinitions
    return shape.dump(fields)[:-1] + b',"' + key.encode() + b'":[' + b",".join(items) + b"]}"


def partial(head: Head) -> Head:
    """The head of a list of partial metadata."""
    return Head("PartialObjectMetadataList", "meta.k8s.io/v1", head.metadata)
