"""What redaction costs: milliseconds for a megabyte of the API server's answers, on one core, no network.

The real list of all pods, in the forms that the gateway asks for, through its own functions: reading,
judging, cleaning, writing. What it has judged once, byte for byte, it need not judge again.
"""

import asyncio
import functools
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
from reprise.gateway import page
from reprise.gateway.judged import Judged

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


def _with_new(work: Callable[[Judged], bytes]) -> bytes:
    return work(Judged())


def main() -> str:
    with attempts.proxy() as (place, _):
        objects = asyncio.run(once(place, PATH, "application/json"))
        table = asyncio.run(once(place, f"{PATH}?includeObject=Metadata", TABLE))
    say(f"all pods: {len(objects) / MB:.2f} MB as objects, {len(table) / MB:.2f} MB as a table")
    view = View(datetime.now(UTC) - timedelta(hours=1))
    path = access.parse(("api", "v1", "pods"))
    assert path is not None  # noqa: S101 - it is a resource

    def read(body: bytes, known: Judged) -> bytes:
        """What the gateway makes of the API server's answer, to the last byte."""
        if body is objects:
            found = page.read_objects(body)
            return page.encode(
                found.without_items(), "items", found.shown(known.judge(view, path, "object")), ""
            )
        rows = page.read_table(body)
        judge = known.judge(view, path, "row Metadata")
        return page.encode(rows.without_rows(), "rows", rows.shown(view, judge), "")

    figures = []
    for name, body in (("objects", objects), ("table", table)):
        kept = Judged()
        read(body, kept)
        fresh = functools.partial(_with_new, functools.partial(read, body))
        works: dict[str, Callable[[], object]] = {
            "none seen before": fresh,
            "all seen before": functools.partial(read, body, kept),
            "only read, by Python's own parser": functools.partial(json.loads, body),
        }
        figures += [
            *(Figure(f"{name}, {what}", "ms/MB", timed(work, len(body))) for what, work in works.items()),
            Figure(name, "MB", [len(body) / MB]),
        ]
    listed = json.loads(objects)["items"]
    return render(f"Redaction of the list of all {len(listed)} pods; n counts repeats", figures)
