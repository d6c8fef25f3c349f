"""Decoys in a Deployment: changes that look suspicious and break nothing, such as teams make every day."""

import re
from dataclasses import dataclass
from typing import Any

from reprise.domain import errors, paths
from reprise.domain.mutation import Patch, SetField
from reprise.domain.plan import DropNewReplicaSets, WaitAvailable
from reprise.faults import seeded, server, template
from reprise.faults.mechanism import Injection, Json, Mechanism, Observed

_DEPLOYMENT = frozenset({"Deployment"})
_LABEL_KEY = re.compile(r"^([a-z0-9]([a-z0-9.-]*[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$")
_LABEL_VALUE = re.compile(r"^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$")
_VARIABLE = re.compile(r"^[A-Za-z_][A-Za-z0-9_.-]*$")
_CPU = re.compile(r"^([1-9]\d*|[1-9]\d{2,}m)$")


def nothing(target: str, params: Any) -> tuple[()]:
    """A decoy shows nowhere."""
    return ()


def _rolled(target: str, observed: Observed, *changes: SetField) -> Injection:
    """A change of the pod template, rolled out as usual: the old pod serves until the new one does."""
    ref = observed.ref("Deployment", target)
    return Injection(
        mutations=(Patch(ref, changes),),
        causes=(),
        settle=(WaitAvailable(ref),),
        recover=(
            WaitAvailable(ref),
            DropNewReplicaSets(ref, template.replica_set_uids(ref, observed)),
        ),
    )


# -- label-changed ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class LabelParameters:
    """key: the label that the Deployment itself gets; its pods keep theirs.
    value: what it says; the name of a tool by default."""

    key: str = "app.kubernetes.io/managed-by"
    value: str | None = None

    def problems(self) -> list[str]:
        found = [] if _LABEL_KEY.match(self.key) else [f"key: expected a label's key, found {self.key!r}"]
        if self.value is not None and not _LABEL_VALUE.match(self.value):
            found.append(f"value: expected a label's value, found {self.value!r}")
        return found


def _plan_label(target: str, params: LabelParameters, seed: int, observed: Observed) -> Injection:
    deployment = observed.get("Deployment", target)
    path: paths.Path = ("metadata", "labels", params.key)
    present = paths.get(deployment, path)
    rng = seeded.chooser(seed, LABEL.name, target)
    value = params.value or seeded.pick(
        rng, ("helm", "kustomize", "argocd", "flux"), {present}, "label value"
    )
    if value == present:
        raise errors.InvalidInput(
            f"params.value: expected another value than the present one, found {value!r}"
        )
    change = template.setting(deployment, path, value)
    return Injection(mutations=(Patch(observed.ref("Deployment", target), (change,)),), causes=())


LABEL = Mechanism(
    name="label-changed",
    summary="A label of a Deployment is added or changed; its pods and what selects them stay as they are.",
    parameters=LabelParameters,
    targets=_DEPLOYMENT,
    plan=_plan_label,
    symptoms=nothing,
    harmless=True,
)


# -- environment-variable-added, log-level-changed --------------------------------------------------


@dataclass(frozen=True)
class VariableParameters:
    """variable: what is added. value: what it holds.
    container: whose; the one called like the Deployment by default."""

    variable: str = "RELEASE_CHANNEL"
    value: str = "stable"
    container: str | None = None

    def problems(self) -> list[str]:
        if not _VARIABLE.match(self.variable):
            return [f"variable: expected the name of an environment variable, found {self.variable!r}"]
        return []


def _container(deployment: Json, name: str | None) -> Json:
    template.serving(deployment)
    path = template.container_path(template.container_name(deployment, name))
    found: Json = paths.get(deployment, path)
    return found


def _plan_variable(target: str, params: VariableParameters, seed: int, observed: Observed) -> Injection:
    deployment = observed.get("Deployment", target)
    container = _container(deployment, params.container)
    present = sorted(entry["name"] for entry in container.get("env") or ())
    if params.variable in present:
        raise errors.InvalidInput(
            f"params.variable: expected one that container {container['name']} does not have, found "
            f"{params.variable!r}; it has: {', '.join(present)}"
        )
    change = server.with_variable(deployment, container, params.variable, params.value)
    return _rolled(target, observed, change)


VARIABLE = Mechanism(
    name="environment-variable-added",
    summary="A container gets an environment variable that it does not read; its pods are rolled.",
    parameters=VariableParameters,
    targets=_DEPLOYMENT,
    plan=_plan_variable,
    symptoms=nothing,
    harmless=True,
)


@dataclass(frozen=True)
class LogLevelParameters:
    """level: the new one. variable: in which it is set. container: as for added variables."""

    level: str = "debug"
    variable: str = "LOG_LEVEL"
    container: str | None = None

    def problems(self) -> list[str]:
        if not _VARIABLE.match(self.variable):
            return [f"variable: expected the name of an environment variable, found {self.variable!r}"]
        return []


def _plan_log_level(target: str, params: LogLevelParameters, seed: int, observed: Observed) -> Injection:
    deployment = observed.get("Deployment", target)
    container = _container(deployment, params.container)
    return _rolled(
        target, observed, server.with_variable(deployment, container, params.variable, params.level)
    )


