"""What the agent sees at one moment, and the questions that every rule asks of it."""

import datetime as dt
import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from reprise.agents.journal import Journal
from reprise.agents.protocol import Door, DoorError, Json
from reprise.agents.triage import calls

T = TypeVar("T")
_NOTHING: Json = {}
_NONE: Sequence[Json] = ()
# field of World -> (apiVersion, plural). A resource that is refused is treated as empty.
RESOURCES: dict[str, tuple[str, str]] = {
    "deployments": ("apps/v1", "deployments"),
    "stateful_sets": ("apps/v1", "statefulsets"),
    "daemon_sets": ("apps/v1", "daemonsets"),
    "replica_sets": ("apps/v1", "replicasets"),
    "pods": ("v1", "pods"),
    "services": ("v1", "services"),
    "endpoint_slices": ("discovery.k8s.io/v1", "endpointslices"),
    "network_policies": ("networking.k8s.io/v1", "networkpolicies"),
    "quotas": ("v1", "resourcequotas"),
    "limit_ranges": ("v1", "limitranges"),
    "autoscalers": ("autoscaling/v2", "horizontalpodautoscalers"),
    "disruption_budgets": ("policy/v1", "poddisruptionbudgets"),
    "config_maps": ("v1", "configmaps"),
    "claims": ("v1", "persistentvolumeclaims"),
    "events": ("v1", "events"),
}
_SYSTEM = ("kube-system", "kube-public", "kube-node-lease", "local-path-storage", "default", "observability")
TRACES_A_SERVICE = 60
TRACES_SECONDS = 120
SERVICES_LOOKED_AT = 3
# Some collectors put the namespace on span metrics, some do not.
ERROR_RATE = (
    "sum by (service_name) (rate(traces_span_metrics_calls_total"
    '{{status_code="STATUS_CODE_ERROR",namespace=~"{namespace}|"}}[1m])) > 0'
)


@dataclass(frozen=True)
class World:
    """Objects of the application's namespace, nodes, the cluster's own settings, alerts, and who fails when
    calling whom.

    `window_start` is when the incident's window opened, None when nobody says.
    """

    namespace: str
    window_start: dt.datetime | None = None
    deployments: Sequence[Json] = ()
    stateful_sets: Sequence[Json] = ()
    daemon_sets: Sequence[Json] = ()
    replica_sets: Sequence[Json] = ()
    pods: Sequence[Json] = ()
    services: Sequence[Json] = ()
    endpoint_slices: Sequence[Json] = ()
    network_policies: Sequence[Json] = ()
    quotas: Sequence[Json] = ()
    limit_ranges: Sequence[Json] = ()
    autoscalers: Sequence[Json] = ()
    disruption_budgets: Sequence[Json] = ()
    config_maps: Sequence[Json] = ()
    claims: Sequence[Json] = ()
    events: Sequence[Json] = ()
    nodes: Sequence[Json] = ()
    namespaces: Sequence[Json] = ()
    system_config_maps: Sequence[Json] = ()
    alerts: Sequence[Json] = ()
    failures: calls.Failures = field(default_factory=calls.Failures)

    @functools.cached_property
    def workloads(self) -> list[Json]:
        """Deployments, StatefulSets and DaemonSets, each with its kind."""
        return [
            {"kind": kind, **obj}
            for kind, found in (
                ("Deployment", self.deployments),
                ("StatefulSet", self.stateful_sets),
                ("DaemonSet", self.daemon_sets),
            )
            for obj in found
        ]

    def entity(self, kind: str, name: str) -> str:
        return f"{kind}/{name}" if kind == "Node" else f"{self.namespace}/{kind}/{name}"

    def owner(self, obj: Json) -> tuple[str, str]:
        """(kind, name) of the workload behind a Pod, ReplicaSet or the like: the top of its owners."""
        kind, name = obj.get("kind", ""), obj["metadata"]["name"]
        refs = obj["metadata"].get("ownerReferences") or []
        while refs:
            kind, name = refs[0]["kind"], refs[0]["name"]
            parent = next((rs for rs in self.replica_sets if rs["metadata"]["name"] == name), None)
            refs = (
                (parent["metadata"].get("ownerReferences") or []) if kind == "ReplicaSet" and parent else []
            )
        return kind or "Pod", name

    def pods_of(self, kind: str, name: str) -> list[Json]:
        """The pods behind which this workload is."""
        return [pod for pod in self.pods if self.owner({"kind": "Pod", **pod}) == (kind, name)]

    def selected_workloads(self, service: Json) -> list[Json]:
        """The workloads whose pods a Service would select."""
        selector = service.get("spec", {}).get("selector") or {}
        if not selector:
            return []
        return [w for w in self.workloads if selector.items() <= template_labels(w).items()]

    def service_names(self) -> set[str]:
        return {service["metadata"]["name"] for service in self.services}

    def in_window(self, text: str | None) -> bool:
        """Whether a time lies in the incident's window; unknown counts as yes."""
        time = parse_time(text)
        return self.window_start is None or time is None or time >= self.window_start

    def complaining(self) -> bool:
        """Whether any alert fires. What is pending may be a roll-out that takes its time."""
        return any(alert.get("state") == "firing" for alert in self.alerts)

    def counts(self) -> dict[str, int]:
        """How much was seen, for the journal."""
        found = {name: len(getattr(self, name)) for name in (*RESOURCES, "nodes", "alerts")}
        return {**found, "failing_services": len(self.failures.origins)}


