"""Two moments of an incident, or of two, side by side."""

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reprise.domain import errors
from reprise.snapshot import reader
from reprise.snapshot.diff import noise, objects, signals

_OFFSET = re.compile(r"\+(\d+(?:\.\d+)?)s?")
Edge = tuple[str, str, str]


@dataclass(frozen=True)
class AlertChange:
    """States pending or firing; "" where it was not there."""

    alert: str
    before: str
    after: str


@dataclass(frozen=True)
class EdgeChange:
    """`what` is added or removed."""

    source: str
    relation: str
    target: str
    what: str


@dataclass(frozen=True)
class Report:
    """`before` and `after` say in words what was compared, `notes` what could not be."""

    before: str
    after: str
    objects: tuple[objects.ObjectChange, ...]
    alerts: tuple[AlertChange, ...]
    services: tuple[signals.ServiceChange, ...]
    edges: tuple[EdgeChange, ...]
    notes: tuple[str, ...] = ()

    @property
    def differs(self) -> bool:
        return bool(self.objects or self.alerts or self.services or self.edges)


def compare(first: reader.Snapshot, second: reader.Snapshot | None = None, at: str = "") -> Report:
    """`second` against `first`; without it, `first` later against itself before the fault.

    `at` (RFC 3339, or `+90s` after each one's baselineAt) takes the place of the end of recording. Raises
    InvalidInput for an `at` outside of the window, Corrupt for records that cannot be read.
    """
    return _within(first, at) if second is None else _across(first, second, at)


def moment(snapshot: reader.Snapshot, at: str) -> dt.datetime | None:
    """The moment that `at` names in this snapshot; None for "". Raises InvalidInput."""
    if not at:
        return None
    start, end = snapshot.needed_time("baselineAt"), snapshot.needed_time("recordedAt")
    if offset := _OFFSET.fullmatch(at):
        found = start + dt.timedelta(seconds=float(offset[1]))
    else:
        try:
            found = reader.parse_time(at)
        except errors.Corrupt as exc:
            raise errors.InvalidInput(f"--at: {exc}, or +SECONDS after baselineAt") from exc
    if not start <= found <= end:
        raise errors.InvalidInput(
            f"--at: expected a time from {start.isoformat()} to {end.isoformat()} (the window of "
            f"{snapshot.folder}), found {found.isoformat()}"
        )
    return found


def _within(snapshot: reader.Snapshot, at: str) -> Report:
    start, end = snapshot.needed_time("baselineAt"), snapshot.needed_time("recordedAt")
    injected, until = snapshot.time("injectedAt"), moment(snapshot, at)
    notes = ["edges that are not calls are known for the end of the window only"]
    since = injected or start
    if injected is None:
        notes.append("nothing was injected: compared with the beginning of the window, services are not")
    if until is not None and until < since:
        raise errors.InvalidInput(
            f"--at: expected a time after {since.isoformat()}, found {until.isoformat()}"
        )
    old = objects.at(snapshot, since)
    known = objects.with_history(snapshot)
    new = objects.recorded(snapshot) if until is None else objects.at(snapshot, until)
    new = {key: obj for key, obj in new.items() if key[0] in known}
    left, right = signals.Window(start, since), signals.Window(since, until or end)
    if injected is not None:
        signals.fill(snapshot, (left, right))
    return Report(
        before=f"{snapshot.folder} before the fault ({since.isoformat()})",
        after=f"{snapshot.folder} at {(until or end).isoformat()}",
        objects=objects.changes(old, new, across=False),
        alerts=_alerts(signals.alerts_at(snapshot, since), _alerts_of(snapshot, until)),
        services=signals.service_changes(left.figures(), right.figures()),
        edges=_edges(_calls(left), _calls(right)),
        notes=tuple(notes),
    )


def _across(first: reader.Snapshot, second: reader.Snapshot, at: str) -> Report:
    states, windows, notes = [], [], []
    for snapshot in (first, second):
        until = moment(snapshot, at)
        states.append(objects.recorded(snapshot) if until is None else objects.at(snapshot, until))
        end = until or snapshot.needed_time("recordedAt")
        windows.append(signals.Window(snapshot.needed_time("baselineAt"), end))
        signals.fill(snapshot, windows[-1:])
    if at:
        notes.append("edges that are not calls are known for the end of the window only")
        edges = _edges(_calls(windows[0]), _calls(windows[1]))
    else:
        edges = _edges(_topology(first, states[0]), _topology(second, states[1]))
    return Report(
        before=f"{first.folder}{f' at {at}' if at else ''}",
        after=f"{second.folder}{f' at {at}' if at else ''}",
        objects=objects.changes(states[0], states[1], across=True),
        alerts=_alerts(*(_alerts_of(snapshot, moment(snapshot, at)) for snapshot in (first, second))),
        services=signals.service_changes(windows[0].figures(), windows[1].figures()),
        edges=edges,
        notes=tuple(notes),
    )


def _alerts_of(snapshot: reader.Snapshot, until: dt.datetime | None) -> dict[str, str]:
    return signals.alerts_recorded(snapshot) if until is None else signals.alerts_at(snapshot, until)


def _alerts(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[AlertChange, ...]:
    return tuple(
        AlertChange(name, before.get(name, ""), after.get(name, ""))
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    )


def _calls(window: signals.Window) -> set[Edge]:
    return {(f"App/{caller}", "calls", f"App/{callee}") for caller, callee in window.calls}


def _topology(snapshot: reader.Snapshot, known: Mapping[objects.Key, objects.Json]) -> set[Edge]:
    """The edges with the names that mean the same in another snapshot."""
    names = {
        f"{known[key]['kind']}/{key[2]}": f"{known[key]['kind']}/{stable[2]}"
        for key, stable in objects.stable_keys(known).items()
    }

    def stable(node: str) -> str:
        return names.get(node, node)

    return {
        (stable(edge["source"]), edge["relation"], stable(edge["target"]))
        for edge in snapshot.edges()
        if not noise.is_left_out(edge["target"].partition("/")[0])
    }


def _edges(before: Iterable[Edge], after: Iterable[Edge]) -> tuple[EdgeChange, ...]:
    old, new = set(before), set(after)
    return tuple(EdgeChange(*edge, "added" if edge in new else "removed") for edge in sorted(old ^ new))
