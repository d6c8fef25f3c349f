"""How far back a PromQL expression looks, and how alerts are merged from their series. Pure."""

import re
from datetime import UTC, datetime
from typing import Any

from reprise.domain import errors, redaction

Json = dict[str, Any]
# Prometheus looks five minutes back for the last sample; ranges up to that are always let through.
GRACE_SECONDS = 300.0
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31536000.0}
# As long as a long dashboard's; what is longer only costs everybody time.
MAX_QUERY_CHARS = 16 * 1024
# NB: an agent chooses the text. The quantifiers give nothing back (`++`), else few characters take hours.
_DURATION = r"(?:\d++(?:\.\d++)?+(?:ms|[smhdwy])?+)++"
# A string that has no end takes the rest with it; Prometheus refuses the query. A comment ends at either
# end of a line.
_STRINGS = re.compile(
    r"\"(?:\\.|[^\"\\])*+(?:\"|\\?\Z)|'(?:\\.|[^'\\])*+(?:'|\\?\Z)|`[^`]*+(?:`|\Z)|#[^\r\n]*+", re.DOTALL
)
_RANGE = re.compile(rf"\[\s*+({_DURATION})\s*+(:[^\[\]]*+)?+\]")
# Prometheus also reads 1e6, 0x10 and 1_000 as seconds: a duration that goes on after its end is another one.
_OFFSET = re.compile(rf"\boffset\s++(-?+)\s*+({_DURATION})(?![\w.])", re.IGNORECASE)
_AT = re.compile(r"@\s*+(start\s*+\(\s*+\)|end\s*+\(\s*+\)|[-+0-9.eE]++(?![\w.]))")
_PARTS = re.compile(r"(\d++(?:\.\d++)?+)(ms|[smhdwy])?+")


def duration_seconds(text: str) -> float:
    """A PromQL duration (`5m`, `1h30m`, or a bare number of seconds)."""
    return sum(float(number) * _UNITS[unit or "s"] for number, unit in _PARTS.findall(text))


def parse_time(text: str) -> datetime:
    """A time as Prometheus takes it: RFC 3339 or Unix seconds. Raises InvalidInput."""
    found = redaction.parse_time(text)
    if found is not None:
        return found
    try:
        return datetime.fromtimestamp(float(text), UTC)
    except (ValueError, OverflowError, OSError) as exc:
        raise errors.InvalidInput(
            f"expected a time in RFC 3339 or Unix seconds, found {text[:40]!r}"
        ) from exc


def check_reach(query: str, begin: datetime, window_start: datetime) -> None:
    """Raise InvalidInput when the expression, evaluated at `begin`, reads samples from before the window.

    An upper bound, without a parser: offsets and subqueries add up, the longest plain range counts once.
    """
    if len(query) > MAX_QUERY_CHARS:
        raise errors.InvalidInput(
            f"expected an expression of at most {MAX_QUERY_CHARS} characters, found {len(query)}"
        )
    bare = _STRINGS.sub('""', query)
    for when in _AT.findall(bare):
        if when.startswith(("start", "end")):
            continue
        begin = min(begin, parse_time(when))
        if begin < window_start:
            raise errors.InvalidInput(f"@ {when}: before the window, which begins at {_text(window_start)}")
    if bare.count("@") != len(_AT.findall(bare)):
        raise errors.InvalidInput("expected a time such as '@ 1767355800' or '@ end()', found another form")
    ranges = [(duration_seconds(length), bool(sub)) for length, sub in _RANGE.findall(bare)]
    if bare.count("[") != len(ranges):
        raise errors.InvalidInput("expected ranges such as [5m] or [5m:15s], found another form")
    offsets = [duration_seconds(length) for sign, length in _OFFSET.findall(bare) if not sign]
    if len(_OFFSET.findall(bare)) != len(re.findall(r"\boffset\b", bare, re.IGNORECASE)):
        raise errors.InvalidInput("expected an offset such as 'offset 5m', found another form")
    reach = sum(length for length, sub in ranges if sub) + sum(offsets)
    reach += max((length for length, sub in ranges if not sub), default=0.0)
    allowed = max(GRACE_SECONDS, (begin - window_start).total_seconds())
    if reach > allowed:
        raise errors.InvalidInput(
            f"the query looks {reach:.0f} s back; the window begins at {_text(window_start)}, "
            f"so at most {int(allowed)} s can be asked for at that time"
        )


def merge_alerts(rules: Json, history: Json, now: datetime, step_seconds: int) -> list[Json]:
    """One entry an alert: state `firing`, `pending` or `resolved`, labels, annotations, times (RFC 3339).

    `rules` and `history` are answers of /rules and of /query_range for ALERTS, already filtered.
    """
    active: dict[str, Json] = {}
    for group in rules["data"]["groups"]:
        for rule in group["rules"]:
            for alert in rule.get("alerts") or ():
                labels = dict(alert.get("labels") or {})
                active[_key(labels)] = {
                    "state": alert.get("state"),
                    "labels": labels,
                    "annotations": alert.get("annotations") or {},
                    "activeAt": alert.get("activeAt"),
                    "expr": rule.get("query"),
                }
    seen: dict[str, Json] = {}
    for row in history["data"]["result"]:
        labels = {key: value for key, value in row["metric"].items() if key not in ("__name__", "alertstate")}
        entry = seen.setdefault(_key(labels), {"labels": labels, "first": None, "last": 0.0, "fired": False})
        times = [float(sample[0]) for sample in row["values"]]
        entry["first"] = min([entry["first"] or times[0], times[0]])
        entry["last"] = max(entry["last"], times[-1])
        entry["fired"] = entry["fired"] or row["metric"].get("alertstate") == "firing"
    found = list(active.values())
    for key, entry in seen.items():
        # Only what fired has resolved; what was pending and went away was no alert.
        if key not in active and entry["fired"]:
            end = min(entry["last"] + step_seconds, now.timestamp())
            found.append(
                {
                    "state": "resolved",
                    "labels": entry["labels"],
                    "annotations": {},
                    "activeAt": _text(datetime.fromtimestamp(entry["first"], UTC)),
                    "resolvedAt": _text(datetime.fromtimestamp(end, UTC)),
                }
            )
    order = {"firing": 0, "pending": 1, "resolved": 2}
    return sorted(found, key=lambda alert: (order.get(str(alert["state"]), 3), _key(alert["labels"])))


def _key(labels: Json) -> str:
    return "\n".join(f"{key}={value}" for key, value in sorted(labels.items()))


def _text(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
