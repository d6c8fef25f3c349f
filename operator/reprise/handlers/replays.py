"""A replayed run's snapshot and the server that stands in for the cluster.

The server is the gateway over the snapshot's public folder, one Deployment a run: it sees the folder and the
attempts of its run, nothing else. The truth goes from the private folder into the run's store, as in a live
run.
"""

import asyncio
import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reprise.adapters.kube import Json
from reprise.domain import errors, observed, run_status
from reprise.domain import truth as truths
from reprise.domain.entities import ObjectRef
from reprise.domain.run import Run
from reprise.domain.scenario import Injector
from reprise.handlers import agent_secrets, agent_snapshot, pods, replay_source
from reprise.handlers.runtime import RUN_LABEL, SYSTEM_NAMESPACE, Runtime
from reprise.snapshot import manifest, private, verify

APP = "replay"
# On attempts that are not the cluster's gateway's; it looks for attempts without it.
LABEL = "reprise.dev/replay"
_PORT = 8443
_USER = 10001
_OPERATOR = ObjectRef("apps/v1", "Deployment", SYSTEM_NAMESPACE, "operator")
_SNAPSHOT = "/snapshot"
_DATA = "data"


def name_of(run: Run) -> str:
    """The name of a run's server: its Deployment's and its Service's."""
    return f"{APP}-{run.ref.uid[:8]}"


def service_ref(run: Run) -> ObjectRef:
    return ObjectRef("v1", "Service", SYSTEM_NAMESPACE, name_of(run))


def deployment_ref(run: Run) -> ObjectRef:
    return ObjectRef("apps/v1", "Deployment", SYSTEM_NAMESPACE, name_of(run))


async def load(runtime: Runtime, run: Run) -> observed.Replay:
    """Find or fetch the snapshot that the run names, verify it, and store its truth for scoring.

    What the run's agents need is looked for first. Raises what `replay_source.ensure` raises, Unsupported,
    and NotFound for a snapshot without its private part.
    """
    await agent_secrets.check(runtime, run)
    await agent_snapshot.check(runtime, run)
    folder = await replay_source.ensure(runtime, run)
    report = await asyncio.to_thread(verify.verify, folder)
    if not report.ok:
        raise errors.Corrupt(
            f"{folder.name}: expected a whole snapshot, found: {'; '.join(report.problems[:5])}; "
            "record it again, or remove a fetched one from the volume to fetch it again"
        )
    found, kept = await asyncio.to_thread(_parts, folder)
    await runtime.store.save_truth(run.ref.uid, truths.from_json({"rootCauses": kept["truth"]}))
    return observed.Replay(
        run_status.Snapshot(str(folder), report.digest, report.files), _timeline(found.timeline)
    )


async def incident(runtime: Runtime, run: Run) -> tuple[str, Injector]:
    """The namespace of the application that was recorded, which need not be the one that the run names; and
    whether objects of the fault injector were hidden then."""
    found, kept = await asyncio.to_thread(_parts, replay_source.folder(runtime, run))
    return found.namespace, Injector(kept["scenario"].get("injector", Injector.HIDDEN))


def _parts(folder: Path) -> tuple[manifest.Manifest, Mapping[str, Any]]:
    """The manifest, and the operator's part of the snapshot."""
    found = manifest.from_bytes((folder / manifest.FILE_NAME).read_bytes())
    return found, private.read(private.folder(folder), found.id)


def _timeline(times: Mapping[str, str]) -> run_status.Timeline:
    def at(name: str) -> dt.datetime | None:
        return dt.datetime.fromisoformat(times[name]) if name in times else None

    return run_status.Timeline(at("baselineAt"), at("injectedAt"), at("symptomAt"), at("recordedAt"))


async def serve(runtime: Runtime, run: Run) -> bool:
    """Make what is missing of the server. Returns whether it answers."""
    deployment = await runtime.kube.get(deployment_ref(run))
    if deployment is None:
        operator = await runtime.kube.get(_OPERATOR)
        if operator is None:
            raise errors.Unsupported(
                f"expected the operator to run as {_OPERATOR}, whose volume holds snapshots"
            )
        await _create(runtime, _deployment(runtime, run, operator))
    if await runtime.kube.get(service_ref(run)) is None:
        await _create(runtime, _service(run))
    return bool(((deployment or {}).get("status") or {}).get("availableReplicas"))


async def withdraw(runtime: Runtime, run: Run) -> None:
    """Remove the server. Twice is fine."""
    await runtime.kube.delete(deployment_ref(run))
    await runtime.kube.delete(service_ref(run))


async def _create(runtime: Runtime, manifest_: Json) -> None:
    try:
        await runtime.kube.create(manifest_)
    except errors.Conflict:
        return  # an earlier process of ours made it


def _labels(run: Run) -> dict[str, str]:
    return {"app.kubernetes.io/name": APP, RUN_LABEL: run.ref.uid}


def _service(run: Run) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name_of(run), "namespace": SYSTEM_NAMESPACE, "labels": _labels(run)},
        "spec": {
            "selector": _labels(run),
            "ports": [{"name": "https", "port": 443, "targetPort": _PORT}],
        },
    }


def _deployment(runtime: Runtime, run: Run, operator: Json) -> Json:
    volumes = operator["spec"]["template"]["spec"]["volumes"]
    data = next(volume for volume in volumes if volume["name"] == _DATA)
    folder = replay_source.folder(runtime, run).name
    container: Json = {
        "name": APP,
        "image": runtime.settings.replay_image,
        "imagePullPolicy": runtime.settings.pull_policy,
        "args": [
            f"--port={_PORT}",
            "--tls=/tls",
            "--audit=/data/audit",
            f"--snapshot={_SNAPSHOT}",
            f"--selector={RUN_LABEL}={run.ref.uid}",
        ],
        "ports": [{"name": "https", "containerPort": _PORT}],
        "readinessProbe": {
            "httpGet": {"path": "/readyz", "port": "https", "scheme": "HTTPS"},
            "periodSeconds": 2,
            "timeoutSeconds": 3,
        },
        "resources": {"requests": {"cpu": "50m", "memory": "160Mi"}, "limits": {"memory": "1Gi"}},
        "securityContext": pods.confined(),
        "volumeMounts": [
            # The public folder alone: the one beside it has the answer.
            {"name": _DATA, "mountPath": _SNAPSHOT, "subPath": folder, "readOnly": True},
            {"name": "audit", "mountPath": "/data/audit"},
            {"name": "tls", "mountPath": "/tls", "readOnly": True},
            {"name": "scratch", "mountPath": "/tmp"},  # noqa: S108
        ],
    }
    pod: Json = {
        "serviceAccountName": APP,
        "terminationGracePeriodSeconds": 5,
        "securityContext": pods.of_user(_USER),
        "containers": [container],
        "volumes": [
            data,
            {"name": "audit", "hostPath": {"path": "/var/lib/reprise/audit", "type": "DirectoryOrCreate"}},
            {
                "name": "tls",
                "secret": {
                    "secretName": "gateway-tls",
                    "items": [
                        {"key": "tls.crt", "path": "tls.crt"},
                        {"key": "tls.key", "path": "tls.key"},
                    ],
                },
            },
            {"name": "scratch", "emptyDir": {"sizeLimit": "2Gi"}},
        ],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name_of(run), "namespace": SYSTEM_NAMESPACE, "labels": _labels(run)},
        "spec": {
            "replicas": 1,
            # Two gateways would write one status and number the lines of one audit trail.
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": _labels(run)},
            "template": {"metadata": {"labels": _labels(run)}, "spec": pod},
        },
    }
