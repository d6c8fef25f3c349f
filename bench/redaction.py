"""What redaction costs: milliseconds for a megabyte of the API server's answers, on one core, no network.

The real list of all pods, in the forms that the gateway asks for; figures are of its own functions.
"""

import asyncio
import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from bench import attempts
from bench.connection import TABLE, once
from bench.table import Figure, render, say
from reprise.domain import access
from reprise.domain.redaction import View
from reprise.gateway import shape

REPEATS = int(os.environ.get("BENCH_REPEATS", "30"))
PATH = "/api/v1/pods"
MB = 1_000_000


def timed(work: Callable[[], object], size: int) -> list[float]:
    """Milliseconds a megabyte, each time."""
    found = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        work()
        found.append((time.perf_counter() - begun) * 1000 / (size / MB))
    return found


def main() -> str:
    with attempts.proxy() as (place, _):
        objects = asyncio.run(once(place, PATH, "application/json"))
        table = asyncio.run(once(place, f"{PATH}?includeObject=Metadata", TABLE))
    say(f"all pods: {len(objects) / MB:.2f} MB as objects, {len(table) / MB:.2f} MB as a table")
    view = View(datetime.now(UTC) - timedelta(hours=1))
    path = access.parse(("api", "v1", "pods"))
    assert path is not None  # noqa: S101 - it is a resource
    listed, rows = json.loads(objects)["items"], json.loads(table)["rows"]
    figures = [
        Figure("objects: read the JSON", "ms/MB", timed(lambda: json.loads(objects), len(objects))),
        Figure(
            "objects: hide, clean, write",
            "ms/MB",
            timed(lambda: [shape.as_object(view, path, item) for item in listed], len(objects)),
        ),
        Figure("table: read the JSON", "ms/MB", timed(lambda: json.loads(table), len(table))),
        Figure(
            "table: hide, clean, write",
            "ms/MB",
            timed(lambda: [shape.as_row(view, path, row, "Metadata") for row in rows], len(table)),
        ),
        Figure("objects", "MB", [len(objects) / MB]),
        Figure("table", "MB", [len(table) / MB]),
    ]
    return render(f"Redaction of the list of all {len(listed)} pods; n counts repeats", figures)