def look(door: Door, journal: Journal) -> World:
    """Read everything once. Raises DoorError only when the first read fails: then nothing can be seen."""

    def attempted(read: Callable[[], T], default: T) -> T:
        try:
            return read()
        except (DoorError, KeyError, TypeError, AttributeError) as exc:
            journal.note("unseen", why=str(exc))
            return default

    namespaces = door.list_objects("v1", "namespaces")
    attempt = attempted(door.attempt, _NOTHING)
    namespace = _namespace(attempt, namespaces)
    objects = {
        name: attempted(functools.partial(door.list_objects, api_version, plural, namespace), _NONE)
        for name, (api_version, plural) in RESOURCES.items()
    }
    start = attempt.get("window", {}).get("start") if isinstance(attempt.get("window"), dict) else None
    return World(
        namespace=namespace,
        window_start=parse_time(start),
        nodes=attempted(lambda: door.list_objects("v1", "nodes"), _NONE),
        namespaces=namespaces,
        system_config_maps=attempted(lambda: door.list_objects("v1", "configmaps", "kube-system"), _NONE),
        alerts=[
            alert
            for alert in attempted(door.alerts, _NONE)
            if alert.get("labels", {}).get("namespace", namespace) == namespace
        ],
        failures=attempted(lambda: _failures(door, namespace), calls.Failures()),
        **objects,
    )


def _namespace(attempt: Json, namespaces: Sequence[Json]) -> str:
    """The application's: the one that the attempt names, else the only one that is not the system's."""
    application = attempt.get("application")
    if isinstance(application, dict) and application.get("namespace"):
        return str(application["namespace"])
    if isinstance(attempt.get("namespace"), str):
        return str(attempt["namespace"])
    names = [found["metadata"]["name"] for found in namespaces]
    return next((name for name in names if name not in _SYSTEM), "default")


def _failures(door: Door, namespace: str) -> calls.Failures:
    """From the traces of the services that fail most."""
    rates = {
        sample["metric"].get("service_name", ""): float(sample["value"][1])
        for sample in door.query(ERROR_RATE.format(namespace=namespace))
    }
    worst = sorted((name for name in rates if name), key=lambda name: -rates[name])[:SERVICES_LOOKED_AT]
    traces = {
        trace["traceID"]: trace
        for name in worst
        for trace in door.traces(name, limit=TRACES_A_SERVICE, last_seconds=TRACES_SECONDS)
    }
    return calls.failures(traces.values())


def parse_time(text: object) -> dt.datetime | None:
    """An RFC 3339 time; None for what is none."""
    if not isinstance(text, str) or not text:
        return None
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)


def about(event: Json) -> Json:
    """The object of an Event, in either of its two API versions."""
    found: Json = event.get("involvedObject") or event.get("regarding") or {}
    return found


def event_text(event: Json) -> str:
    """An Event's message, in either of its two API versions."""
    return str(event.get("message") or event.get("note") or "")


def event_time(event: Json) -> str | None:
    """When an Event was last seen, by whichever of its clocks is set."""
    series = event.get("series") or {}
    found = (
        series.get("lastObservedTime")
        or event.get("lastTimestamp")
        or event.get("eventTime")
        or event.get("deprecatedLastTimestamp")
    )
    return str(found) if found else None


def template(workload: Json) -> Json:
    found: Json = workload.get("spec", {}).get("template") or {}
    return found


def template_labels(workload: Json) -> Json:
    found: Json = (template(workload).get("metadata") or {}).get("labels") or {}
    return found


def containers(holder: Json) -> Iterator[Json]:
    """All containers of a template or pod, the init containers first."""
    spec = holder.get("spec") or {}
    yield from spec.get("initContainers") or ()
    yield from spec.get("containers") or ()


def selects(selector: Json | None, labels: Json) -> bool:
    """A LabelSelector: empty selects all, missing selects none."""
    if selector is None:
        return False
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    for rule in selector.get("matchExpressions") or ():
        value = labels.get(rule["key"])
        match rule["operator"]:
            case "In" if value not in rule["values"]:
                return False
            case "NotIn" if value in rule["values"]:
                return False
            case "Exists" if value is None:
                return False
            case "DoesNotExist" if value is not None:
                return False
    return True
