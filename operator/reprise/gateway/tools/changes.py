"""recent_changes."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from reprise.domain import changes
from reprise.gateway.tools import kinds
from reprise.gateway.tools.call import Call, text_of, together
from reprise.gateway.tools.schema import Namespace, PagedArguments, Since, Tool
from reprise.gateway.tools.tables import table

Json = Mapping[str, Any]
# Heartbeats and news: they change all the time.
_NOISE = frozenset({"events", "events.events.k8s.io", "leases.coordination.k8s.io"})


class ChangesArguments(PagedArguments):
    namespace: Namespace = ""
    resources: list[str] = Field(
        default_factory=list,
        max_length=20,
        description="Only these; empty: every readable kind, those without a namespace included.",
        examples=[["deployments", "configmaps", "nodes"]],
    )
    since: Since = ""
    limit: int = Field(100, ge=1, le=1000)


async def recent_changes(call: Call, given: ChangesArguments) -> str:
    if given.resources:
        resources = list(dict.fromkeys([await kinds.resolve(call, text) for text in given.resources]))
    else:
        resources = [
            one
            for one in await kinds.known(call)
            if one.full_name not in _NOISE and one.group != "metrics.k8s.io"
        ]
    namespace = "" if given.namespace == "*" else given.namespace or call.namespace
    since = call.time(given.since, "since", call.start)
    found = [
        change
        for listed in await together(_changes(call, one, namespace) for one in resources)
        for change in listed
        if change.time >= since and call.reaches(change.time)
    ]
    found.sort(key=lambda change: (-change.time.timestamp(), change.entity, change.what))
    shown = found[: given.limit]
    rest = (
        f", {len(found) - len(shown)} older ones left out: raise `limit`" if len(found) > len(shown) else ""
    )
    rows = [(text_of(change.time), str(change.entity), change.what) for change in shown]
    head = (
        f"{len(shown)} changes since {text_of(since)}, newest first{rest}. Objects tell their creation, "
        "conditions and containers; an edit without any of these shows only in `generation`."
    )
    return f"{head}\n" + (table(("time", "object", "what"), rows) if rows else "")


async def _changes(call: Call, resource: kinds.Resource, namespace: str) -> list[changes.Change]:
    document = await call.reads.json(resource.path(namespace))
    objects = ({**item, "kind": resource.kind} for item in document.get("items") or ())
    return [change for obj in objects for change in changes.of(obj)]


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        "recent_changes",
        "What changed last",
        "Creations, deletions, conditions and container states of the window, newest first. "
        'Example: {"since": "15m", "resources": ["deployments", "networkpolicies"]}',
        ChangesArguments,
        recent_changes,
    ),
)
