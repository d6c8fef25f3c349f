"""An audit trail as calls: what an agent did, in order, for people and for exports."""

import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from reprise.domain.budget import Usage

SUBMIT = "submit"


@dataclass(frozen=True)
class Call:
    """One request, its stream's two lines made one. `ended`: False for a stream whose end is not there.

    `turn` is what the harness said, "" without one. `bytes` and `digest` are those of the answer's body.
    """

    seq: int
    time: dt.datetime
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
    refused: str  # why, "" when it was let in
    justification: str
    usage: Usage | None = None
    ended: bool = True

    @property
    def what(self) -> str:
        """The call in a few words: `list pods otel-demo`."""
        return f"{self.verb} {self.resource or self.path}".strip()

    @property
    def end(self) -> dt.datetime:
        return self.time + dt.timedelta(seconds=self.duration_seconds)


@dataclass(frozen=True)
class Event:
    """What the gateway wrote of the trail itself: a line cut short by a crash, lines that were lost."""

    time: str
    name: str


@dataclass(frozen=True)
class Trail:
    """`calls` by the time at which they came. `unread` lines are none, or not of a trail."""

    calls: Sequence[Call] = ()
    events: Sequence[Event] = field(default_factory=tuple)
    unread: int = 0

    @property
    def usage(self) -> Usage:
        """The largest totals that were reported."""
        total = Usage()
        for call in self.calls:
            total = total.grown(call.usage) if call.usage else total
        return total

    def turns(self) -> list[tuple[str, list[Call]]]:
        """The calls by turn; calls that came one after another without a turn are together, too."""
        return [(turn, list(calls)) for turn, calls in groupby(self.calls, key=lambda call: call.turn)]


def read(lines: Iterable[bytes]) -> Trail:
    """Read a trail's lines. Whether they are whole is another question: see `chain.check`."""
    calls: dict[int, Call] = {}
    events: list[Event] = []
    unread = 0
    for line in lines:
        try:
            fields = json.loads(line)
            if "event" in fields:
                events.append(Event(str(fields.get("time", "")), str(fields["event"])))
            else:
                calls[fields["seq"]] = _call(fields)
        except (ValueError, KeyError, TypeError):
            unread += 1
    return Trail(sorted(calls.values(), key=lambda call: (call.time, call.seq)), tuple(events), unread)


def _call(fields: Mapping[str, Any]) -> Call:
    return Call(
        seq=int(fields["seq"]),
        time=dt.datetime.fromisoformat(fields["time"]),
        turn=str(fields.get("turn", "")),
        tool=str(fields.get("tool", "")),
        verb=str(fields.get("verb", "")),
        resource=str(fields.get("resource", "")),
        path=str(fields["path"]),
        arguments=fields.get("arguments") or {},
        status=int(fields["status"]),
        bytes=int(fields["bytes"]),
        digest=str(fields.get("digest", "")),
        duration_seconds=float(fields["duration_seconds"]),
        refused=str(fields.get("reason") or "refused") if fields.get("decision") == "deny" else "",
        justification=str(fields.get("justification", "")),
        usage=Usage(**fields["usage"]) if "usage" in fields else None,
        ended=not fields.get("open", False),
    )
