"""`traces/services.json`: what Jaeger knows of services, their operations, and who calls whom."""

from pathlib import Path
from typing import Any

from reprise.adapters import jaeger
from reprise.domain import errors, telemetry
from reprise.snapshot import tables
from reprise.snapshot.manifest import FileEntry, Missing
from reprise.snapshot.patience import patiently
from reprise.snapshot.request import RecordRequest

FILE_NAME = "traces/services.json"


async def take(
    source: jaeger.Jaeger, root: Path, request: RecordRequest
) -> tuple[list[FileEntry], list[Missing]]:
    """Write the file; a gap in its place when Jaeger does not answer for the request's patience."""
    try:
        found = await patiently(lambda: read(source, request), request.patience_seconds)
    except errors.Unreachable as exc:
        return [], [Missing("traces", "services and operations", str(exc))]
    return [tables.write_json(root, FILE_NAME, found, len(found["services"]))], []


async def read(source: jaeger.Jaeger, request: RecordRequest) -> dict[str, Any]:
    """The visible part of each answer. Sorted: a store in memory gives its names in an order of chance."""

    def shown(items: list[Any]) -> list[Any]:
        return [item for item in items if not telemetry.hides_item(request.view, item)]

    services = sorted(shown(await source.ui_services()))
    seconds = (request.recorded_at - request.view.window_start).total_seconds()
    edges = await source.ui_dependencies(
        int(request.recorded_at.timestamp() * 1000), max(1, int(seconds * 1000))
    )
    operations, kinds = {}, {}
    for service in services:
        operations[service] = sorted(shown(await source.ui_operations(service)))
        found = shown(await source.ui_kinds(service))
        kinds[service] = sorted(found, key=lambda each: (each["name"], each["spanKind"]))
    return {
        "services": services,
        "operations": operations,
        "kinds": kinds,
        "dependencies": sorted(shown(edges), key=lambda edge: (edge["parent"], edge["child"])),
    }
