"""What the gates make of Prometheus' answers."""

import datetime as dt
from typing import Any

import pytest
from tests.fakes.kube import FakeKube

from reprise.adapters.prometheus import Sample
from reprise.domain import symptoms
from reprise.handlers.gates import PrometheusGates

NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


RULES: list[dict[str, Any]] = [
    {"name": "Slow", "annotations": {"history": "3m"}},
    {"name": "Slow", "annotations": {"summary": "the worse of two"}},
    {"name": "Lazy", "annotations": {"history": "2m"}},
    {"name": "Old", "annotations": {"history": "since 1987"}},
    {"name": "Plain"},
]


class Prometheus:
    """Answers by what the query begins with, and remembers the queries."""

    def __init__(self, server: float | None, checkout: float | None, *alerts: dict[str, str]) -> None:
        self.queries: list[str] = []
        self._rates = {"checkout": checkout, "": server}
        self._alerts = alerts

    async def query(self, expr: str, at: float | None = None) -> list[Sample]:
        self.queries.append(expr)
        if "ALERTS" in expr:
            return [Sample(labels, 0, 1) for labels in self._alerts]
        value = self._rates["checkout" if "checkout" in expr else ""]
        return [] if value is None else [Sample({}, 0, value)]

    async def alerts(self) -> list[Any]:
        return []

    async def alerting_rules(self) -> dict[str, Any]:
        self.queries.append("rules")
        return {"groups": [{"rules": RULES[:2]}, {"rules": RULES[2:]}]}


CASES: dict[str, tuple[Prometheus, bool, tuple[str, ...]]] = {
    "served": (Prometheus(9.0, 1.0), True, ()),
    "nothing known yet": (Prometheus(None, None), False, ()),
    "no requests": (Prometheus(0.0, 0.0), False, ()),
    "pages but no orders": (Prometheus(9.0, 0.0), False, ()),
    "two alerts, one of them twice": (
        Prometheus(
            9.0,
            1.0,
            {"alertname": "B", "service_name": "ad"},
            {"alertname": "A"},
            {"alertname": "A", "pod": "x"},
        ),
        True,
        ("A", "B(ad)"),
    ),
}


@pytest.mark.parametrize("name", CASES)
async def test_load(name: str) -> None:
    prometheus, flowing, alerts = CASES[name]
    found = await PrometheusGates(FakeKube(), prometheus).load("shop", 20)  # type: ignore[arg-type]
    assert (found.flowing, found.alerts) == (flowing, alerts)
    assert bool(found.detail) is not flowing
    assert all('namespace="shop"' in query for query in prometheus.queries)


async def test_the_window_looks_back_and_the_present_does_not() -> None:
    prometheus = Prometheus(9.0, 1.0)
    gates = PrometheusGates(FakeKube(), prometheus)  # type: ignore[arg-type]
    await gates.load("shop", 20)
    await gates.load("shop", 0)
    past, present = [query for query in prometheus.queries if "ALERTS" in query]
    assert "[20s]" in past
    assert "pending" in past
    assert "pending" not in present
    assert "[" not in present


async def test_readings_are_those_of_the_probe() -> None:
    gates = PrometheusGates(FakeKube(), Prometheus(9.0, 1.0))  # type: ignore[arg-type]
    wanted = (symptoms.AlertSymptom("down", "Down"), symptoms.MetricSymptom("slow", "x > 1"))
    found = await gates.readings(wanted, "shop", NOW)
    assert [(item.symptom, item.seen) for item in found] == [("down", False), ("slow", True)]


def alert(name: str, *, required: bool = True) -> symptoms.AlertSymptom:
    return symptoms.AlertSymptom(name.lower(), name, required=required)


@pytest.mark.parametrize(
    ("wanted", "seconds", "alerts"),
    [
        ((alert("Lazy"), alert("Slow"), alert("Plain")), 180, ("Slow",)),
        ((alert("Lazy"), alert("Slow", required=False)), 120, ("Lazy",)),
        ((alert("Plain"), alert("Old"), alert("Unknown")), 0, ()),
    ],
)
async def test_the_longest_history_that_a_required_alert_needs(
    wanted: tuple[symptoms.Symptom, ...], seconds: float, alerts: tuple[str, ...]
) -> None:
    gates = PrometheusGates(FakeKube(), Prometheus(9.0, 1.0))  # type: ignore[arg-type]
    found = await gates.history(wanted)
    assert (found.seconds, found.alerts) == (seconds, alerts)


async def test_without_a_required_alert_no_rule_is_asked_for() -> None:
    prometheus = Prometheus(9.0, 1.0)
    gates = PrometheusGates(FakeKube(), prometheus)  # type: ignore[arg-type]
    await gates.history((symptoms.MetricSymptom("slow", "x > 1"), alert("Slow", required=False)))
    assert prometheus.queries == []
