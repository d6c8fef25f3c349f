"""One look at symptoms: what counts as evidence."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.fakes.kube import FakeKube

from reprise.adapters import symptom_probe
from reprise.adapters.prometheus import Alert, AlertState, Sample
from reprise.domain.symptoms import AlertSymptom, EventSymptom, MetricSymptom, Reading, Symptom

SINCE = datetime(2026, 1, 1, 12, 0, 0, 500_000, tzinfo=UTC)


class Metrics:
    def __init__(self, alerts: list[Alert], samples: list[Sample]) -> None:
        self._alerts, self._samples = alerts, samples
        self.queries: list[str] = []

    async def alerts(self) -> list[Alert]:
        return self._alerts

    async def query(self, expr: str, at: float | None = None) -> list[Sample]:
        self.queries.append(expr)
        return self._samples


def alert(state: str = "firing", after_seconds: float = 5, **labels: str) -> Alert:
    labels = {"alertname": "Errors", "namespace": "shop", "service_name": "cart", **labels}
    active = SINCE + timedelta(seconds=after_seconds)
    return Alert(labels["alertname"], AlertState(state), labels, {}, active, "1e+00")


def event(**changes: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "e", "namespace": "shop"},
        "reason": "FailedCreate",
        "message": "exceeded quota: x",
        "involvedObject": {"kind": "ReplicaSet", "name": "checkout-1"},
        "lastTimestamp": "2026-01-01T12:00:00Z",
        **changes,
    }


async def look(
    symptom: Symptom,
    alerts: list[Alert] | None = None,
    samples: list[Sample] | None = None,
    events: list[dict[str, Any]] | None = None,
) -> Reading:
    metrics = Metrics(alerts or [], samples or [])
    (reading,) = await symptom_probe.observe([symptom], metrics, FakeKube(*(events or [])), "shop", SINCE)
    return reading


ERRORS = AlertSymptom("s", "Errors", {"service_name": "cart"})


@pytest.mark.parametrize(
    ("alerts", "seen", "evidence"),
    [
        pytest.param([alert()], True, 'Errors{namespace="shop", service_name="cart"} fires', id="fires"),
        pytest.param([alert("pending")], False, "is pending", id="pending"),
        pytest.param([alert(after_seconds=-5)], False, "was active before", id="older than the injection"),
        pytest.param([alert(after_seconds=-5), alert()], True, "fires", id="an older one beside it"),
        pytest.param([alert(service_name="ad")], False, "no alert", id="another service"),
        pytest.param([alert(namespace="other")], False, "no alert", id="another namespace"),
        pytest.param([alert(alertname="Slow")], False, "no alert", id="another alert"),
        pytest.param([], False, "no alert Errors", id="none"),
    ],
)
async def test_alerts(alerts: list[Alert], seen: bool, evidence: str) -> None:
    reading = await look(ERRORS, alerts)
    assert reading.seen is seen
    assert evidence in reading.evidence


@pytest.mark.parametrize(
    ("changes", "seen"),
    [
        pytest.param({}, True, id="matches, in the second of the injection"),
        pytest.param({"lastTimestamp": "2026-01-01T11:59:59Z"}, False, id="older"),
        pytest.param(
            {"lastTimestamp": None, "eventTime": "2026-01-01T12:00:03.5Z"}, True, id="the newer Event API"
        ),
        pytest.param(
            {"series": {"lastObservedTime": "2026-01-01T12:01:00Z"}, "lastTimestamp": None}, True, id="series"
        ),
        pytest.param({"reason": "Created"}, False, id="another reason"),
        pytest.param({"message": "forbidden"}, False, id="another message"),
        pytest.param({"involvedObject": {"kind": "Pod", "name": "checkout-1"}}, False, id="another kind"),
        pytest.param({"involvedObject": {"kind": "ReplicaSet", "name": "cart-1"}}, False, id="another name"),
    ],
)
async def test_events(changes: dict[str, Any], seen: bool) -> None:
    symptom = EventSymptom("s", "FailedCreate", "ReplicaSet", "checkout-", "exceeded quota")
    reading = await look(symptom, events=[event(**changes)])
    assert reading.seen is seen
    assert "FailedCreate" in reading.evidence


async def test_metrics() -> None:
    symptom = MetricSymptom("s", "up{namespace=$namespace} == 0", required=False)
    metrics = Metrics([], [Sample({"pod": "a"}, 0.0, 0.0)])
    (reading,) = await symptom_probe.observe([symptom], metrics, FakeKube(), "shop", SINCE, now=SINCE)
    assert metrics.queries == ['up{namespace="shop"} == 0']
    assert reading == Reading("s", True, 'the query returned 1 samples: {pod="a"} = 0', SINCE, False)
    assert not (await look(symptom)).seen
