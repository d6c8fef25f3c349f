"""Typed reads of one attempt as Inspect tools. Nothing here knows where the truth is."""

import asyncio
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

from inspect_ai.tool import Tool, ToolError, tool
from inspect_ai.util import store

from reprise.agents.http_door import HttpDoor
from reprise.agents.protocol import DoorError

LIMIT_CHARACTERS = 20_000
SUBMISSION = "submission"
OVER = "over"


async def through(call: Callable[..., Any], *arguments: Any) -> Any:
    """Call the gateway. What it refuses goes to the model; what keeps it from answering ends the sample."""
    try:
        return await asyncio.to_thread(call, *arguments)
    except DoorError as exc:
        if exc.status in (401, 410, 429):
            store().set(OVER, str(exc))
        elif exc.status == 0 or exc.status >= 500:
            raise
        raise ToolError(str(exc)) from exc


async def _read(door: HttpDoor, path: str, **query: Any) -> str:
    given = {key: str(value) for key, value in query.items() if value not in ("", None)}
    data = await through(door.call, "GET", path + (f"?{urlencode(given)}" if given else ""))
    text = data.decode(errors="replace")
    left = len(text) - LIMIT_CHARACTERS
    return text if left <= 0 else f"{text[:LIMIT_CHARACTERS]}\n[{left} characters left out; ask for less]"


def _base(api_version: str, namespace: str) -> str:
    root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
    return root + (f"/namespaces/{quote(namespace, safe='')}" if namespace else "")


@tool
def list_objects(door: HttpDoor) -> Tool:
    async def execute(
        api_version: str, plural: str, namespace: str = "", label_selector: str = "", limit: int = 50
    ) -> str:
        """List Kubernetes objects.

        Args:
            api_version: such as v1 or apps/v1
            plural: such as pods, events or deployments
            namespace: empty for all that are visible
            label_selector: such as app=cart
            limit: how many at most
        """
        path = f"{_base(api_version, namespace)}/{quote(plural, safe='')}"
        return await _read(door, path, labelSelector=label_selector, limit=limit)

    return execute


@tool
def get_object(door: HttpDoor) -> Tool:
    async def execute(api_version: str, plural: str, name: str, namespace: str = "") -> str:
        """Get one Kubernetes object.

        Args:
            api_version: such as v1 or apps/v1
            plural: such as pods or deployments
            name: its name
            namespace: its namespace; empty for what has none
        """
        path = f"{_base(api_version, namespace)}/{quote(plural, safe='')}/{quote(name, safe='')}"
        return await _read(door, path)

    return execute


@tool
def logs(door: HttpDoor) -> Tool:
    async def execute(
        namespace: str, pod: str, container: str = "", previous: bool = False, tail_lines: int = 100
    ) -> str:
        """Read a container's log.

        Args:
            namespace: of the pod
            pod: its name
            container: needed for pods with several
            previous: the log of the container before its last restart
            tail_lines: how many of the last lines
        """
        path = f"{_base('v1', namespace)}/pods/{quote(pod, safe='')}/log"
        before = "true" if previous else ""
        return await _read(door, path, container=container, previous=before, tailLines=tail_lines)

    return execute


@tool
def alerts(door: HttpDoor) -> Tool:
    async def execute() -> str:
        """List the alerts that fire, are pending, or have resolved since the window began."""
        return await _read(door, "/alerts")

    return execute


@tool
def query_metrics(door: HttpDoor) -> Tool:
    async def execute(query: str, start: str = "", end: str = "", step: str = "") -> str:
        """Ask Prometheus: an instant query, or a range when start, end and step are given.

        Args:
            query: PromQL
            start: RFC 3339 or seconds since 1970
            end: the same
            step: such as 30s
        """
        if not (start or end or step):
            return await _read(door, "/prometheus/api/v1/query", query=query)
        return await _read(
            door, "/prometheus/api/v1/query_range", query=query, start=start, end=end, step=step
        )

    return execute


@tool
def traces(door: HttpDoor) -> Tool:
    async def execute(service: str = "", trace_id: str = "", limit: int = 5) -> str:
        """Search traces by service, get one by its id, or list the services when neither is given.

        Args:
            service: name of a service
            trace_id: of one trace
            limit: how many at most
        """
        if trace_id:
            return await _read(door, f"/jaeger/api/traces/{quote(trace_id, safe='')}")
        if service:
            return await _read(door, "/jaeger/api/traces", service=service, limit=limit)
        return await _read(door, "/jaeger/api/services")

    return execute


@tool
def submit(door: HttpDoor) -> Tool:
    async def execute(entities: list[str]) -> str:
        """Hand in the root causes and end. An empty list says that nothing is wrong.

        Args:
            entities: namespace/Kind/name, or Kind/name for what has no namespace; most certain first
        """
        answer = await through(door.submit, entities)
        # As the gateway has read them.
        store().set(SUBMISSION, list(answer["entities"]))
        return json.dumps(answer)

    return execute


def all_of(door: HttpDoor) -> list[Tool]:
    """The tools of one attempt."""
    return [make(door) for make in (list_objects, get_object, logs, alerts, query_metrics, traces, submit)]
