"""What an agent may see of Prometheus' and Jaeger's answers, as rules. Pure; live and recorded alike."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from reprise.domain import redaction
from reprise.domain.redaction import View

Json = dict[str, Any]
_NAMESPACE_LABELS = ("namespace", "exported_namespace", "kubernetes_namespace")


def hides(view: View, value: Any) -> bool:
    """Whether labels (or any other part of an answer) are of a hidden namespace or name something hidden."""
    if isinstance(value, Mapping) and any(value.get(key) in view.namespaces for key in _NAMESPACE_LABELS):
        return True
    return redaction.mentions(view, json.dumps(value, ensure_ascii=False))


def metadata(view: View, data: Mapping[str, Any] | None) -> Json:
    """The visible part of `data` of /api/v1/metadata."""
    return {name: rows for name, rows in (data or {}).items() if not hides(view, [name, rows])}


def rules(view: View, data: Mapping[str, Any] | None) -> Json:
    """The visible part of `data` of /api/v1/rules: groups that have any rule left, without their files."""
    groups = [_group(view, group) for group in (data or {}).get("groups", ())]
    return {"groups": [group for group in groups if group["rules"]]}


def _group(view: View, group: Json) -> Json:
    found = []
    for rule in group.get("rules", ()):
        if hides(view, [rule.get("name"), rule.get("labels")]):
            continue
        alerts = [alert for alert in rule.get("alerts") or () if not hides(view, alert)]
        found.append({**rule, **({"alerts": alerts} if "alerts" in rule else {})})
    cleaned = [redaction.scrub(view, rule) for rule in found]
    name = redaction.scrub(view, group.get("name", ""))
    return {"name": name, "interval": group.get("interval"), "rules": cleaned}


def hides_trace(view: View, trace: Json) -> bool:
    """Whether a trace (Jaeger's UI JSON) began before the window or names something hidden.

    Other things of Jaeger's answers (names of services, edges between them) have no beginning.
    """
    starts = (float(span.get("startTime", 0)) for span in trace["spans"])
    return is_early(view, starts) or hides_item(view, trace)


def is_early(view: View, starts: Iterable[float]) -> bool:
    """Whether a trace of spans that started then (microseconds since 1970) began before the window."""
    return min(starts, default=0.0) < view.window_start.timestamp() * 1e6


def hides_item(view: View, item: Any) -> bool:
    """Whether an element of one of Jaeger's answers names something hidden."""
    return redaction.mentions(view, json.dumps(item, ensure_ascii=False))
