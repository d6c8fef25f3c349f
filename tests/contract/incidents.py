"""Any scenario of the catalogue as a cluster would hold it while the fault is in, without a cluster.

The fault is planned by the operator's own planner on the application's pinned manifests; around it lies what
the operator, the injector and the API server leave behind.
"""

import copy
import dataclasses
import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

from tests.unit.domain import lifecycle_runs
from tests.unit.families import lite

from reprise.adapters import engine_plan, engine_write, run_document
from reprise.domain import paths, plan, run
from reprise.domain.entities import ObjectRef
from reprise.domain.mutation import (
    BeforeCreate,
    BeforeDelete,
    BeforePatch,
    Create,
    Delete,
    Mutation,
    OldField,
    Patch,
    PlannedMutation,
)
from reprise.domain.run_status import Phase
from reprise.domain.scenario import Scenario
from reprise.faults import chaos_experiment
from reprise.faults.mechanism import Observed
from reprise.handlers import agent_container, agent_job, agent_network, application, events

Json = dict[str, Any]
SEED = 1
RUN_UID = "0d5c2f9e-6f6b-4f0e-9f1c-3a4b5c6d7e8f"
ATTEMPT_UID = "7c1d9a52-3b57-4c8e-8a55-2f6f0f3b9d10"
WINDOW_START = dt.datetime(2026, 3, 1, 11, 0, tzinfo=dt.UTC)
IMAGES = agent_container.Images("localhost/reprise-agent:1", "localhost/reprise-agent-shell:1")
_RBAC = "rbac.authorization.k8s.io"


@dataclasses.dataclass(frozen=True)
class Incident:
    """`objects` lie in the cluster while agents look; `document` is what only the operator may know."""

    objects: tuple[Json, ...]
    changed: tuple[Json, ...]
    document: Json


def _with_what_some_clusters_have(found: Observed) -> Observed:
    """A mesh, a certificate and a right to lose, which scenarios for other clusters need."""

    def put(observed: Observed, manifest: Json) -> Observed:
        meta = manifest["metadata"]
        kind, name = manifest["kind"], meta["name"]
        ref = ObjectRef(manifest["apiVersion"], kind, meta.get("namespace", ""), name)
        return observed.replaced(ref, manifest)

    for manifest in (
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": lite.NAMESPACE, "labels": {"istio.io/dataplane-mode": "ambient"}},
        },
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "storefront-tls", "namespace": lite.NAMESPACE},
            "type": "kubernetes.io/tls",
            "data": {"tls.crt": "", "tls.key": ""},
        },
        _binding("flags", "otel-demo", lite.NAMESPACE, "Role", "flags"),
        _mounting(found.get("Deployment", "frontend-proxy"), "storefront-tls"),
    ):
        found = put(found, manifest)
    return found


def _mounting(deployment: Json, secret: str) -> Json:
    made = copy.deepcopy(deployment)
    made["spec"]["template"]["spec"]["volumes"] = [{"name": "tls", "secret": {"secretName": secret}}]
    return made


def _binding(name: str, account: str, home: str, kind: str, role: str) -> Json:
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": name, "namespace": lite.NAMESPACE},
        "roleRef": {"apiGroup": _RBAC, "kind": kind, "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": home}],
    }


SHOP = _with_what_some_clusters_have(lite.observed())


def incident(scenario: Scenario) -> Incident:
    """What lies in the cluster once the scenario's faults and decoys are in force."""
    faults, decoys = engine_plan.inject(scenario, SEED, SHOP)
    mutations = [m for one in (*faults, *decoys) for m in one.injection.mutations]
    objects = {_ref(item): item for item in _of(SHOP) if item["kind"] not in ("Pod", "ReplicaSet")}
    planned = [_apply(objects, mutation) for mutation in mutations]
    changed = [objects[m.ref] for m in mutations if m.ref in objects]
    hit = {m.ref.name for m in mutations if m.ref.api_version == chaos_experiment.API_VERSION}
    pods = [
        _hurt(item, hit) if item["kind"] == "Pod" else item
        for ref, one in objects.items()
        if ref.kind == "Deployment" and ref.namespace == lite.NAMESPACE
        for item in lite.running(one)
    ]
    for pod in pods:
        pod["metadata"]["namespace"] = lite.NAMESPACE
    known = plan.Plan(
        scenario.name,
        lite.NAMESPACE,
        SEED,
        tuple(planned),
        (),
        (),
        engine_plan.truth(scenario, faults, lite.NAMESPACE),
    )
    the_run = _run(scenario)
    document = run_document.document(the_run, scenario, known, known.truth)
    document["injector"] = [
        {**m.manifest, "metadata": {**m.manifest["metadata"], "uid": RUN_UID[::-1]}}
        for m in mutations
        if isinstance(m, Create) and m.ref.api_version == chaos_experiment.API_VERSION
    ]
    left = (*_of_the_operator(the_run, document), *_of_an_agent(), *_of_the_injector(hit, pods))
    everything = [_written(item) for item in (*objects.values(), *pods, *left)]
    return Incident(tuple(everything), tuple(changed), document)


def _of(observed: Observed) -> Iterator[Json]:
    versions = {"ConfigMap": "v1", "Deployment": "apps/v1"}
    for scope in (observed.objects, observed.cluster, observed.system):
        for kind, found in scope.items():
            for item in found.values():
                yield {"apiVersion": versions.get(kind, ""), **item}


