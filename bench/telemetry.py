"""What the largest answers of Prometheus and Jaeger cost: time a megabyte, and how long others wait.

Answers are made up, as large as the gateway takes them; no cluster is needed.
"""

import asyncio
import functools
import json
import os
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from bench.redaction import MB, timed
from bench.table import Figure, render
from reprise.adapters.streams import MAX_BODY_BYTES
from reprise.domain.redaction import View
from reprise.gateway import jaeger, prometheus
from reprise.gateway.aside import Aside

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
VIEW = View(NOW - timedelta(hours=1))


def main() -> str:
    draw = random.Random(1)  # noqa: S311 - the same answers each time
    answers: dict[str, tuple[bytes, Callable[[bytes], object]]] = {
        "range query": (matrix(draw), functools.partial(prometheus.filtered, VIEW, "query_range")),
        "traces": (traces(draw), functools.partial(jaeger.filtered, VIEW)),
    }
    figures = []
    for name, (body, work) in answers.items():
        figures += [
            Figure(f"{name}, filtered", "ms/MB", timed(functools.partial(work, body), len(body))),
            Figure(
                f"{name}, only read, by Python's own parser",
                "ms/MB",
                timed(functools.partial(json.loads, body), len(body)),
            ),
            Figure(f"{name}, others wait", "ms", asyncio.run(_waits(body, work))),
            Figure(name, "MB", [len(body) / MB]),
        ]
    return render("Large answers of Prometheus and Jaeger; n counts repeats", figures)


async def _waits(body: bytes, work: Callable[[bytes], object]) -> list[float]:
    """The longest that somebody waits for his turn while the answer is worked on, in milliseconds."""
    aside, found = Aside(), []
    for _ in range(ROUNDS):
        longest, last = 0.0, time.perf_counter()
        working = asyncio.create_task(aside.work(body, functools.partial(work, body)))
        while not working.done():
            await asyncio.sleep(0)
            longest, last = max(longest, time.perf_counter() - last), time.perf_counter()
        found.append(longest * 1000)
    return found


def matrix(draw: random.Random, most: int = MAX_BODY_BYTES - MB) -> bytes:
    """Prometheus' answer to a range query, of `most` bytes, almost as many as the gateway takes: a quarter of
    an hour of each series, every five seconds."""
    begin, series, size = NOW.timestamp() - 900, [], 0
    while size < most:
        number = len(series)
        labels = {"__name__": "m", "namespace": "otel-demo", "pod": f"cart-{number}", "job": "kubelet"}
        samples = [[begin + 5 * step, str(draw.random())] for step in range(180)]
        series.append(json.dumps({"metric": labels, "values": samples}, separators=(",", ":")))
        size += len(series[-1]) + 1
    return f'{{"status":"success","data":{{"resultType":"matrix","result":[{",".join(series)}]}}}}'.encode()


def traces(draw: random.Random, most: int = MAX_BODY_BYTES - MB) -> bytes:
    """Jaeger's answer to a search, as large: 30 spans a trace with 15 tags each."""
    begin, found, size = int(NOW.timestamp() * 1e6), [], 0
    while size < most:
        trace = f"{draw.getrandbits(128):032x}"
        spans = [
            {
                "traceID": trace,
                "spanID": f"{draw.getrandbits(64):016x}",
                "operationName": "oteldemo.CartService/GetCart",
                "references": [{"refType": "CHILD_OF", "traceID": trace, "spanID": "0" * 16}],
                "startTime": begin + number,
                "duration": draw.randrange(10_000),
                "tags": [{"key": f"tag.{tag}", "type": "string", "value": "some text"} for tag in range(15)],
                "logs": [],
                "processID": "p1",
            }
            for number in range(30)
        ]
        whole = {"traceID": trace, "spans": spans, "processes": {"p1": {"serviceName": "cart", "tags": []}}}
        found.append(json.dumps(whole, separators=(",", ":")))
        size += len(found[-1]) + 1
    return f'{{"data":[{",".join(found)}],"total":0,"limit":0,"offset":0,"errors":null}}'.encode()
