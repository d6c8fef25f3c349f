"""A replay beside the cluster: how soon it serves, and how fast it answers what kubectl asks.

`BENCH_SNAPSHOT` names the snapshot (default: the newest that was recorded); `BENCH_ROUNDS` (3),
`BENCH_REQUESTS` (200 a round and way) and `BENCH_LOAD_SECONDS` (5) set the sizes. For the requests a second
the replay has one core for itself and what asks has the others; the API server, behind `kubectl proxy`, has
all.
"""

import asyncio
import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench import attempts, connection, serving
from bench.connection import Connection, Place
from bench.table import Figure, percentile, render, say
from reprise.snapshot import archive

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
REQUESTS = int(os.environ.get("BENCH_REQUESTS", "200"))
SECONDS = float(os.environ.get("BENCH_LOAD_SECONDS", "5"))
NAMESPACE = os.environ.get("BENCH_NAMESPACE", "otel-demo")
CONNECTIONS = (1, 8)
PATH = "/api/v1/pods?limit=500"
WARM_UP = 20
MB = 1_000_000
REPLAY, PROXY = "replay", "kubectl proxy"


def starts(snapshot: Path, root: Path) -> list[Figure]:
    """From the command to the line that says that it serves."""
    first: list[float] = []
    later: list[float] = []
    for number in range(ROUNDS):
        for label, found in (("first", first), ("later", later)):
            out = root / f"out-{number}-{label}"
            with serving.serving(snapshot, out, root / f"cache-{number}") as one:
                found.append(one.seconds)
            say(f"start {number + 1} of {ROUNDS}, {label}: {found[-1]:.1f} s")
    return [Figure("start, first of this snapshot", "s", first), Figure("start, later", "s", later)]


async def latencies(ways: dict[str, Place]) -> list[Figure]:
    """p50 and p99, one connection each, interleaved, so that all meet the same moments of the machine."""
    rounds: dict[str, list[list[float]]] = {name: [] for name in ways}
    sizes, firsts = {}, {}
    connections = {name: Connection(place) for name, place in ways.items()}
    requests = {name: place.request(PATH) for name, place in ways.items()}
    for one in connections.values():
        await one.__aenter__()
    for name, one in connections.items():
        firsts[name], body = await one.ask(requests[name])
        sizes[name] = len(body) / 1024
        for _ in range(WARM_UP):
            await one.ask(requests[name])
    for number in range(ROUNDS):
        say(f"latencies: round {number + 1} of {ROUNDS}")
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(REQUESTS):
            for name, one in connections.items():
                taken[name].append((await one.ask(requests[name]))[0])
        for name, values in taken.items():
            rounds[name].append(values)
    for one in connections.values():
        await one.__aexit__()
    figures = []
    for label, share, limit in (("p50", 0.50, "1"), ("p99", 0.99, "")):
        for name, each in rounds.items():
            values = [percentile(values, share) for values in each]
            figures.append(Figure(f"{name} {label}", "ms", values, limit if name == REPLAY else ""))
    figures.append(Figure(f"{REPLAY}, the first answer", "ms", [firsts[REPLAY]]))
    return figures + [Figure(f"{name} answer", "KiB", [size]) for name, size in sizes.items()]


async def throughput(ways: dict[str, Place]) -> list[Figure]:
    """Requests a second of each way alone, in turns, and how long one had to wait meanwhile."""
    found: dict[tuple[int, str], list[connection.Load]] = {}
    for number in range(ROUNDS):
        say(f"requests a second: round {number + 1} of {ROUNDS}")
        for count in CONNECTIONS:
            for name, place in ways.items():
                load = await connection.hammer([place] * count, PATH, SECONDS)
                found.setdefault((count, name), []).append(load)
    figures = []
    for (count, name), loads in found.items():
        what = f"{name}, {count} connection{'s' if count > 1 else ''}"
        limit = "≥ 1000" if name == REPLAY else ""
        figures.append(Figure(what, "1/s", [load.a_second for load in loads], limit))
        for label, share in (("p50", 0.50), ("p99", 0.99)):
            values = [percentile(load.millis, share) for load in loads]
            figures.append(Figure(f"{what} {label}", "ms", values))
    return figures


def compression(snapshot: Path, root: Path) -> list[Figure]:
    """The folder against its archive."""
    archive.pack(snapshot, root / "snapshot.tar.zst")
    whole = sum(file.stat().st_size for file in snapshot.rglob("*") if file.is_file()) / MB
    packed = (root / "snapshot.tar.zst").stat().st_size / MB
    return [
        Figure("snapshot", "MB", [whole]),
        Figure("archive (.tar.zst)", "MB", [packed]),
        Figure("compression", "x", [whole / packed]),
    ]


def main() -> str:
    snapshot = serving.newest()
    say(f"replays {snapshot}")
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        root = Path(folder)
        begun = starts(snapshot, root) + compression(snapshot, root)
        live = {
            "direct": attempts.direct(),
            PROXY: stack.enter_context(attempts.proxy())[0],
            "gateway": stack.enter_context(attempts.gateway(NAMESPACE, 1))[0],
        }
        replay = stack.enter_context(serving.serving(snapshot, root / "out", root / "cache-0"))
        asked = asyncio.run(latencies({**live, REPLAY: replay.places[0]}))
        try:
            if len(cores) > 1:
                replay.pin(cores[0])
                os.sched_setaffinity(0, cores[1:])
            loaded = asyncio.run(throughput({PROXY: live[PROXY], REPLAY: replay.places[0]}))
        finally:
            os.sched_setaffinity(0, cores)
        peak = [Figure("server, peak resident memory", "MiB", [attempts.resident_mib(replay.pid, peak=True)])]
    what = "Request behind `kubectl get pods -A`"
    return "\n".join(
        (
            render("`reprise replay` of a recorded snapshot", begun + peak),
            render(f"{what}: one connection each, interleaved, {ROUNDS} rounds of {REQUESTS}", asked),
            render(f"{what}: requests a second, {ROUNDS} rounds of {SECONDS:g} s", loaded),
        )
    )
