"""The audit trail: one append-only file of JSON lines an attempt.

A line is written when a request is answered. A stream (watch, followed log) writes one when it opens and one
with the same `seq` when it ends, so that a crash in between loses nothing but the size.
"""

import json
import logging
import os
from dataclasses import asdict, dataclass
from pathlib import Path

log = logging.getLogger(__name__)

# Asking what the task is and handing in the answer cost nothing of the budget of requests.
# So does the protocol around the tools: the names that a tool call has as a path are in `gateway.mcp`.
FREE_PATHS = frozenset({"/submit", "/instructions", "/attempt", "/mcp", "/mcp/submit", "/mcp/attempt"})


@dataclass(frozen=True)
class Entry:
    """One request. `time` is when it came, RFC 3339 UTC; `bytes` is the size of the answer's body;
    `arguments` is a tool call's, as JSON."""

    time: str
    attempt: str
    seq: int
    turn: str
    verb: str
    resource: str
    path: str
    status: int
    bytes: int
    duration_seconds: float
    decision: str
    reason: str
    justification: str
    arguments: str = ""


@dataclass(frozen=True)
class Totals:
    """What an existing trail says. `last_seq` numbers every request, `counted` of them use up the budget."""

    last_seq: int
    counted: int
    denied: int


class Trail:
    """The open file of one attempt."""

    def __init__(self, directory: Path, attempt_uid: str) -> None:
        self._path = directory / f"{attempt_uid}.jsonl"
        directory.mkdir(parents=True, exist_ok=True)
        self.totals = _read(self._path)
        self._fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        if _ends_midline(self._path):
            os.write(self._fd, b"\n")

    def write(self, entry: Entry) -> None:
        """Append in one call: no reader ever sees half a line unless the machine itself dies."""
        os.write(self._fd, json.dumps(asdict(entry), ensure_ascii=False).encode() + b"\n")

    def close(self) -> None:
        os.close(self._fd)


def _ends_midline(path: Path) -> bool:
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def _read(path: Path) -> Totals:
    """The totals of a trail that may not exist, or may end in the line that a crash cut short."""
    last = 0
    counted: set[int] = set()
    denied: set[int] = set()
    try:
        with path.open("rb") as file:
            for line in file:
                try:
                    entry = json.loads(line)
                    seq = int(entry["seq"])
                except (ValueError, KeyError, TypeError):
                    log.warning("audit trail %s: skipped a line that is not whole", path.name)
                    continue
                last = max(last, seq)
                if entry.get("path") not in FREE_PATHS:
                    counted.add(seq)
                if entry.get("decision") == "deny":
                    denied.add(seq)
    except FileNotFoundError:
        pass
    return Totals(last, len(counted), len(denied))
