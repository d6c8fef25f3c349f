"""One look at the expected symptoms: alerts and metrics in Prometheus, Events in Kubernetes."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol, assert_never

from reprise.adapters.kube import Json, Kube
from reprise.adapters.prometheus import Alert, AlertState, Sample
from reprise.domain.symptoms import AlertSymptom, EventSymptom, MetricSymptom, Reading, Symptom

# How many samples or labels evidence shows; it is kept in a status.
_SHOWN = 3


class Metrics(Protocol):
    """The part of adapters.prometheus.Prometheus that is used here."""

    async def query(self, expr: str, at: float | None = None) -> list[Sample]: ...

    async def alerts(self) -> list[Alert]: ...


async def observe(
    symptoms: Sequence[Symptom],
    prometheus: Metrics,
    kube: Kube,
    namespace: str,
    since: datetime,
    now: datetime | None = None,
) -> list[Reading]:
    """Look once at every symptom, in their order.

    since: what ended (Events) or began (alerts) before this time is not evidence; aware, whole seconds count.
    now: the time that readings carry. Raises Unreachable when Prometheus or the API server does not answer.
    """
    seen_at = now or datetime.now(UTC)
    alerts = await prometheus.alerts() if any(isinstance(s, AlertSymptom) for s in symptoms) else []
    events = (
        await kube.list_objects("v1", "Event", namespace)
        if any(isinstance(s, EventSymptom) for s in symptoms)
        else []
    )
    readings = []
    for symptom in symptoms:
        match symptom:
            case AlertSymptom():
                seen, evidence = _alert(symptom, alerts, namespace, since)
            case MetricSymptom():
                query = symptom.query.replace("$namespace", f'"{namespace}"')
                seen, evidence = _metric(await prometheus.query(query))
            case EventSymptom():
                seen, evidence = _event(symptom, events, since)
            case _:
                assert_never(symptom)
        readings.append(Reading(symptom.name, seen, evidence, seen_at, symptom.required))
    return readings


def _alert(
    symptom: AlertSymptom, alerts: Sequence[Alert], namespace: str, since: datetime
) -> tuple[bool, str]:
    wanted = {"namespace": namespace, **symptom.labels}
    matching = [a for a in alerts if a.name == symptom.alert and wanted.items() <= a.labels.items()]
    new = [a for a in matching if a.active_at >= since.replace(microsecond=0)]
    firing = [a for a in new if a.state is AlertState.FIRING]
    for state, found in (
        ("fires", firing),
        ("is pending", new),
        ("was active before the injection", matching),
    ):
        if found:
            first = min(found, key=lambda a: a.active_at)
            labels = {k: v for k, v in first.labels.items() if k not in ("alertname", "severity")}
            return state == "fires", (
                f"alert {symptom.alert}{_labels(labels)} {state}, active since "
                f"{first.active_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}, value {first.value}"
            )
    return False, f"no alert {symptom.alert}{_labels(wanted)} is active"


def _metric(samples: Sequence[Sample]) -> tuple[bool, str]:
    if not samples:
        return False, "the query returned no sample"
    shown = "; ".join(f"{_labels(s.labels)} = {s.value:g}" for s in samples[:_SHOWN])
    return True, f"the query returned {len(samples)} samples: {shown}"


def _event(symptom: EventSymptom, events: Sequence[Json], since: datetime) -> tuple[bool, str]:
    for event in events:
        about = event.get("involvedObject") or {}
        if (
            event.get("reason") == symptom.reason
            and about.get("kind") == symptom.kind
            and str(about.get("name", "")).startswith(symptom.name_prefix)
            and symptom.message in (event.get("message") or "")
            and last_seen(event) >= since.replace(microsecond=0)  # Events have whole seconds
        ):
            return True, (
                f"Event {symptom.reason} about {symptom.kind}/{about['name']} at "
                f"{last_seen(event):%Y-%m-%dT%H:%M:%SZ}: {event.get('message') or ''}"[:300]
            )
    return False, f"no Event {symptom.reason} about {symptom.kind}/{symptom.name_prefix}* since the injection"


def last_seen(event: Json) -> datetime:
    """When the Event happened last, in UTC; the two Event APIs note it in different fields."""
    text = (
        (event.get("series") or {}).get("lastObservedTime")
        or event.get("lastTimestamp")
        or event.get("eventTime")
        or event["metadata"]["creationTimestamp"]
    )
    return datetime.fromisoformat(text).astimezone(UTC)


def _labels(labels: Mapping[str, str]) -> str:
    return "{" + ", ".join(f'{key}="{value}"' for key, value in sorted(labels.items())) + "}"
