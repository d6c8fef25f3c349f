"""What `reprise status` says."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from reprise.cluster import install, paths, state
from reprise.cluster.tools import Tools


@dataclass(frozen=True)
class Workload:
    """A Deployment and how many of its pods are ready."""

    namespace: str
    name: str
    ready: int
    wanted: int


@dataclass(frozen=True)
class Report:
    """The cluster as it is now."""

    name: str
    condition: str
    reason: str
    api_ready: bool
    kubeconfig: str
    gateway: str
    profile: str
    nodes: tuple[state.NodeContainer, ...]
    workloads: tuple[Workload, ...]
    missing: tuple[str, ...]


NAMESPACES = ("kube-system", install.OBSERVABILITY_NAMESPACE, install.SYSTEM_NAMESPACE)


def gather(
    tools: Tools, name: str, remembered: state.Remembered | None, containers: Sequence[state.NodeContainer]
) -> Report:
    """Look at the containers, then ask the API server when they run."""
    kubeconfig = paths.kubeconfig_path(name)
    condition, reason = state.recognise(remembered, containers, kubeconfig.is_file())
    program = paths.kubectl_path() if paths.kubectl_path().exists() else "kubectl"
    kubectl = install.Kubectl(tools, program, kubeconfig)
    api_ready = condition is state.Condition.RUNNING and kubectl.ready()
    found: tuple[Workload, ...] = ()
    if api_ready:
        found = workloads(
            json.loads(kubectl.run("get", "deployments", "--all-namespaces", "-o", "json"))["items"]
        )
    return Report(
        name=name,
        condition=condition.value,
        reason=reason,
        api_ready=api_ready,
        kubeconfig=str(kubeconfig),
        gateway=f"https://127.0.0.1:{remembered.gateway_port}" if remembered else "",
        profile=remembered.profile if remembered else "",
        nodes=tuple(containers),
        workloads=found,
        missing=missing(found) if api_ready else (),
    )


def workloads(items: Sequence[dict[str, dict[str, object]]]) -> tuple[Workload, ...]:
    """Deployments of our namespaces. Pure."""
    return tuple(
        Workload(
            str(item["metadata"]["namespace"]),
            str(item["metadata"]["name"]),
            int(str(item.get("status", {}).get("readyReplicas", 0))),
            int(str(item["spec"].get("replicas", 1))),
        )
        for item in items
        if item["metadata"]["namespace"] in NAMESPACES
    )


def missing(found: Sequence[Workload]) -> tuple[str, ...]:
    """What should be there and is not, or is not ready. Pure."""
    expected = {
        (install.OBSERVABILITY_NAMESPACE, "prometheus"),
        (install.OBSERVABILITY_NAMESPACE, "jaeger"),
        (install.OBSERVABILITY_NAMESPACE, "kube-state-metrics"),
        ("kube-system", "metrics-server"),
        (install.SYSTEM_NAMESPACE, "operator"),
        (install.SYSTEM_NAMESPACE, "gateway"),
    }
    there = {(one.namespace, one.name) for one in found}
    absent = [f"{namespace}/{name} is not installed" for namespace, name in sorted(expected - there)]
    unready = [
        f"{one.namespace}/{one.name}: {one.ready} of {one.wanted} ready"
        for one in found
        if one.ready < one.wanted
    ]
    return (*absent, *unready)


def as_json(report: Report) -> dict[str, object]:
    """For `-o json`: camelCase keys, as in Kubernetes' own JSON."""
    fields = asdict(report)
    fields["apiReady"] = fields.pop("api_ready")
    return fields


def as_text(report: Report) -> str:
    """For people."""
    lines = [f"cluster {report.name}: {report.condition} ({report.reason})"]
    lines += [f"  node {node.name:<24} {node.role:<14} {node.status}" for node in report.nodes]
    if report.condition == state.Condition.RUNNING.value:
        lines.append(f"  API server {'ready' if report.api_ready else 'does not answer'}")
    lines += [f"  {one.namespace}/{one.name}: {one.ready}/{one.wanted} ready" for one in report.workloads]
    lines += [f"  missing: {one}" for one in report.missing]
    if report.api_ready:
        lines += [f"  gateway {report.gateway}", f"  export KUBECONFIG={report.kubeconfig}"]
    elif report.condition != state.Condition.ABSENT.value:
        lines.append("  `reprise up` repairs it")
    else:
        lines.append("  `reprise up` makes one")
    return "\n".join(lines)
