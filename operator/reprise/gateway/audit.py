"""The audit trail: one append-only file of JSON lines an attempt, chained by hashes (`domain.chain`).

A line is written when a request is answered. A stream (watch, followed log) writes one when it opens and one
with the same `seq` when it ends, so that a crash in between loses nothing but the size.
"""

import errno
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reprise.domain import chain
from reprise.domain.budget import Usage

log = logging.getLogger(__name__)

# Asking what the task is, handing in the answer, and a harness that reports cost no request. So does the
# protocol around the tools: the names that a tool call has as a path are in `gateway.mcp`. That holds for
# the first MAX_FREE of an attempt; the rest count like any other, or the trail could grow without end.
MAX_FREE = 2000
FREE_PATHS = frozenset(
    {
        "/submit", "/instructions", "/attempt", "/usage", "/outcome",
        "/mcp", "/mcp/submit", "/mcp/attempt",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """One request. `time` is when it came, RFC 3339 UTC.

    `tool` is the way in (kubectl, prometheus, jaeger, mcp, submit …), `arguments` what was asked of it.
    `bytes` and `digest` (`sha256:<hex>`) are those of the answer's body as it was sent. `open` marks the
    first of a stream's two lines, `usage` is what the harness reported with this request, if it did.
    """

    time: str
    attempt: str
    seq: int
    turn: str
    tool: str
    verb: str
    resource: str
    path: str
    arguments: Mapping[str, Any]
    status: int
    bytes: int
    digest: str
    duration_seconds: float
    decision: str
    reason: str
    justification: str
    open: bool = False
    usage: Usage | None = None

    def fields(self) -> dict[str, Any]:
        """As JSON values, without what does not apply."""
        found = dict(vars(self))
        used = found.pop("usage")
        if used is not None:
            found["usage"] = vars(used)
        if not self.open:
            del found["open"]
        return found


@dataclass(frozen=True)
class Totals:
    """What an existing trail says. `last_seq` numbers every request, `counted` of them use up the budget,
    `free` have a path that costs none."""

    last_seq: int = 0
    counted: int = 0
    free: int = 0
    denied: int = 0
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True)
class _Found:
    """An existing file: `half` is the line at its end that a crash cut short, if it is none any more."""

    totals: Totals
    lines: int
    head: str
    half: bytes = b""
    ends_midline: bool = False
    anchored: bool = False


class Trail:
    """The open file of one attempt. `head` is the last line's hash, `lines` how many there are."""

    def __init__(self, directory: Path, attempt_uid: str, anchor: chain.Anchor | None = None) -> None:
        """Open it, or go on with it. What a crash cut short is recorded, and so is what is missing of what
        `anchor`, stored elsewhere, speaks of."""
        self._path = directory / f"{attempt_uid}.jsonl"
        self._attempt_uid = attempt_uid
        directory.mkdir(parents=True, exist_ok=True)
        found = _read(self._path, attempt_uid, anchor)
        self.totals, self.lines, self.head = found.totals, found.lines, found.head
        self._fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        if found.half:
            self._event(chain.RECOVERED, {"cut": chain.cut(found.half)}, before=b"\n")
        elif found.ends_midline:
            os.write(self._fd, b"\n")
        if anchor is not None and not found.anchored:
            self._event(chain.LOST, {"anchor": vars(anchor)})

    def _event(self, name: str, fields: Mapping[str, Any], before: bytes = b"") -> None:
        log.warning("audit trail %s: %s: %s", self._path.name, name, fields)
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self._append({"time": now, "attempt": self._attempt_uid, "event": name, **fields}, before)

    def write(self, entry: Entry) -> None:
        """Append a line. Raises OSError when there is no room: no answer goes out without its line."""
        self._append(entry.fields())

    def close_to_late_requests(self, recorded: int) -> None:
        """Say that no line follows of requests after the end. Raises OSError when there is no room."""
        self._event(chain.LATE, {"recorded": recorded})

    def _append(self, fields: Mapping[str, Any], before: bytes = b"") -> None:
        """In one call: no reader ever sees half a line unless the machine itself dies."""
        link = chain.seal(fields, self.head)
        line = before + link.line
        written = os.write(self._fd, line)
        if written != len(line):
            os.ftruncate(self._fd, os.fstat(self._fd).st_size - written)
            raise OSError(errno.ENOSPC, "expected room for a line of the audit trail", self._path.name)
        self.head, self.lines = link.hash, self.lines + 1

    def close(self) -> None:
        os.close(self._fd)


def _read(path: Path, attempt_uid: str, anchor: chain.Anchor | None) -> _Found:
    """What a trail says that may not exist, or may end in the line that a crash cut short."""
    last = lines = 0
    counted: set[int] = set()
    free: set[int] = set()
    denied: set[int] = set()
    usage = Usage()
    head, raw, parsed, anchored = chain.genesis(attempt_uid), b"\n", None, False
    try:
        with path.open("rb") as file:
            for lines, raw in enumerate(file, start=1):
                parsed = chain.parse(raw.removesuffix(b"\n"))
                if parsed is None:
                    log.warning("audit trail %s: line %d is not whole", path.name, lines)
                    continue
                head, entry = parsed.hash, parsed.fields
                anchored = anchored or (anchor is not None and (lines, head) == (anchor.lines, anchor.head))
                if "event" in entry:
                    continue
                last = max(last, int(entry["seq"]))
                (free if entry["path"] in FREE_PATHS else counted).add(entry["seq"])
                if entry["decision"] == "deny":
                    denied.add(entry["seq"])
                usage = usage.grown(Usage(**entry.get("usage", {})))
    except FileNotFoundError:
        return _Found(Totals(), 0, head)
    midline = not raw.endswith(b"\n")
    half = raw if midline and parsed is None else b""
    paid = len(counted) + max(0, len(free) - MAX_FREE)
    totals = Totals(last, paid, len(free), len(denied), usage)
    return _Found(totals, lines, head, half, midline, anchored)
