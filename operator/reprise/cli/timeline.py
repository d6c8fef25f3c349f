"""The timeline of a run as lines of text, live and afterwards."""

import datetime as dt
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from reprise.adapters.wire import model
from reprise.domain.run_status import Phase

_WIDTH = 150
REPEAT_SECONDS = 15


@dataclass(frozen=True)
class Row:
    """A phase, when it began (seconds after the run did) and how long it took; None while it lasts."""

    phase: str
    began_seconds: float
    lasted_seconds: float | None


def rows(status: Mapping[str, Any]) -> list[Row]:
    """The phases of a run in order."""
    phases = status.get("phases") or []
    times = [model.parse_time(item["startedAt"]) for item in phases]
    return [
        Row(
            item["phase"],
            (at - times[0]).total_seconds(),
            (times[number + 1] - at).total_seconds() if number + 1 < len(times) else None,
        )
        for number, (item, at) in enumerate(zip(phases, times, strict=True))
    ]


def is_over(obj: Mapping[str, Any]) -> bool:
    phase = (obj.get("status") or {}).get("phase")
    return phase is not None and Phase(phase).terminal


class Printer:
    """Prints each phase once when it begins, and what it waits for: at once when the reason changes, and at
    most every `REPEAT_SECONDS` when only the words do."""

    def __init__(self, echo: Callable[[str], None] | None) -> None:
        self._echo = echo
        self._shown = 0
        self._last = ""
        self._reason = ""
        self._said_at = 0.0

    def show(self, obj: Mapping[str, Any]) -> None:
        if self._echo is None:
            return
        for line in self._lines(obj.get("status") or {}):
            self._echo(line[:_WIDTH])

    def _lines(self, status: Mapping[str, Any]) -> Iterator[str]:
        known = rows(status)
        for row in known[self._shown :]:
            yield f"{row.began_seconds:7.1f} s  {row.phase}"
        self._shown = max(self._shown, len(known))
        text = ": ".join(part for part in (status.get("reason"), status.get("message")) if part)
        line = f"{'':11}{text}"
        due = time.monotonic() - self._said_at >= REPEAT_SECONDS
        if text and line != self._last and (due or status.get("reason") != self._reason):
            self._last, self._reason, self._said_at = line, str(status.get("reason")), time.monotonic()
            yield line


def clock(text: str | None) -> str:
    """A time of the status for people, local to the reader: HH:MM:SS."""
    if not text:
        return ""
    at: dt.datetime = model.parse_time(text)
    return f"{at.astimezone():%H:%M:%S}"
