"""AgentAttempts and what their agents need: tokens, kubeconfigs, Jobs; and what has become of them."""

import asyncio
import base64
import dataclasses
import datetime as dt
import hashlib
import json
import logging
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from reprise.adapters.kube import Json
from reprise.adapters.wire import agent_attempt, benchmark_run, model
from reprise.domain import attempt, errors, kubeconfig, scoring, stats
from reprise.domain.attempt import Attempt, Job, JobState, Verdict
from reprise.domain.budget import Phase
from reprise.domain.entities import EntityId, ObjectRef
from reprise.domain.run import AgentKind, Mode, Run
from reprise.domain.run_status import ScoreSummary
from reprise.domain.scenario import Injector
from reprise.handlers import (
    agent_container,
    agent_job,
    agent_network,
    agent_secrets,
    agent_snapshot,
    records,
    replays,
)
from reprise.handlers.runtime import (
    AGENTS_NAMESPACE,
    ATTEMPT_LABEL,
    RUN_LABEL,
    SYSTEM_NAMESPACE,
    Runtime,
)

logger = logging.getLogger(__name__)
_TLS = ObjectRef("v1", "Secret", SYSTEM_NAMESPACE, "gateway-tls")
_GATEWAY = ObjectRef("v1", "Service", SYSTEM_NAMESPACE, "gateway")
_ENDPOINTS = ObjectRef("v1", "ConfigMap", SYSTEM_NAMESPACE, "endpoints")


async def read(runtime: Runtime, run: Run) -> tuple[Attempt, ...]:
    """The attempts of a run with what became of their Jobs, by index."""
    selector = f"{RUN_LABEL}={run.ref.uid}"
    objects = await runtime.kube.list_objects(
        model.API_VERSION, agent_attempt.KIND, run.ref.namespace, label_selector=selector
    )
    jobs: Sequence[Json] = ()
    pods: Sequence[Json] = ()
    if any(needs_job(item) for item in objects):
        jobs, pods = await asyncio.gather(
            runtime.kube.list_objects("batch/v1", "Job", AGENTS_NAMESPACE, label_selector=selector),
            runtime.kube.list_objects("v1", "Pod", AGENTS_NAMESPACE, label_selector=selector),
        )
    found = (agent_attempt.from_object(item, job_of(item, jobs, pods)) for item in objects)
    return tuple(sorted(found, key=lambda item: item.index))


def needs_job(obj: Mapping[str, Any]) -> bool:
    """Whether what became of the attempt's Job still matters."""
    spec = obj["spec"]
    return AgentKind(spec["agent"]["kind"]).has_job and "verdict" not in spec


def job_of(obj: Mapping[str, Any], jobs: Sequence[Json], pods: Sequence[Json]) -> Job:
    """What became of the attempt's Job, from the lists of all Jobs and Pods of its run."""
    if not needs_job(obj):
        return Job(JobState.NOT_NEEDED)
    uid = obj["metadata"]["uid"]

    def ours(item: Json) -> bool:
        return bool((item["metadata"].get("labels") or {}).get(ATTEMPT_LABEL) == uid)

    job = next((item for item in jobs if ours(item)), None)
    if job is None:
        return Job(JobState.MISSING)
    return agent_job.state_of(job, [item for item in pods if ours(item)])


async def ensure(runtime: Runtime, run: Run, index: int) -> None:
    """Make the attempt of this index and all that its agent needs, or what is missing of it.

    The token is stored before the object that holds its digest: a crash in between finds it again.
    """
    door = await _door(runtime, run)
    name = f"{run.ref.name}-{index}"
    tls = await _data(runtime, _TLS, "ca.crt")
    ca_pem = base64.b64decode(tls["ca.crt"]).decode()
    token = await _token(runtime, run, name, door, ca_pem)
    made = await _make(runtime, run, _attempt(runtime, run, index, name, token, door))
    if run.spec.agent.kind.has_job and "verdict" not in made["spec"]:
        await _start(runtime, run, made["metadata"]["uid"], door, token, ca_pem)


