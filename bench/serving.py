"""`reprise replay` as a user starts it, and the snapshots that there are to serve."""

import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.attempts import BUDGETS
from bench.connection import Place
from reprise.cluster import paths, prometheus
from reprise.cluster.progress import Progress
from reprise.cluster.tools import Tools, which
from reprise.snapshot import manifest

START_SECONDS = 300


@dataclass
class Serving:
    """A replay that runs. `outcomes` are there once it has ended; `seconds` is from its start to the line
    that says that it serves."""

    places: list[Place]
    ca: Path
    namespace: str
    pid: int
    seconds: float
    outcomes: list[dict[str, Any]]

    def children(self) -> list[int]:
        """Process ids: its Prometheus."""
        found = []
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            found += [int(pid) for pid in (task / "children").read_text().split()]
        return found

    def pin(self, core: int) -> None:
        """Keep all threads of the server itself on one core."""
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            os.sched_setaffinity(int(task.name), {core})


@contextmanager
def serving(snapshot: Path, out: Path, cache: Path, attempts: int = 1) -> Iterator[Serving]:
    """Start it and end it. `cache` holds what it makes of snapshots, `out` its attempts."""
    command = [
        sys.executable, "-c", "from reprise.cli.main import main; main()", "replay", str(snapshot),
        "--port", "0", "--out", str(out), "--attempts", str(attempts),
        "--requests", str(BUDGETS["requests"]), "--prometheus-binary", str(_prometheus()), "-o", "json",
    ]  # fmt: skip
    environment = {**os.environ, "REPRISE_CACHE": str(cache)}
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None  # noqa: S101 - asked for above
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"expected the replay of {snapshot} to serve, it has ended")
        seconds = time.perf_counter() - begun
        ready = json.loads(line)
        ca = Path(ready["certificateAuthority"])
        tls = ssl.create_default_context(cafile=ca)
        places = [Place(ready["url"], tls, attempt["token"]) for attempt in ready["attempts"]]
        made = Serving(places, ca, ready["namespace"], process.pid, seconds, [])
        yield made
        process.send_signal(signal.SIGINT)
        told, _ = process.communicate(timeout=START_SECONDS)
        made.outcomes = json.loads(told)["attempts"]
    finally:
        process.kill()
        process.wait()


def _prometheus() -> Path:
    """The program that a replay without more would take, built now when it is not there."""
    return which("prometheus") or prometheus.ensure(Tools(paths.logs_dir()), Progress(False))


def snapshots() -> list[Path]:
    """Folders of this version in `BENCH_SNAPSHOTS`, else where the operator puts them; the oldest first."""
    root = Path(os.environ.get("BENCH_SNAPSHOTS") or paths.data_dir() / "snapshots")
    found = []
    for path in root.glob(f"*/{manifest.FILE_NAME}"):
        document = json.loads(path.read_bytes())
        if path.parent.suffix == "" and document["schemaVersion"] == manifest.SCHEMA_VERSION:
            found.append((document["timeline"]["recordedAt"], path.parent))
    return [folder for _, folder in sorted(found)]


def newest() -> Path:
    """`BENCH_SNAPSHOT`, else the newest of `snapshots()`."""
    if named := os.environ.get("BENCH_SNAPSHOT"):
        return Path(named)
    if not (found := snapshots()):
        sys.exit("expected a snapshot to replay, found none; name its folder with BENCH_SNAPSHOT")
    return found[-1]
