"""The gateway under one and under many agents, beside `kubectl proxy` under the same load.

`BENCH_AGENTS` (50), `BENCH_WATCHES` (10 an agent), `BENCH_LOAD_SECONDS` (8) and `BENCH_ROUNDS` (3) set the
sizes. Each agent has a token and a connection of its own and asks again as soon as it is answered. All run on
one machine with the API server and what asks.
"""

import asyncio
import os
import resource
from contextlib import ExitStack

from bench import attempts, connection, memory
from bench.connection import Place
from bench.kubectl import kubectl
from bench.table import Figure, percentile, render, say

AGENTS = int(os.environ.get("BENCH_AGENTS", "50"))
WATCHES = int(os.environ.get("BENCH_WATCHES", "10"))
SECONDS = float(os.environ.get("BENCH_LOAD_SECONDS", "8"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
NAMESPACE = os.environ.get("BENCH_NAMESPACE", "otel-demo")
PATH = f"/api/v1/namespaces/{NAMESPACE}/pods?limit=500"
WATCHED = (
    "api/v1/{}/pods", "api/v1/{}/services", "api/v1/{}/configmaps", "api/v1/{}/events",
    "api/v1/{}/serviceaccounts", "apis/apps/v1/{}/deployments", "apis/apps/v1/{}/replicasets",
    "apis/networking.k8s.io/v1/{}/networkpolicies", "apis/discovery.k8s.io/v1/{}/endpointslices",
    "apis/batch/v1/{}/jobs",
)  # fmt: skip
# The kubelet's figures are up to so old; then three of them, each a new one.
SETTLE_SECONDS = float(os.environ.get("BENCH_SETTLE_SECONDS", "30"))
SAMPLES = 3
# The watches of all agents are opened within this time, and are all open after as much again.
OPEN_SECONDS = 40.0
TRIES = 20
WARM_UP_SECONDS = 1.0
GATEWAY = "reprise-system/gateway"
OURS, THEIRS = "gateway", "kubectl proxy"


async def load(ways: dict[str, list[Place]]) -> list[Figure]:
    """Requests a second and latencies, one agent and all, the ways in turns."""
    millis: dict[tuple[str, int, str], list[float]] = {}
    for way in ways.values():
        await connection.hammer(way, PATH, WARM_UP_SECONDS)
    counts = sorted({1, AGENTS})
    for number in range(ROUNDS):
        for count in counts:
            for name, places in ways.items():
                say(f"round {number + 1} of {ROUNDS}: {count} agents, {name}")
                found = await connection.hammer(places[:count], PATH, SECONDS)
                for label, value in (
                    ("requests a second", found.a_second),
                    ("p50", percentile(found.millis, 0.50)),
                    ("p99", percentile(found.millis, 0.99)),
                ):
                    millis.setdefault((name, count, label), []).append(value)
    figures = []
    for count in counts:
        for label, unit, limit in (
            ("requests a second", "1/s", "≥ 0.9"),
            ("p50", "ms", "≤ 1.1"),
            ("p99", "ms", ""),
        ):
            ours, theirs = millis[OURS, count, label], millis[THEIRS, count, label]
            agents = "1 agent" if count == 1 else f"{count} agents"
            figures += [
                Figure(f"{agents}: {name} {label}", unit, values)
                for name, values in ((OURS, ours), (THEIRS, theirs))
            ]
            shares = [mine / other for mine, other in zip(ours, theirs, strict=True)]
            figures.append(Figure(f"{agents}: {OURS} / {THEIRS} {label}", "x", shares, limit))
    return figures


async def watching(ways: dict[str, list[Place]], proxy_pid: int) -> list[Figure]:
    """Memory before and while every agent has its watches open."""
    nodes = kubectl("get", "nodes", "-o", "jsonpath={.items[*].metadata.name}").split()
    figures = await _memory("no watches", nodes, proxy_pid)
    each = [WATCHED[number % len(WATCHED)].format(f"namespaces/{NAMESPACE}") for number in range(WATCHES)]
    wanted = [
        (place, f"/{path}?watch=true&timeoutSeconds=1200")
        for way in ways.values()
        for place in way
        for path in each
    ]
    opened = _Opened(len(wanted))
    async with asyncio.TaskGroup() as group:
        tasks = []
        for place, path in wanted:
            tasks.append(group.create_task(_watch(place, path, opened)))
            await asyncio.sleep(OPEN_SECONDS / len(wanted))
        async with asyncio.timeout(OPEN_SECONDS):
            await opened.all.wait()
        say(f"{len(tasks)} watches are open, after {opened.refused} refusals of a busy API server")
        figures += await _memory(f"{AGENTS} agents with {WATCHES} watches each", nodes, proxy_pid)
        ended = sum(task.done() for task in tasks)
        for task in tasks:
            task.cancel()
    if ended:
        raise RuntimeError(f"expected all watches open to the end, {ended} of {len(tasks)} had ended")
    return figures


class _Opened:
    """`all` is set when so many watches are open. `refused`: how often one was put off before."""

    def __init__(self, wanted: int) -> None:
        self.all = asyncio.Event()
        self.refused = 0
        self._left = wanted

    def one(self, refused: int) -> None:
        self.refused += refused
        self._left -= 1
        if not self._left:
            self.all.set()


async def _watch(place: Place, path: str, opened: _Opened) -> None:
    """Open a watch, and keep it open. As clients do, it is tried again when the API server sheds load."""
    for tries in range(TRIES):
        async with connection.Connection(place) as one:
            status = await one.open_stream(place.request(path))
            if status == 200:
                opened.one(refused=tries)
                await one.read_on()
                return
        if status not in (429, 503):
            break
        await asyncio.sleep(1)
    raise RuntimeError(f"expected a watch of {path} at {place.url}, found status {status}")


async def _memory(state: str, nodes: list[str], proxy_pid: int) -> list[Figure]:
    ours, theirs = [], []
    for number in range(SAMPLES):
        await asyncio.sleep(SETTLE_SECONDS if number == 0 else SETTLE_SECONDS / 2)
        ours.append((await asyncio.to_thread(memory.sample, nodes))[GATEWAY])
        theirs.append(attempts.resident_mib(proxy_pid))
        say(f"{state}: gateway {ours[-1]:.0f} MiB, kubectl proxy {theirs[-1]:.0f} MiB")
    return [Figure(f"{state}: {name}", "MiB", values) for name, values in ((OURS, ours), (THEIRS, theirs))]


def main() -> str:
    # Twice as many connections as there are watches, and what else is open.
    wanted = 2 * AGENTS * WATCHES + 256
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
    with ExitStack() as stack:
        proxy, pid = stack.enter_context(attempts.proxy())
        ways = {
            THEIRS: [proxy] * AGENTS,
            OURS: stack.enter_context(attempts.gateway(NAMESPACE, AGENTS)),
        }
        figures = asyncio.run(load(ways))
        watched = asyncio.run(watching(ways, pid)) if WATCHES else []
    title = (
        f"Request behind `kubectl get pods -n {NAMESPACE}`, agents at once, each over its own connection; "
        f"{ROUNDS} rounds of {SECONDS:g} s; n counts rounds"
    )
    text = render(title, figures)
    if watched:
        text += "\n" + render("Resident memory with watches open", watched)
    return text