def _ref(item: Json) -> ObjectRef:
    meta = item["metadata"]
    return ObjectRef(item["apiVersion"], item["kind"], meta.get("namespace", ""), meta["name"])


def _apply(objects: dict[ObjectRef, Json], mutation: Mutation) -> PlannedMutation:
    """Bring the mutation about; returns it with its before-image."""
    match mutation:
        case Create(manifest):
            objects[mutation.ref] = manifest
            return PlannedMutation(mutation, BeforeCreate())
        case Delete(ref):
            return PlannedMutation(mutation, BeforeDelete("uid", objects.pop(ref)))
        case Patch(ref, changes):
            old = tuple(OldField(paths.get(objects[ref], change.path)) for change in changes)
            for change in changes:
                objects[ref] = paths.put(objects[ref], change.path, change.value)
            return PlannedMutation(mutation, BeforePatch("uid", old))


def _written(item: Json) -> Json:
    """As the API server keeps it: with who wrote which field, and kubectl's copy."""
    meta = item["metadata"]
    managers = (application.FIELD_MANAGER, engine_write.FIELD_MANAGER, "reprise-operator", "kopf")
    notes = {
        **(meta.get("annotations") or {}),
        "kubectl.kubernetes.io/last-applied-configuration": json.dumps({"reprise": item["kind"]}),
    }
    fields = [{"manager": name, "operation": "Update"} for name in managers]
    return {**item, "metadata": {"uid": "u", **meta, "annotations": notes, "managedFields": fields}}


def _run(scenario: Scenario) -> run.Run:
    made = lifecycle_runs.a_run(Phase.INJECTING, spec={})
    return dataclasses.replace(
        made,
        ref=run.RunRef("default", f"prove-{scenario.name}", RUN_UID),
        spec=dataclasses.replace(made.spec, scenario=scenario.name),
    )


def _of_the_operator(the_run: run.Run, document: Json) -> Iterator[Json]:
    """Events on the run, its stored answer, its rights in the application, its pod's image on the node."""
    for phase in Phase:
        after = dataclasses.replace(the_run, status=the_run.status.enter(phase, lifecycle_runs.NOW))
        yield events.event(the_run, after)
    meta = {"name": f"run-{RUN_UID}", "namespace": "reprise-system"}
    yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"d": json.dumps(document)}}
    yield {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": {"d": json.dumps(document)}}
    yield {
        "apiVersion": "reprise.dev/v1alpha1",
        "kind": "BenchmarkRun",
        "metadata": {"name": the_run.ref.name, "namespace": "default"},
        "spec": {"scenario": the_run.spec.scenario},
    }
    yield _binding("operator", "operator", "reprise-system", "ClusterRole", "reprise-application")
    names = ("localhost/reprise-operator:1", "localhost/reprise-gateway:1", "localhost/chaos-daemon:1")
    yield {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "another", "annotations": {"chaos-mesh.org/netem": "no"}},
        "status": {"images": [{"names": [name]} for name in (*names, "localhost/otel-demo-lite:2.2.0")]},
    }
    for name in ("reprise-system", "reprise-agents", chaos_experiment.NAMESPACE):
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _of_an_agent() -> Iterator[Json]:
    """Another attempt's Job with all that is made for it."""
    agent = run.Agent(kind=run.AgentKind.TRIAGE)
    parts = agent_job.Parts(
        run_uid=RUN_UID,
        attempt_uid=ATTEMPT_UID,
        contents=agent_container.contents(agent, IMAGES, 600),
        pull_policy="IfNotPresent",
        gateway_ip="10.96.1.1",
        kubeconfig="{}",
        token="t",
        ca_pem="c",
        deadline_seconds=700,
    )
    yield from agent_job.secrets(parts)
    job = agent_job.job(parts)
    yield job
    yield {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "attempt-x",
            "namespace": "reprise-agents",
            **job["spec"]["template"]["metadata"],
        },
        "spec": job["spec"]["template"]["spec"],
    }
    yield agent_network.policy("model", RUN_UID, ATTEMPT_UID, [])


def _of_the_injector(hit: set[str], pods: list[Json]) -> Iterator[Json]:
    """Events by and about it, and the object that it makes beside each pod that it shapes."""
    for index, pod in enumerate(pods):
        if pod["kind"] != "Pod" or not hit:
            continue
        name = pod["metadata"]["name"]
        for about, component in (
            ({"kind": "PodNetworkChaos", "apiVersion": "chaos-mesh.org/v1alpha1", "name": name}, "x"),
            ({"kind": "Pod", "apiVersion": "v1", "name": name}, "chaos-daemon"),
        ):
            yield {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": f"{name}.{index}-{component}", "namespace": lite.NAMESPACE},
                "involvedObject": {**about, "namespace": lite.NAMESPACE},
                "message": f"applied by {', '.join(sorted(hit))}",
                "source": {"component": component},
                "lastTimestamp": "2026-03-01T12:00:00Z",
            }
        yield {
            "apiVersion": "chaos-mesh.org/v1alpha1",
            "kind": "PodNetworkChaos",
            "metadata": {"name": name, "namespace": lite.NAMESPACE},
        }


def _hurt(pod: Json, hit: set[str]) -> Json:
    """With the annotation that pod-failure leaves on a pod."""
    notes = {f"chaos-mesh-{name}-pod-failure-main-normal-image": "localhost/otel-demo-lite:1" for name in hit}
    return {**pod, "metadata": {**pod["metadata"], "annotations": notes}} if notes else pod
