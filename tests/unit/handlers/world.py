"""A whole world for one run, in memory: an API server, an application, observability, an agent, time.

The product's own code runs above it: engine, stores, handlers. Played are: what Prometheus would say, the
recorder, the gateway and the agent behind it, kopf (which calls again, and takes the finalizer away).
"""

import base64
import collections
import datetime as dt
from pathlib import Path
from typing import Any

from tests.fakes.kube import FakeKube
from tests.unit.faults import shop

from reprise.adapters.engine import Engine
from reprise.adapters.kube import Json, Response
from reprise.adapters.run_store import RunStore
from reprise.adapters.scenario_store import ScenarioStore
from reprise.adapters.wire import benchmark_run, model
from reprise.domain import observed, run_status, symptoms
from reprise.domain.run import Run, RunRef
from reprise.domain.scenario import Difficulty, Fault, Scenario
from reprise.handlers import reconcile, watching
from reprise.handlers.runtime import Runtime, Settings

UID = "0d5c2f9e-6f6b-4f0e-9f1c-3a4b5c6d7e8f"
REF = RunRef("default", "first", UID)
START = dt.datetime(2026, 1, 1, 0, 5, tzinfo=dt.UTC)
FAULTS = (
    Fault("network-policy-ingress-block", "Deployment", "frontend"),
    Fault("service-selector-invalid", "Service", "cart"),
)
SCENARIO = Scenario(
    "two-faults", "t", "s", Difficulty.EASY, (), "otel-demo", FAULTS, (symptoms.AlertSymptom("down", "Down"),)
)
CONTROL = Scenario("control", "t", "s", Difficulty.EASY, (), "otel-demo", (), ())
DECOYS = (
    Fault("config-map-added", "Deployment", "cart"),
    Fault("network-policy-permissive", "Deployment", "checkout"),
)
BUSY = Scenario("busy", "t", "s", Difficulty.EASY, (), "otel-demo", (), (), decoys=DECOYS)
ENFORCER: Json = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "kindnet-abc", "namespace": "kube-system", "ownerReferences": [{"uid": "x"}]},
    "spec": {"containers": []},
    "status": {"phase": "Running"},
}


class Killed(BaseException):
    """The process is gone. Not an Exception: nothing may catch it and carry on."""


class World(FakeKube):
    """The API server, with what a real one does to Secrets, and a count of what really changed."""

    def __init__(self) -> None:
        self.changes: collections.Counter[tuple[str, str, str]] = collections.Counter()
        super().__init__(*shop.manifests(), ENFORCER, *_system())
        for item in self.objects().values():
            if item["kind"] == "Deployment":
                count = item["spec"]["replicas"]
                keys = ("replicas", "updatedReplicas", "availableReplicas", "readyReplicas")
                item["status"] = {"observedGeneration": 1, **dict.fromkeys(keys, count)}
                self.store(item)
        self.advance(60)
        self.changes.clear()
        self.now = START
        self.submits = True
        self.symptom_shows = True

    def _record(self, event: str, item: Json) -> None:
        self.changes[event, item["kind"], item["metadata"]["name"]] += 1
        super()._record(event, item)

    async def raw(self, method: str, path: str, **options: Any) -> Response:
        body = options.get("body")
        if isinstance(body, dict) and "stringData" in body:
            data = {k: base64.b64encode(v.encode()).decode() for k, v in body["stringData"].items()}
            options["body"] = {**{k: v for k, v in body.items() if k != "stringData"}, "data": data}
        return await super().raw(method, path, **options)

    # -- what people and other programs do -----------------------------------------------------------

    def apply_run(self, scenario: str = "two-faults", ref: RunRef = REF, **spec: Any) -> None:
        self.store(
            {
                "apiVersion": model.API_VERSION,
                "kind": benchmark_run.KIND,
                "metadata": {
                    "name": ref.name,
                    "namespace": ref.namespace,
                    "uid": ref.uid,
                    "finalizers": [benchmark_run.FINALIZER],
                },
                "spec": {"scenario": scenario, **spec},
            }
        )

    def delete_run(self) -> None:
        found = self.run_object()
        found["metadata"]["deletionTimestamp"] = "2026-01-01T00:06:00Z"
        self.store(found)

    def run_object(self, ref: RunRef = REF) -> Json:
        path = f"/apis/{model.API_VERSION}/namespaces/{ref.namespace}/benchmarkruns/{ref.name}"
        return self.objects()[path]

    def run(self, ref: RunRef = REF) -> Run:
        return benchmark_run.from_object(self.run_object(ref))

    def of_kind(self, kind: str, namespace: str = "") -> list[Json]:
        return [
            item
            for item in self.objects().values()
            if item["kind"] == kind and namespace in ("", item["metadata"].get("namespace", ""))
        ]

    def broken(self) -> bool:
        """Whether any fault is in place."""
        (cart,) = [
            item for item in self.of_kind("Service", "otel-demo") if item["metadata"]["name"] == "cart"
        ]
        return bool(self.of_kind("NetworkPolicy")) or cart["spec"]["selector"] != {"app": "cart"}

    def agents_work(self) -> None:
        """The gateway and the agents, once."""
        for item in self.of_kind("AgentAttempt"):
            if not self.submits or "verdict" in item["spec"] or item.get("status"):
                continue
            causes = [
                f"otel-demo/NetworkPolicy/{p['metadata']['name']}" for p in self.of_kind("NetworkPolicy")
            ]
            item["status"] = {
                "phase": "Submitted",
                "startedAt": model.format_time(self.now),
                "submittedAt": model.format_time(self.now),
                "requests": 3,
                "submission": {"entities": [*causes, "otel-demo/Service/cart"]},
            }
            self.store(item)


