"""What the gates ask of Prometheus and of Events. Each answer comes from a query: nothing is remembered."""

import asyncio
import datetime as dt

from reprise.adapters import symptom_probe
from reprise.adapters.kube import Kube
from reprise.adapters.prometheus import Prometheus, Sample
from reprise.domain import durations, errors, observed, symptoms

# Long enough to hold a few flushes and scrapes of 5 s, short enough to notice that load has stopped.
_RATE_WINDOW_SECONDS = 30
_SERVED = 'traces_span_metrics_calls_total{{namespace="{namespace}",span_kind="SPAN_KIND_SERVER"{more}}}'
# The request that crosses most of the application.
_DEEPEST = ',service_name="checkout",status_code!="STATUS_CODE_ERROR"'


class PrometheusGates:
    """`runtime.Gates` on a real cluster."""

    def __init__(self, kube: Kube, prometheus: Prometheus) -> None:
        self._kube = kube
        self._prometheus = prometheus

    async def load(self, namespace: str, window_seconds: int) -> observed.Load:
        firing = f'ALERTS{{namespace="{namespace}",alertstate="firing"}}'
        if window_seconds:
            # What is pending now may be the end of an earlier run, and would pass for this one's symptom.
            pending = f'ALERTS{{namespace="{namespace}",alertstate="pending"}}'
            firing = f"(max_over_time({firing}[{window_seconds}s]) > 0) or {pending}"
        alerts, everything, deepest = await asyncio.gather(
            self._prometheus.query(firing),
            self._prometheus.query(_rate(namespace, "")),
            self._prometheus.query(_rate(namespace, _DEEPEST)),
        )
        missing = [
            name for name, found in (("server", everything), ("checkout", deepest)) if not _value(found)
        ]
        names = sorted({_name(item) for item in alerts})
        detail = f"no {' and no '.join(missing)} spans within {_RATE_WINDOW_SECONDS} s" if missing else ""
        return observed.Load(not missing, tuple(names), detail)

    async def history(self, wanted: tuple[symptoms.Symptom, ...]) -> observed.History:
        """By the annotation `history` of the alerts' rules; others' rules have none, and need none."""
        names = {item.alert for item in wanted if isinstance(item, symptoms.AlertSymptom) and item.required}
        if not names:
            return observed.History()
        needed: dict[str, float] = {}
        for group in (await self._prometheus.alerting_rules()).get("groups") or ():
            for rule in group.get("rules") or ():
                if rule.get("name") in names:
                    length = _length((rule.get("annotations") or {}).get("history"))
                    needed[rule["name"]] = max(length, needed.get(rule["name"], 0.0))
        longest = max(needed.values(), default=0.0)
        alerts = sorted(name for name, length in needed.items() if length == longest > 0)
        return observed.History(longest, tuple(alerts))

    async def readings(
        self, wanted: tuple[symptoms.Symptom, ...], namespace: str, since: dt.datetime
    ) -> tuple[symptoms.Reading, ...]:
        found = await symptom_probe.observe(wanted, self._prometheus, self._kube, namespace, since)
        return tuple(found)


def _length(history: object) -> float:
    """Seconds; 0 for what is no duration: the annotation may be somebody else's, and mean something else."""
    try:
        return durations.seconds(str(history))
    except errors.InvalidInput:
        return 0.0


def _rate(namespace: str, more: str) -> str:
    selector = _SERVED.format(namespace=namespace, more=more)
    return f"sum(rate({selector}[{_RATE_WINDOW_SECONDS}s]))"


def _value(samples: list[Sample]) -> float:
    return samples[0].value if samples else 0.0


def _name(sample: Sample) -> str:
    service = sample.labels.get("service_name", "")
    name = sample.labels.get("alertname", "")
    return f"{name}({service})" if service else name
