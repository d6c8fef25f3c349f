"""A report for people (what was done first, what came of it after) and as JSON."""

import dataclasses
import difflib
import json
from collections.abc import Iterable, Sequence
from typing import Any

from reprise.snapshot.diff.compare import Report
from reprise.snapshot.diff.objects import FieldChange, ObjectChange
from reprise.snapshot.diff.signals import Figures, ServiceChange

# Of one group; JSON has all of it.
_MOST_LINES = 60
_LONG_CHARACTERS = 100
_SIGNS = {"added": "+", "removed": "-", "changed": "~"}


def to_json(report: Report) -> dict[str, Any]:
    """Everything as JSON values; field names are those of the report's dataclasses."""
    return {**dataclasses.asdict(report), "differs": report.differs}


def text(report: Report) -> str:
    """Lines for a terminal."""
    lines = [f"--- {report.before}", f"+++ {report.after}"]
    whole = [change for change in report.objects if change.what != "changed"]
    lines += _group("Spec", _fields(report.objects, "spec"))
    lines += _group("Objects that came and went", (f"  {_SIGNS[c.what]} {c.entity}" for c in whole))
    lines += _group("Metadata", _fields(report.objects, "metadata"))
    lines += _group("Status", _fields(report.objects, "status"))
    alerts = (f"  {a.alert}: {a.before or 'none'} -> {a.after or 'none'}" for a in report.alerts)
    lines += _group("Alerts", alerts)
    lines += _group("Services", map(_service, report.services))
    edges = (f"  {_SIGNS[e.what]} {e.source} {e.relation} {e.target}" for e in report.edges)
    lines += _group("Topology", edges)
    if not report.differs:
        lines.append("no difference")
    lines += [f"note: {note}" for note in report.notes]
    return "\n".join(lines)


def _group(title: str, lines: Iterable[str]) -> list[str]:
    found = list(lines)
    if not found:
        return []
    more = [f"  ... {len(found) - _MOST_LINES} lines more: -o json"] if len(found) > _MOST_LINES else []
    return ["", title, *found[:_MOST_LINES], *more]


def _fields(changes: Sequence[ObjectChange], part: str) -> Iterable[str]:
    for change in changes:
        fields: Sequence[FieldChange] = getattr(change, part)
        if fields:
            yield f"  {change.entity}"
            for item in fields:
                yield from _field(item)


def _field(item: FieldChange) -> Iterable[str]:
    long = max(len(item.old or ""), len(item.new or "")) > _LONG_CHARACTERS
    if long and item.old is not None and item.new is not None:
        yield f"    {item.path}:"
        old, new = str(json.loads(item.old)).splitlines(), str(json.loads(item.new)).splitlines()
        for line in difflib.unified_diff(old, new, lineterm="", n=0):
            if not line.startswith(("---", "+++", "@@")):
                yield f"      {_short(line)}"
    else:
        yield f"    {item.path}: {_value(item.old)} -> {_value(item.new)}"


def _value(value: str | None) -> str:
    return "(none)" if value is None else _short(value)


def _short(value: str) -> str:
    return (
        value
        if len(value) <= _LONG_CHARACTERS
        else f"{value[:_LONG_CHARACTERS]}... ({len(value)} characters)"
    )


def _service(change: ServiceChange) -> str:
    old, new = change.before, change.after
    if old is None or new is None:
        known = new or old
        return f"  {'+' if old is None else '-'} {change.service}: {_figures(known)}"
    return (
        f"  {change.service}: errors {old.error_rate:.1%} -> {new.error_rate:.1%}, "
        f"p50 {old.p50_ms:.4g} -> {new.p50_ms:.4g} ms, p95 {old.p95_ms:.4g} -> {new.p95_ms:.4g} ms, "
        f"{old.per_second:.3g} -> {new.per_second:.3g} requests/s"
    )


def _figures(found: Figures | None) -> str:
    if found is None:
        return "no spans"
    return f"errors {found.error_rate:.1%}, p95 {found.p95_ms:.4g} ms, {found.per_second:.3g} requests/s"
