"""The Job that an agent of ours runs as, and how it went.

Nothing in the pod names this product but the package of agents itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reprise.adapters.kube import Json
from reprise.domain.attempt import Job, JobState
from reprise.handlers import agent_snapshot, pods
from reprise.handlers.agent_container import ACCESS, MODEL_KEY, WRAPPER, Contents
from reprise.handlers.runtime import AGENTS_NAMESPACE, ATTEMPT_LABEL, RUN_LABEL

# The certificate is valid for this name; the pod has no DNS and finds it through its hosts file.
GATEWAY_HOST = "gateway"
GATEWAY_URL = f"https://{GATEWAY_HOST}"
_USER = 65532
# What a harness of ours ends with when it was not the agent that failed; as in `reprise.agents.ending`.
INFRA_EXIT_CODE = 75
# Of every container: one that only has limits asks for as much, and a small node has no room for another.
_REQUESTS = {"cpu": "50m", "memory": "64Mi"}
_INSTALLERS = (WRAPPER, agent_snapshot.NAME)


@dataclass(frozen=True)
class Parts:
    """What differs from one attempt to the next."""

    run_uid: str
    attempt_uid: str
    contents: Contents
    pull_policy: str
    gateway_ip: str
    kubeconfig: str
    token: str
    ca_pem: str
    deadline_seconds: int
    model_key: str | None = None
    agent_secret: Mapping[str, str] = field(default_factory=dict)
    aliases: Sequence[Json] = ()


def name_of(attempt_uid: str) -> str:
    """The name of an attempt's Job and Secret."""
    return f"attempt-{attempt_uid[:8]}"


def _labels(parts: Parts) -> dict[str, str]:
    return {RUN_LABEL: parts.run_uid, ATTEMPT_LABEL: parts.attempt_uid}


def secrets(parts: Parts) -> list[Json]:
    """What the agent reads to find the gateway and to be let in, and a copy of what the run gives it."""
    access = {"kubeconfig": parts.kubeconfig, "token": parts.token, "ca.crt": parts.ca_pem}
    if parts.model_key is not None:
        access[MODEL_KEY] = parts.model_key
    found = [_secret(parts, name_of(parts.attempt_uid), access)]
    if parts.contents.secret_dir:
        found.append(_secret(parts, _of_the_agent(parts), parts.agent_secret))
    return found


def _of_the_agent(parts: Parts) -> str:
    return f"{name_of(parts.attempt_uid)}-agent"


def _secret(parts: Parts, name: str, data: Mapping[str, str]) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": AGENTS_NAMESPACE, "labels": _labels(parts)},
        "stringData": dict(data),
    }


def job(parts: Parts) -> Json:
    """One pod, tried once: a second try would work with a half-used budget."""
    contents = parts.contents
    env = {
        **contents.env,
        "GATEWAY_URL": GATEWAY_URL,
        "TOKEN_FILE": f"{ACCESS}/token",
        "CA_FILE": f"{ACCESS}/ca.crt",
        "KUBECONFIG": f"{ACCESS}/kubeconfig",
        "HOME": "/tmp",  # noqa: S108 - an emptyDir of the pod's own
    }
    container: Json = {
        "name": "agent",
        "image": contents.image,
        "imagePullPolicy": parts.pull_policy,
        "env": [{"name": key, "value": value} for key, value in env.items()],
        "resources": {"requests": _REQUESTS, "limits": dict(contents.limits)},
        "securityContext": pods.confined(),
        "volumeMounts": contents.mounts,
    }
    if contents.command:
        container["command"] = list(contents.command)
    if contents.all_of_secret:
        container["envFrom"] = [{"secretRef": {"name": _of_the_agent(parts)}}]
    pod: Json = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "dnsPolicy": "None",
        "dnsConfig": {"nameservers": ["127.0.0.1"]},
        "hostAliases": [{"ip": parts.gateway_ip, "hostnames": [GATEWAY_HOST]}, *parts.aliases],
        "securityContext": pods.of_user(_USER),
        "containers": [container],
        "volumes": _volumes(parts),
    }
    if contents.installers:
        pod["initContainers"] = [
            {
                **installer,
                "imagePullPolicy": parts.pull_policy,
                "resources": {"requests": _REQUESTS, "limits": {"cpu": "1", "memory": "128Mi"}},
                "securityContext": pods.confined(),
            }
            for installer in contents.installers
        ]
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


def _volumes(parts: Parts) -> list[Json]:
    contents = parts.contents
    found: list[Json] = [
        {"name": "access", "secret": {"secretName": name_of(parts.attempt_uid), "defaultMode": 0o440}},
        {"name": "scratch", "emptyDir": {"sizeLimit": "1Gi"}},
    ]
    if contents.secret_dir:
        found.append({"name": "secret", "secret": {"secretName": _of_the_agent(parts), "defaultMode": 0o440}})
    if contents.wrapped:
        found.append({"name": "wrapper", "emptyDir": {"sizeLimit": "1Mi"}})
    if contents.snapshot:
        found += agent_snapshot.volumes(parts.run_uid)
    return found


def state_of(found: Mapping[str, Any], pods: Sequence[Mapping[str, Any]]) -> Job:
    """How the Job goes. `ran` once its container has started."""
    states = _states(pods, "containerStatuses", "agent")
    ran = any("running" in state or "terminated" in state for state in states)
    for condition in (found.get("status") or {}).get("conditions") or ():
        if condition["status"] != "True":
            continue
        if condition["type"] in ("Complete", "SuccessCriteriaMet"):
            return Job(JobState.SUCCEEDED, True)
        if condition["type"] in ("Failed", "FailureTarget"):
            return _failed(states, pods, ran, condition.get("reason", "JobFailed"))
    waiting = [
        state["waiting"]
        for state in (*states, *_states(pods, "initContainerStatuses", *_INSTALLERS))
        # PodInitializing says only that another container is waited for.
        if state.get("waiting", {}).get("reason") not in (None, "PodInitializing")
    ]
    return Job(JobState.ACTIVE, ran, _worded(waiting[0].get("reason", ""), waiting[0]) if waiting else "")


def _states(pods: Sequence[Mapping[str, Any]], field_name: str, *names: str) -> list[Mapping[str, Any]]:
    return [
        item.get("state") or {}
        for pod in pods
        for item in (pod.get("status") or {}).get(field_name) or ()
        if item["name"] in names
    ]


def _failed(
    states: Sequence[Mapping[str, Any]], pods: Sequence[Mapping[str, Any]], ran: bool, reason: str
) -> Job:
    """The deadline of the Job is that of the agent; a container that could not even start never ran."""
    for state in states:
        if "terminated" not in state:
            continue
        ended = state["terminated"]
        code, why = ended.get("exitCode"), ended.get("reason", "")
        if why in ("ContainerCannotRun", "StartError", "ContainerStatusUnknown"):
            return Job(JobState.FAILED, False, _worded(why, ended))
        message = _worded(f"exit code {code} ({why})", ended)
        return Job(JobState.FAILED, True, message, infra=code == INFRA_EXIT_CODE)
    evicted = next((pod["status"]["reason"] for pod in pods if (pod.get("status") or {}).get("reason")), "")
    return Job(JobState.FAILED, ran, evicted or reason)


def _worded(what: str, state: Mapping[str, Any]) -> str:
    """With the last words of the container, or what the kubelet says of it."""
    message = " ".join(str(state.get("message", "")).split())[:800]
    return f"{what}: {message}" if message else what
