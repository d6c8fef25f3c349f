"""`alerts/`: what was pending or firing at the end of the window, what had been before, and the rules."""

import datetime as dt
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from reprise.adapters import prometheus
from reprise.domain import errors, telemetry
from reprise.snapshot import tables
from reprise.snapshot.manifest import FileEntry, Missing
from reprise.snapshot.patience import patiently
from reprise.snapshot.request import RecordRequest, rfc3339

# ITBench's readers take the time from the name.
_NAME = "alerts/alerts_at_%Y-%m-%dT%H-%M-%S.%f.json"
HISTORY_NAME = "alerts/history.json"
RULES_NAME = "alerts/rules.json"


def file_name(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).strftime(_NAME)


def active(alert: prometheus.Alert) -> dict[str, Any]:
    """In the shape of Prometheus' own API."""
    return {
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "state": alert.state.value,
        "activeAt": rfc3339(alert.active_at),
        "value": alert.value,
    }


def stretch(span: prometheus.AlertSpan) -> dict[str, Any]:
    """The same with when it ended: state `resolved` for what fired and no longer does."""
    fired_and_gone = span.state is prometheus.AlertState.FIRING and not span.ongoing
    return {
        "labels": dict(span.labels),
        "annotations": {},
        "state": "resolved" if fired_and_gone else span.state.value,
        "activeAt": rfc3339(span.active_at),
        "startedAt": rfc3339(span.started_at),
        "endedAt": None if span.ongoing else rfc3339(span.ended_at),
        "value": "",
    }


def visible(alerts: Iterable[Mapping[str, Any]], request: RecordRequest) -> list[dict[str, Any]]:
    """The application's alerts and those of no namespace, ordered by name and labels."""
    view = request.view
    return sorted(
        (
            dict(alert)
            for alert in alerts
            if alert.get("labels", {}).get("namespace", request.namespace) == request.namespace
            and not telemetry.hides(view, alert)
        ),
        key=lambda alert: (
            str(alert.get("labels", {}).get("alertname", "")),
            sorted(alert.get("labels", {}).items()),
        ),
    )


async def take_rules(
    source: prometheus.Prometheus,
    root: Path,
    request: RecordRequest,
) -> tuple[list[FileEntry], list[Missing]]:
    """Write `alerts/rules.json`: the visible part of Prometheus' alerting rules and their alerts, as of now.

    A gap in its place when Prometheus does not answer for the request's patience.
    """
    try:
        found = await patiently(source.alerting_rules, request.patience_seconds)
    except errors.Unreachable as exc:
        return [], [Missing("metrics", "alerting rules", str(exc))]
    shown = telemetry.rules(request.view, found)
    rules = sum(len(group["rules"]) for group in shown["groups"])
    return [tables.write_json(root, RULES_NAME, shown, rules)], []