async def _start(runtime: Runtime, run: Run, uid: str, door: "_Door", token: str, ca_pem: str) -> None:
    """Make the agent's Job and what it needs; what an earlier process of ours made of it stays.

    The policy comes before the Job: a pod must not find its way before that is fenced.
    """
    config = kubeconfig.build(agent_job.GATEWAY_URL, ca_pem, token, door.namespace)
    agent, seconds = run.spec.agent, run.spec.budgets.wall_clock_seconds
    if agent.mount_snapshot:
        await agent_snapshot.ensure(runtime, run)
    images = agent_container.Images(runtime.settings.agent_image, runtime.settings.agent_shell_image)
    route = await agent_network.route(runtime, agent.model.endpoint) if agent.model else None
    parts = agent_job.Parts(
        run_uid=run.ref.uid,
        attempt_uid=uid,
        contents=agent_container.contents(agent, images, seconds),
        pull_policy=runtime.settings.pull_policy,
        gateway_ip=door.cluster_ip,
        kubeconfig=json.dumps(config),
        token=token,
        ca_pem=ca_pem,
        deadline_seconds=seconds + attempt.JOB_START_SECONDS,
        model_key=await agent_secrets.model_key(runtime, run),
        agent_secret=await agent_secrets.of_the_agent(runtime, run),
        aliases=route.aliases if route else (),
    )
    manifests = agent_job.secrets(parts)
    if route is not None and route.rules:
        manifests.append(agent_network.policy(agent_job.name_of(uid), run.ref.uid, uid, route.rules))
    for manifest in (*manifests, agent_job.job(parts)):
        try:
            await runtime.kube.create(manifest)
        except errors.Conflict:
            continue  # an earlier process of ours made it


@dataclasses.dataclass(frozen=True)
class _Door:
    """Where a run's agents come in: `external` is the URL from outside of the cluster, `namespace` that of
    the application behind it."""

    external: str
    cluster_ip: str
    namespace: str
    injector: Injector


async def _door(runtime: Runtime, run: Run) -> _Door:
    """The gateway, or the server of the snapshot that is replayed. Raises NotFound."""
    replayed = run.spec.mode is Mode.REPLAY
    ref = replays.service_ref(run) if replayed else _GATEWAY
    service = await runtime.kube.get(ref)
    if service is None:
        raise errors.NotFound(f"expected {ref}, found none; run `reprise up`")
    if replayed:
        # Nobody comes in from outside: the CRD sees to that.
        external = agent_job.GATEWAY_URL
        namespace, injector = await replays.incident(runtime, run)
    else:
        external = (await _data(runtime, _ENDPOINTS, "gatewayExternal"))["gatewayExternal"]
        namespace, injector = run.spec.application.namespace, (await runtime.scenario(run)).injector
    return _Door(external, service["spec"]["clusterIP"], namespace, injector)


async def _data(runtime: Runtime, ref: ObjectRef, key: str) -> Mapping[str, str]:
    found = await runtime.kube.get(ref)
    data: Mapping[str, str] = (found or {}).get("data") or {}
    if key not in data:
        raise errors.NotFound(f"expected {ref} with the key {key}, found none; run `reprise up`")
    return data


async def _token(runtime: Runtime, run: Run, name: str, door: "_Door", ca_pem: str) -> str:
    token = secrets.token_hex(32)
    config = kubeconfig.build(door.external, ca_pem, token, door.namespace)
    manifest: Json = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": f"{name}-kubeconfig",
            "namespace": run.ref.namespace,
            "labels": {RUN_LABEL: run.ref.uid},
            "ownerReferences": [owner(run)],
        },
        "stringData": {"kubeconfig": json.dumps(config, indent=1), "token": token},
    }
    made = await _make(runtime, run, manifest)
    return base64.b64decode(made["data"]["token"]).decode()


async def _make(runtime: Runtime, run: Run, manifest: Json) -> Json:
    """Create, or return the one that an earlier process of ours made. One that was left by an earlier run of
    the same name goes first."""
    try:
        return await runtime.kube.create(manifest)
    except errors.Conflict:
        meta = manifest["metadata"]
        ref = ObjectRef(manifest["apiVersion"], manifest["kind"], meta["namespace"], meta["name"])
        found = await runtime.kube.get(ref)
    if found is None:
        raise errors.Conflict(f"{ref} vanished between two looks; tried again")
    if (found["metadata"].get("labels") or {}).get(RUN_LABEL) == run.ref.uid:
        return found
    owners = found["metadata"].get("ownerReferences") or ()
    if not any(item.get("kind") == benchmark_run.KIND for item in owners):
        raise errors.Refused(f"expected no {ref}, found one that is not ours; rename the run or remove it")
    await runtime.kube.delete(ref, uid=found["metadata"]["uid"])
    raise errors.Conflict(f"{ref} of an earlier run of this name is being removed; tried again")


