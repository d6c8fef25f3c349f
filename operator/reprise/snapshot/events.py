"""`k8s_events_raw.tsv`: the Events of the window, about the application and about nodes."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from reprise.adapters import kube
from reprise.domain import redaction
from reprise.snapshot.request import RecordRequest, rfc3339
from reprise.snapshot.tables import Cell, json_cell

FILE_NAME = "k8s_events_raw.tsv"
COLUMNS = ("Timestamp", "Body")


async def read(api: kube.Kube, request: RecordRequest) -> list[dict[str, Any]]:
    """Events of the application's namespace, and of `default` those about nodes."""
    found = await api.list_objects("v1", "Event", request.namespace)
    found += await api.list_objects("v1", "Event", "default", field_selector="involvedObject.kind=Node")
    return select(found, request)


def select(events: Iterable[Mapping[str, Any]], request: RecordRequest) -> list[dict[str, Any]]:
    """What an agent may see of them, last seen within the window, oldest first."""
    view = request.view
    seen = [
        (time, redaction.clean(view, event))
        for event in events
        if (time := redaction.event_time(event)) is not None
        and view.window_start <= time <= request.recorded_at
        and not redaction.hides(view, "", "events", event)
    ]
    return [event for _, event in sorted(seen, key=lambda pair: (pair[0], pair[1]["metadata"]["name"]))]


def rows(events: Iterable[Mapping[str, Any]]) -> list[Sequence[Cell]]:
    """One row an Event. Body is what a watch would have said: `{"object": …, "type": …}`."""
    return [
        (
            rfc3339(redaction.event_time(event)),
            json_cell({"object": event, "type": "ADDED" if event.get("count", 1) <= 1 else "MODIFIED"}),
        )
        for event in events
    ]
