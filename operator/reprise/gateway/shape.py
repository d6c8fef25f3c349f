"""Filtered answers of the Kubernetes API: objects, lists, tables and partial metadata, from JSON to bytes."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from reprise.domain import redaction, rows
from reprise.domain.access import ApiPath
from reprise.domain.redaction import View

Json = dict[str, Any]
Encoder = Callable[[Mapping[str, Any]], bytes | None]
PARTIAL = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}


def dump(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")


def as_object(view: View, path: ApiPath, obj: Mapping[str, Any]) -> bytes | None:
    """The object, cleaned; None when it is hidden."""
    if redaction.hides(view, path.group, path.resource, obj):
        return None
    return redaction.encode(view, obj)


def as_partial(view: View, path: ApiPath, obj: Mapping[str, Any]) -> bytes | None:
    """Its metadata alone. It is judged by the whole object: an Event is hidden by what it is about."""
    if redaction.hides(view, path.group, path.resource, obj):
        return None
    return redaction.encode(view, {**PARTIAL, "metadata": obj.get("metadata") or {}})


def as_row(view: View, path: ApiPath, row: Mapping[str, Any], include: str) -> bytes | None:
    """A row of a Table that holds whole objects, cut down to what was asked for by `include` (None,
    Metadata or Object)."""
    obj = row.get("object") or {}
    if redaction.hides(view, path.group, path.resource, obj):
        return None
    encoded = rows.encode_head(view, row)
    if include == "None":
        return encoded
    whole = obj if include == "Object" else {**PARTIAL, "metadata": obj.get("metadata") or {}}
    return encoded[:-1] + b',"object":' + redaction.encode(view, whole) + b"}"


def collection(document: Mapping[str, Any], key: str, items: list[bytes], token: str) -> bytes:
    """A list or Table around encoded items. `token` continues the list; how much is left is not told: it
    would count what is hidden."""
    meta = {
        name: value
        for name, value in (document.get("metadata") or {}).items()
        if name not in ("continue", "remainingItemCount", "selfLink")
    }
    if token:
        meta["continue"] = token
    head = {**{name: value for name, value in document.items() if name != key}, "metadata": meta}
    return dump(head)[:-1] + b',"' + key.encode() + b'":[' + b",".join(items) + b"]}"


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
