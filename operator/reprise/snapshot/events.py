"""`k8s_events_raw.tsv`: the Events of the window, about the application and about nodes."""

from collections.abc import Mapping, Sequence
from typing import Any

from reprise.domain import redaction
from reprise.snapshot.request import RecordRequest, rfc3339
from reprise.snapshot.tables import Cell, json_cell

FILE_NAME = "k8s_events_raw.tsv"
COLUMNS = ("Timestamp", "Body")


class Seen:
    """Collects every observed count of every Event, once. It is given what an agent may see."""

    def __init__(self, request: RecordRequest) -> None:
        self._request = request
        self._found: dict[tuple[str, int], Mapping[str, Any]] = {}

    def add(self, event: Mapping[str, Any]) -> None:
        time = redaction.event_time(event)
        request = self._request
        if time is None or not request.view.window_start <= time <= request.recorded_at:
            return
        if belongs(event, request.namespace):
            meta = event["metadata"]
            key = (str(meta.get("uid") or f"{meta.get('namespace')}/{meta['name']}"), count(event))
            self._found.setdefault(key, event)

    def rows(self) -> list[Sequence[Cell]]:
        """Oldest first. Body is what a watch would have said: `{"object": …, "type": …}`."""
        timed = [(rfc3339(redaction.event_time(event)), event) for event in self._found.values()]
        timed.sort(key=lambda pair: (pair[0], pair[1]["metadata"]["name"], count(pair[1])))
        return [
            (time, json_cell({"object": event, "type": "ADDED" if count(event) <= 1 else "MODIFIED"}))
            for time, event in timed
        ]


def count(event: Mapping[str, Any]) -> int:
    """How often it had happened: of the old kind of Event, or of a series."""
    return int(event.get("count") or (event.get("series") or {}).get("count") or 1)


def belongs(event: Mapping[str, Any], namespace: str) -> bool:
    """Whether it is of the application's namespace, or about a node."""
    there = event["metadata"].get("namespace", "")
    about = event.get("involvedObject") or {}
    return bool(there == namespace or (there == "default" and about.get("kind") == "Node"))
