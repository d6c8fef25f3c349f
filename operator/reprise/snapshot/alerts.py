"""`alerts/`: what was pending or firing at the end of the window, and what had been before."""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from reprise.domain import redaction
from reprise.snapshot.request import RecordRequest

# ITBench's readers take the time from the name.
_NAME = "alerts/alerts_at_%Y-%m-%dT%H-%M-%S.%f.json"
HISTORY_NAME = "alerts/history.json"


def file_name(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).strftime(_NAME)


def visible(alerts: Iterable[Mapping[str, Any]], request: RecordRequest) -> list[dict[str, Any]]:
    """The alerts without those that name what is hidden, by name and labels."""
    view = request.view
    return sorted(
        (
            dict(alert)
            for alert in alerts
            if alert.get("labels", {}).get("namespace") not in view.namespaces
            and not redaction.mentions(view, str(alert.get("labels", {})))
        ),
        key=lambda alert: (
            str(alert.get("labels", {}).get("alertname", "")),
            sorted(alert.get("labels", {}).items()),
        ),
    )
