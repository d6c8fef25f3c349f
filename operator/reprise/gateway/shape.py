"""Filtered objects of the Kubernetes API, whole, as rows or as partial metadata; from JSON to bytes."""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from reprise.domain import redaction, rows
from reprise.domain.access import ApiPath
from reprise.domain.redaction import View

Json = dict[str, Any]
PARTIAL = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}


T = TypeVar("T")
# Compact JSON, nothing escaped that need not be.
dump = msgspec.json.Encoder().encode


def read(decoder: "msgspec.json.Decoder[T]", body: bytes | msgspec.Raw, what: str) -> T:
    """What the decoder makes of the body. Raises ValueError when it is not `what`."""
    try:
        return decoder.decode(body)
    except msgspec.DecodeError as exc:
        raise ValueError(f"expected {what}, found something else: {exc}") from exc


def as_object(view: View, path: ApiPath, obj: Mapping[str, Any]) -> bytes | None:
    """The object, cleaned; None when it is hidden."""
    if redaction.hides(view, path.group, path.resource, obj):
        return None
    return redaction.encode(view, obj, dump)


def as_partial(view: View, path: ApiPath, obj: Mapping[str, Any]) -> bytes | None:
    """Its metadata alone. It is judged by the whole object: an Event is hidden by what it is about."""
    if redaction.hides(view, path.group, path.resource, obj):
        return None
    return redaction.encode(view, {**PARTIAL, "metadata": obj.get("metadata") or {}}, dump)


def as_part(view: View, path: ApiPath, obj: Mapping[str, Any], include: str) -> bytes | None:
    """What a row of a Table holds of its object, which is `obj` in full, by `include` (None, Metadata or
    Object): empty for None. None when the object is hidden."""
    match include:
        case "Object":
            return as_object(view, path, obj)
        case "Metadata":
            return as_partial(view, path, obj)
        case _:
            return None if redaction.hides(view, path.group, path.resource, obj) else b""


def as_row(view: View, path: ApiPath, row: Mapping[str, Any], include: str) -> bytes | None:
    """A row of a Table that holds whole objects, cut down to what was asked for by `include`."""
    part = as_part(view, path, row.get("object") or {}, include)
    return None if part is None else joined(rows.encode_head(view, row), part)


def joined(head: bytes, part: bytes) -> bytes:
    """A row of its cells and what `as_part` gave."""
    return head[:-1] + b',"object":' + part + b"}" if part else head


def bookmark(obj: Mapping[str, Any]) -> Json:
    """A BOOKMARK's object without anything but the place in history that it marks."""
    if obj.get("kind") == "Table":
        rows = [
            {
                # Cells of an object without fields: they fill the columns and tell nothing.
                "cells": row.get("cells", []),
                "object": {**PARTIAL, "metadata": _mark(row.get("object") or {})},
            }
            for row in obj.get("rows") or ()
        ]
        return {**obj, "rows": rows}
    return {"kind": obj.get("kind"), "apiVersion": obj.get("apiVersion"), "metadata": _mark(obj)}


def _mark(obj: Mapping[str, Any]) -> Json:
    meta = obj.get("metadata") or {}
    notes = {
        key: value
        for key, value in (meta.get("annotations") or {}).items()
        if key == "k8s.io/initial-events-end"
    }
    return {
        "resourceVersion": meta.get("resourceVersion", ""),
        "creationTimestamp": None,
        **({"annotations": notes} if notes else {}),
    }