LOG_LEVEL = Mechanism(
    name="log-level-changed",
    summary="A workload is told to log more; its pods are rolled.",
    parameters=LogLevelParameters,
    targets=_DEPLOYMENT,
    plan=_plan_log_level,
    symptoms=nothing,
    harmless=True,
)


# -- cpu-limit-set ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class CpuLimitParameters:
    """cpu: the limit, more than the workload uses at its start. container: as for added variables."""

    cpu: str = "2"
    container: str | None = None

    def problems(self) -> list[str]:
        return [] if _CPU.match(self.cpu) else [f"cpu: expected at least 100m, found {self.cpu!r}"]


def _plan_cpu(target: str, params: CpuLimitParameters, seed: int, observed: Observed) -> Injection:
    deployment = observed.get("Deployment", target)
    container = _container(deployment, params.container)
    resources = (*template.container_path(container["name"]), "resources")
    if paths.get(deployment, (*resources, "limits", "cpu")) is not paths.ABSENT:
        raise errors.InvalidInput(
            f"expected container {container['name']} of Deployment/{target} to have no CPU limit, found one"
        )
    # NB: a request that is not given takes the limit's value, and no node may have so much left.
    request = paths.get(deployment, (*resources, "requests", "cpu"))
    # One change where both maps are missing: two that make the same map would undo each other.
    if paths.get(deployment, resources) is paths.ABSENT:
        whole = {"limits": {"cpu": params.cpu}, "requests": {"cpu": "10m"}}
        return _rolled(target, observed, SetField(resources, whole))
    changes = [template.setting(deployment, (*resources, "limits", "cpu"), params.cpu)]
    if request is paths.ABSENT:
        changes.append(template.setting(deployment, (*resources, "requests", "cpu"), "10m"))
    return _rolled(target, observed, *changes)


CPU_LIMIT = Mechanism(
    name="cpu-limit-set",
    summary="A container gets a CPU limit that is far above its use; its pods are rolled.",
    parameters=CpuLimitParameters,
    targets=_DEPLOYMENT,
    plan=_plan_cpu,
    symptoms=nothing,
    harmless=True,
)


# -- image-pull-policy-changed ----------------------------------------------------------------------


@dataclass(frozen=True)
class PullPolicyParameters:
    """container: whose images are pulled by another rule; as for added variables."""

    container: str | None = None


def _plan_pull_policy(target: str, params: PullPolicyParameters, seed: int, observed: Observed) -> Injection:
    deployment = observed.get("Deployment", target)
    container = _container(deployment, params.container)
    path = (*template.container_path(container["name"]), "imagePullPolicy")
    if container.get("imagePullPolicy") == "Always":
        policy = "IfNotPresent"
    elif container["image"].startswith("localhost/"):
        # No registry has it, so that the nodes must have it anyway.
        policy = "Never"
    else:
        policy = "Always"
    if container.get("imagePullPolicy") == policy:
        raise errors.InvalidInput(
            f"expected container {container['name']} of Deployment/{target} to have another policy than "
            f"{policy}, found that one"
        )
    return _rolled(target, observed, SetField(path, policy))


PULL_POLICY = Mechanism(
    name="image-pull-policy-changed",
    summary="The rule by which a container's image is pulled is another one, of no consequence; its pods are "
    "rolled.",
    parameters=PullPolicyParameters,
    targets=_DEPLOYMENT,
    plan=_plan_pull_policy,
    symptoms=nothing,
    harmless=True,
)


# -- replicas-raised --------------------------------------------------------------------------------


@dataclass(frozen=True)
class ReplicasParameters:
    """by: how many replicas there are more than before."""

    by: int = 1

    def problems(self) -> list[str]:
        return [] if 1 <= self.by <= 3 else [f"by: expected 1 to 3, found {self.by}"]


def _plan_replicas(target: str, params: ReplicasParameters, seed: int, observed: Observed) -> Injection:
    deployment = observed.get("Deployment", target)
    template.serving(deployment)
    for name, autoscaler in sorted(observed.all("HorizontalPodAutoscaler").items()):
        if autoscaler["spec"]["scaleTargetRef"]["name"] == target:
            raise errors.InvalidInput(
                f"expected Deployment/{target} without an autoscaler, found "
                f"HorizontalPodAutoscaler/{name}, which would change its replicas back"
            )
    ref = observed.ref("Deployment", target)
    replicas = deployment["spec"].get("replicas", 1) + params.by
    return Injection(
        mutations=(Patch(ref, (SetField(("spec", "replicas"), replicas),)),),
        causes=(),
        settle=(WaitAvailable(ref),),
        recover=(WaitAvailable(ref),),
    )


REPLICAS = Mechanism(
    name="replicas-raised",
    summary="A Deployment gets one replica more.",
    parameters=ReplicasParameters,
    targets=_DEPLOYMENT,
    plan=_plan_replicas,
    symptoms=nothing,
    harmless=True,
)


MECHANISMS = (CPU_LIMIT, LABEL, LOG_LEVEL, PULL_POLICY, REPLICAS, VARIABLE)
