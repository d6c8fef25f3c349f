"""events, and the Events about one object."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import Field

from reprise.domain import redaction
from reprise.gateway.tools.call import Call, text_of
from reprise.gateway.tools.schema import NAME, Namespace, PagedArguments, Since, Tool
from reprise.gateway.tools.tables import table

Json = Mapping[str, Any]
_NEVER = datetime.min.replace(tzinfo=UTC)
_ABOUT = 50  # as many Events as describe_resource shows


class EventsArguments(PagedArguments):
    namespace: Namespace = ""
    kind: str = Field("", pattern=r"^[A-Za-z0-9]{0,63}$", description="Of the object.", examples=["Pod"])
    name: str = Field("", pattern=f"^$|{NAME}", description="Of the object.", examples=["cart"])
    type: Literal["", "Normal", "Warning"] = ""
    reason: str = Field("", pattern=r"^[A-Za-z0-9]{0,100}$", examples=["FailedScheduling"])
    since: Since = ""


async def events(call: Call, given: EventsArguments) -> str:
    namespace = "" if given.namespace == "*" else given.namespace or call.namespace
    fields = {
        "involvedObject.kind": given.kind,
        "involvedObject.name": given.name,
        "type": given.type,
        "reason": given.reason,
    }
    since = call.time(given.since, "since", call.start)
    found = await _read(call, namespace, fields)
    kept = [event for event in found if since <= _time(event) and call.reaches(_time(event))]
    where = f"namespace {namespace}" if namespace else "all namespaces"
    return f"{len(kept)} events in {where} since {text_of(since)}, newest first\n{_lines(kept)}"


async def about(call: Call, kind: str, name: str, namespace: str) -> str:
    """The newest Events about one object, one a line; empty when there are none. Those about an object
    without a namespace are looked for in all of them."""
    found = await _read(call, namespace, {"involvedObject.kind": kind, "involvedObject.name": name})
    more = f"\nand {len(found) - _ABOUT} older ones: see the tool `events`" if len(found) > _ABOUT else ""
    return _lines(found[:_ABOUT]) + more


async def _read(call: Call, namespace: str, fields: Mapping[str, str]) -> list[Json]:
    selector = ",".join(f"{key}={value}" for key, value in fields.items() if value)
    path = f"/api/v1/namespaces/{namespace}/events" if namespace else "/api/v1/events"
    document = await call.reads.json(path, {"fieldSelector": selector} if selector else {})
    return sorted(document.get("items") or (), key=_time, reverse=True)


def _time(event: Json) -> datetime:
    return redaction.event_time(event) or _NEVER


def _lines(found: list[Json]) -> str:
    rows = []
    for event in found:
        about = event.get("involvedObject") or {}
        count = (event.get("series") or {}).get("count") or event.get("count") or 1
        names = (about.get("namespace"), about.get("kind"), about.get("name"))
        rows.append(
            (
                text_of(_time(event)),
                event.get("type"),
                event.get("reason"),
                "/".join(str(part) for part in names if part),
                f"x{count}",
                event.get("message"),
            )
        )
    return table(("last seen", "type", "reason", "object", "count", "message"), rows) if rows else ""


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        "events",
        "Kubernetes Events",
        'Events of the window, newest first. Example: {"type": "Warning", "kind": "Pod", "since": "10m"}',
        EventsArguments,
        events,
    ),
)
