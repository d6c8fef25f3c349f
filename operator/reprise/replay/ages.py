"""The cells of a Table that tell a time that has passed, told anew for another moment.

The form is that of k8s.io/apimachinery pkg/util/duration.HumanDuration.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from reprise.domain import redaction

_YEAR_HOURS = 24 * 365


def human(seconds: float) -> str:
    """`45s`, `3m10s`, `5h`, `2d3h`: two or three figures."""
    total = int(seconds)
    minutes, hours = total // 60, total // 3600
    if total < -1:
        return "<invalid>"
    if total < 0:
        return "0s"
    if total < 120:
        return f"{total}s"
    if minutes < 10:
        return _pair(minutes, "m", total % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _pair(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if hours < 24 * 8:
        return _pair(hours // 24, "d", hours % 24, "h")
    if hours < 2 * _YEAR_HOURS:
        return f"{hours // 24}d"
    if hours < 8 * _YEAR_HOURS:
        return _pair(hours // _YEAR_HOURS, "y", hours // 24 % 365, "d")
    return f"{hours // _YEAR_HOURS}y"


def _pair(large: int, unit: str, small: int, small_unit: str) -> str:
    return f"{large}{unit}{small}{small_unit}" if small else f"{large}{unit}"


def told(
    cells: Sequence[Any], columns: Sequence[Mapping[str, Any]], obj: Mapping[str, Any], now: dt.datetime
) -> list[Any]:
    """The cells with Age, Last Seen and First Seen as the API server would print them at `now`."""
    found = list(cells)
    for index, column in enumerate(columns[: len(found)]):
        match column.get("name"):
            case "Age":
                time = redaction.parse_time((obj.get("metadata") or {}).get("creationTimestamp"))
            case "Last Seen":
                time = redaction.event_time(obj)
            case "First Seen":
                time = redaction.parse_time(obj.get("firstTimestamp") or obj.get("eventTime"))
            case _:
                continue
        if time is not None:
            found[index] = human((now - time).total_seconds())
    return found