def _system() -> list[Json]:
    def in_system(kind: str, name: str, **more: Any) -> Json:
        meta = {"name": name, "namespace": "reprise-system"}
        return {"apiVersion": "v1", "kind": kind, "metadata": meta, **more}

    return [
        in_system("ConfigMap", "endpoints", data={"gatewayExternal": "https://127.0.0.1:1"}),
        in_system("Secret", "gateway-tls", data={"ca.crt": base64.b64encode(b"PEM").decode()}),
        in_system("Service", "gateway", spec={"clusterIP": "10.0.0.1"}),
    ]


class Gates:
    """Prometheus: alerts fire exactly while the application is broken."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def load(self, namespace: str, window_seconds: int) -> observed.Load:
        return observed.Load(True, ("Down",) if self._world.broken() else ())

    async def history(self, wanted: tuple[symptoms.Symptom, ...]) -> observed.History:
        return observed.History()

    async def readings(
        self, wanted: tuple[symptoms.Symptom, ...], namespace: str, since: dt.datetime
    ) -> tuple[symptoms.Reading, ...]:
        shows = self._world.broken() and self._world.symptom_shows
        return tuple(symptoms.Reading(item.name, shows, "Down fires", self._world.now) for item in wanted)


class Recorder:
    async def record(self, run: Run) -> run_status.Snapshot:
        return run_status.Snapshot(f"/data/{run.ref.uid}", "sha256:0", 3)


class History:
    """Which runs are watched: what the handlers asked for, by uid."""

    def __init__(self) -> None:
        self.watched: set[str] = set()

    async def follow(self, run: Run) -> None:
        match watching.need(run):
            case watching.Need.WATCH:
                self.watched.add(run.ref.uid)
            case watching.Need.NOTHING:
                self.watched.discard(run.ref.uid)

    async def forget(self, run_uid: str) -> None:
        self.watched.discard(run_uid)


def operator(world: World) -> Runtime:
    """A fresh operator process: it knows nothing but what the API server says."""
    return Runtime(
        kube=world,
        engine=Engine(world),
        store=RunStore(world),
        gates=Gates(world),
        recorder=Recorder(),
        history=History(),
        scenarios=ScenarioStore(world, {item.name: item for item in (SCENARIO, CONTROL, BUSY)}),
        settings=Settings(Path("/nowhere"), Path("/nowhere"), "agent", "replay"),
        clock=lambda: world.now,
    )


async def live(world: World, runtime: Runtime, ref: RunRef = REF, looks: int = 60) -> bool:
    """Let the operator look again and again, a second apart. True when the run may be deleted."""
    for _ in range(looks):
        if await reconcile.look(runtime, ref):
            return True
        world.agents_work()
        world.now += dt.timedelta(seconds=1)
        world.advance(1)
        run = world.run(ref)
        if run.status.phase.terminal and not run.deleting:
            return False
    return False
