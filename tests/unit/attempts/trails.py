"""Calls and trails to test with."""

import datetime as dt
from pathlib import Path
from typing import Any

from reprise.domain import trail
from reprise.domain.budget import Usage
from reprise.gateway import audit

START = dt.datetime(2026, 1, 1, 12, 0, tzinfo=dt.UTC)
PODS = "/api/v1/namespaces/otel-demo/pods"


def entry(seq: int, path: str = PODS, *, after: float = 0.0, **more: Any) -> audit.Entry:
    """A line as the gateway writes it, `after` seconds after START."""
    values: dict[str, Any] = {
        "time": (START + dt.timedelta(seconds=after or seq)).isoformat(timespec="milliseconds"),
        "attempt": "uid-1",
        "seq": seq,
        "turn": "",
        "tool": "kubectl",
        "verb": "list",
        "resource": "pods otel-demo",
        "path": path,
        "arguments": {},
        "status": 200,
        "bytes": 1500,
        "digest": "sha256:" + "0" * 64,
        "duration_seconds": 0.25,
        "decision": "allow",
        "reason": "",
        "justification": "",
    }
    return audit.Entry(**{**values, **more})


def write(folder: Path, *entries: audit.Entry, uid: str = "uid-1") -> Path:
    """A trail's file with these lines."""
    made = audit.Trail(folder, uid)
    for one in entries:
        made.write(one)
    made.close()
    return folder / f"{uid}.jsonl"


def read(folder: Path, *entries: audit.Entry) -> trail.Trail:
    return trail.read(write(folder, *entries).read_bytes().splitlines())


def a_day(folder: Path) -> trail.Trail:
    """Two turns and what came before them: a list, a refusal, a stream, a report, an answer."""
    log, second = f"{PODS}/cart-1/log", Usage(2, 300, 50, 40, 0.03)
    return read(
        folder,
        entry(1, "/instructions", tool="instructions", resource="instructions", verb="get"),
        entry(2, turn="1", justification="who is there", usage=Usage(1, 100, 20, 40, 0.01)),
        entry(3, turn="1", status=403, decision="deny", reason="not allowed here", arguments={"limit": "5"}),
        entry(4, log, turn="2", open=True, bytes=0, digest="", usage=second),
        entry(4, log, turn="2", after=4, bytes=70_000, duration_seconds=3.5, usage=second),
        entry(
            5, "/submit", turn="2", tool="submit", verb="post", resource="submit",
            arguments={"entities": ["otel-demo/Pod/cart-1"]},
        ),
    )  # fmt: skip
