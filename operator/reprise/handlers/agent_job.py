"""The Job that an agent of ours runs as, and how it went. Nothing in the pod names this product."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reprise.adapters.kube import Json
from reprise.domain.attempt import Job, JobState
from reprise.handlers.runtime import AGENTS_NAMESPACE, ATTEMPT_LABEL, RUN_LABEL

# The certificate is valid for this name; the pod has no DNS and finds it through its hosts file.
GATEWAY_HOST = "gateway"
GATEWAY_URL = f"https://{GATEWAY_HOST}"
_MOUNT = "/var/run/agent"
_USER = 65532


@dataclass(frozen=True)
class Parts:
    """What differs from one attempt to the next."""

    run_uid: str
    attempt_uid: str
    image: str
    pull_policy: str
    gateway_ip: str
    kubeconfig: str
    token: str
    ca_pem: str
    deadline_seconds: int


def name_of(attempt_uid: str) -> str:
    """The name of an attempt's Job and Secret."""
    return f"attempt-{attempt_uid[:8]}"


def _labels(parts: Parts) -> dict[str, str]:
    return {RUN_LABEL: parts.run_uid, ATTEMPT_LABEL: parts.attempt_uid}


def secret(parts: Parts) -> Json:
    """What the agent reads to find the gateway and to be let in."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name_of(parts.attempt_uid),
            "namespace": AGENTS_NAMESPACE,
            "labels": _labels(parts),
        },
        "stringData": {"kubeconfig": parts.kubeconfig, "token": parts.token, "ca.crt": parts.ca_pem},
    }


def job(parts: Parts) -> Json:
    """One pod, tried once: a second try would work with a half-used budget."""
    env = {
        "GATEWAY_URL": GATEWAY_URL,
        "TOKEN_FILE": f"{_MOUNT}/token",
        "CA_FILE": f"{_MOUNT}/ca.crt",
        "KUBECONFIG": f"{_MOUNT}/kubeconfig",
        "HOME": "/tmp",  # noqa: S108 - an emptyDir of the pod's own
    }
    container: Json = {
        "name": "agent",
        "image": parts.image,
        "imagePullPolicy": parts.pull_policy,
        "env": [{"name": key, "value": value} for key, value in env.items()],
        "resources": {
            "requests": {"cpu": "50m", "memory": "64Mi"},
            "limits": {"cpu": "1", "memory": "512Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "access", "mountPath": _MOUNT, "readOnly": True},
            {"name": "scratch", "mountPath": "/tmp"},  # noqa: S108
        ],
    }
    pod: Json = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "dnsPolicy": "None",
        "dnsConfig": {"nameservers": ["127.0.0.1"]},
        "hostAliases": [{"ip": parts.gateway_ip, "hostnames": [GATEWAY_HOST]}],
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "fsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [
            {"name": "access", "secret": {"secretName": name_of(parts.attempt_uid), "defaultMode": 0o440}},
            {"name": "scratch", "emptyDir": {"sizeLimit": "256Mi"}},
        ],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name_of(parts.attempt_uid),
            "namespace": AGENTS_NAMESPACE,
            "labels": _labels(parts),
        },
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": parts.deadline_seconds,
            "template": {"metadata": {"labels": _labels(parts)}, "spec": pod},
        },
    }


def state_of(found: Mapping[str, Any], pods: Sequence[Mapping[str, Any]]) -> Job:
    """How the Job goes. `ran` once its container has started."""
    statuses = [
        item
        for pod in pods
        for item in (pod.get("status") or {}).get("containerStatuses") or ()
        if item["name"] == "agent"
    ]
    states = [item.get("state") or {} for item in statuses]
    ran = any("running" in state or "terminated" in state for state in states)
    for condition in (found.get("status") or {}).get("conditions") or ():
        if condition["status"] != "True":
            continue
        if condition["type"] in ("Complete", "SuccessCriteriaMet"):
            return Job(JobState.SUCCEEDED, True)
        if condition["type"] in ("Failed", "FailureTarget"):
            return Job(JobState.FAILED, ran, _ending(states, pods) or condition.get("reason", "JobFailed"))
    waiting = [state["waiting"] for state in states if "waiting" in state]
    message = f"{waiting[0].get('reason', '')}" if waiting else ""
    return Job(JobState.ACTIVE, ran, message)


def _ending(states: Sequence[Mapping[str, Any]], pods: Sequence[Mapping[str, Any]]) -> str:
    for state in states:
        if "terminated" in state:
            ended = state["terminated"]
            return f"exit code {ended.get('exitCode')} ({ended.get('reason', '')})"
    return next((pod["status"]["reason"] for pod in pods if (pod.get("status") or {}).get("reason")), "")
