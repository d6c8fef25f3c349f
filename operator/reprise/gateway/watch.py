"""Watch events, filtered one by one."""

import json
from collections.abc import Mapping
from typing import Any

from reprise.domain import redaction, rows
from reprise.domain.access import ApiPath
from reprise.domain.redaction import View
from reprise.gateway import shape


class Watch:
    """Filters one watch. Remembers what it has shown, so that what turns hidden is seen to go."""

    def __init__(self, view: View, path: ApiPath, form: str, include: str) -> None:
        self._view = view
        self._path = path
        self._form = form
        self._include = include
        self._shown = rows.Shown()
        self._columns: Any = None

    def filter(self, line: bytes) -> bytes | None:
        """The event as it may be sent, or None."""
        event = json.loads(line)
        kind, obj = event["type"], event["object"]
        if kind == "BOOKMARK":
            return shape.dump({"type": kind, "object": shape.bookmark(obj)}) + b"\n"
        if kind == "ERROR":
            return shape.dump({"type": kind, "object": redaction.clean(self._view, obj)}) + b"\n"
        if self._form == "table":
            self._columns = obj.get("columnDefinitions") or self._columns
            row = (obj.get("rows") or [{}])[0]
            body = shape.as_row(self._view, self._path, row, self._include)
            whole = row.get("object") or {}
        else:
            encode = shape.as_partial if self._form == "partial" else shape.as_object
            body, whole = encode(self._view, self._path, obj), obj
        key = (whole.get("metadata") or {}).get("uid", "")
        shown_as = self._shown.type_of(kind, key, body is not None)
        if shown_as is None:
            return None
        if body is None:
            body = self._stub(whole)
        if self._form == "table":
            head = {**{name: value for name, value in obj.items() if name != "rows"}}
            if self._columns:
                head["columnDefinitions"], self._columns = self._columns, None
            body = shape.dump(head)[:-1] + b',"rows":[' + body + b"]}"
        return b'{"type":"' + shown_as.encode() + b'","object":' + body + b"}\n"

    def _stub(self, whole: Mapping[str, Any]) -> bytes:
        stub = rows.stub(whole)
        if self._form == "table":
            return shape.dump({"cells": [], "object": {**shape.PARTIAL, "metadata": stub["metadata"]}})
        return shape.dump(stub)