def owner(run: Run) -> Json:
    """The owner reference to a run."""
    return {
        "apiVersion": model.API_VERSION,
        "kind": benchmark_run.KIND,
        "name": run.ref.name,
        "uid": run.ref.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


def _attempt(runtime: Runtime, run: Run, index: int, name: str, token: str, door: _Door) -> Json:
    begin = run.status.timeline.baseline_at or runtime.clock()
    # A snapshot's begin is that of its window already.
    before = 0 if run.spec.mode is Mode.REPLAY else run.spec.gates.baseline_window_seconds
    window = begin - dt.timedelta(seconds=before)
    start_by = runtime.clock() + dt.timedelta(seconds=attempt.start_seconds(run.spec.agent.kind))
    return {
        "apiVersion": model.API_VERSION,
        "kind": agent_attempt.KIND,
        "metadata": {
            "name": name,
            "namespace": run.ref.namespace,
            "labels": {
                RUN_LABEL: run.ref.uid,
                **({replays.LABEL: "true"} if run.spec.mode is Mode.REPLAY else {}),
            },
            "ownerReferences": [owner(run)],
        },
        "spec": {
            "run": {"name": run.ref.name, "uid": run.ref.uid},
            "index": index,
            "agent": {"kind": str(run.spec.agent.kind), "image": run.spec.agent.image},
            "tokenSha256": hashlib.sha256(token.encode()).hexdigest(),
            "application": {"namespace": door.namespace},
            "window": {"start": model.format_time(window)},
            "budgets": agent_attempt.budgets_to_wire(run.spec.budgets),
            "startBy": model.format_time(start_by),
            "injector": door.injector.value,
        },
    }


async def score(runtime: Runtime, run: Run, scored: Attempt) -> Verdict:
    """Compare a submission with the stored truth. Raises Corrupt when there is no truth."""
    truth = await runtime.store.load_truth(run.ref.uid)
    if truth is None:
        raise errors.Corrupt(f"run {run.ref.uid}: expected a stored truth, found none")
    entities = [EntityId.parse(text) for text in scored.submission or ()]
    result = scoring.score(truth, entities)
    return Verdict(
        Phase.SCORED,
        "Submitted",
        runtime.clock(),
        score=result.score,
        precision=result.precision,
        recall=result.recall,
        f1=result.f1,
    )


async def set_verdict(runtime: Runtime, run: Run, judged: Attempt, verdict: Verdict) -> None:
    """Set the verdict unless there is one, and stop the agent. What it has printed is kept first: whoever
    sees the verdict may look for it."""
    if judged.kind.has_job:
        await records.keep(runtime, judged)
    ref = ObjectRef(model.API_VERSION, agent_attempt.KIND, run.ref.namespace, judged.name)
    found = await runtime.kube.get(ref)
    if found is not None and found["metadata"]["uid"] == judged.uid and "verdict" not in found["spec"]:
        patch = {
            "metadata": {"uid": judged.uid},
            "spec": {"verdict": agent_attempt.verdict_to_wire(verdict)},
        }
        await runtime.kube.patch(ref, patch)
    if judged.kind.has_job:
        name = agent_job.name_of(judged.uid)
        await runtime.kube.delete(ObjectRef("v1", "Secret", AGENTS_NAMESPACE, name))
        await runtime.kube.delete(ObjectRef("v1", "Secret", AGENTS_NAMESPACE, f"{name}-agent"))
        if run.spec.agent.model is not None:
            await runtime.kube.delete(
                ObjectRef("networking.k8s.io/v1", "NetworkPolicy", AGENTS_NAMESPACE, name)
            )
        if judged.job.state is JobState.ACTIVE:
            await runtime.kube.delete(ObjectRef("batch/v1", "Job", AGENTS_NAMESPACE, name))


async def summarise(run: Run, values: tuple[float, ...], unscored: int) -> ScoreSummary:
    """Mean and interval; the bootstrap is computed in a thread."""
    result = await asyncio.to_thread(stats.mean_interval, values, run.spec.seed)
    return ScoreSummary(**dataclasses.asdict(result), unscored=unscored)
