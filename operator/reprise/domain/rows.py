"""Rows of the API server's Tables, as an agent may see them; and what a watch of them shows and withholds."""

import json
from collections.abc import Mapping
from typing import Any

from reprise.domain import redaction
from reprise.domain.redaction import View

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


def encode_head(view: View, row: Mapping[str, Any]) -> bytes:
    """A row's cells (and conditions, where it has some) without its object, as compact JSON."""
    head: dict[str, Any] = {"cells": cells(view, row.get("cells", []))}
    if row.get("conditions"):
        head["conditions"] = redaction.scrub(view, row["conditions"])
    return redaction.dump(head)


def cells(view: View, found: list[Any]) -> list[Any]:
    """Cells keep their places, so those that name hidden things are blanked."""
    if not redaction.mentions(view, json.dumps(found, ensure_ascii=False)):
        return found
    return ["" if redaction.mentions(view, json.dumps(cell, ensure_ascii=False)) else cell for cell in found]


class Shown:
    """Which objects a watch has shown, so that what turns hidden is seen to go, and what turns up to come."""

    def __init__(self) -> None:
        self._shown: set[str] = set()
        self._withheld: set[str] = set()

    def type_of(self, event: str, uid: str, visible: bool) -> str | None:
        """As what an event (ADDED, MODIFIED, DELETED) is shown; None when it is not."""
        if not visible:
            # What is gone does not come back: it need not be known for as long as the watch lasts.
            if event == "DELETED":
                self._withheld.discard(uid)
            else:
                self._withheld.add(uid)
            if uid in self._shown:
                self._shown.discard(uid)
                return "DELETED"
            return None
        if event == "DELETED":
            self._shown.discard(uid)
            self._withheld.discard(uid)
            return event
        self._shown.add(uid)
        if uid in self._withheld:
            self._withheld.discard(uid)
            return "ADDED"
        return event


def stub(whole: Mapping[str, Any]) -> dict[str, Any]:
    """An object that was shown and is not any more: enough to know which one went."""
    meta = whole.get("metadata") or {}
    kept = {key: meta.get(key) for key in ("name", "namespace", "uid", "resourceVersion") if key in meta}
    return {"kind": whole.get("kind"), "apiVersion": whole.get("apiVersion"), "metadata": kept}
