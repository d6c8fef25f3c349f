"""Faults by one more init container: it fails, or it waits for what never comes."""

import re
from collections import Counter
from dataclasses import dataclass

from reprise.domain import errors, paths
from reprise.domain.symptoms import AlertSymptom, Symptom
from reprise.faults import seeded, template
from reprise.faults.mechanism import Injection, Json, Mechanism, Observed

_INIT_CONTAINERS: paths.Path = (*template.POD_SPEC, "initContainers")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def _problems(name: str | None) -> list[str]:
    if name is not None and not _NAME.fullmatch(name):
        return [f"name: expected the name of a container such as load-settings, found {name!r}"]
    return []


def _image(deployment: Json, observed: Observed) -> str:
    """What the application's init containers run most often: it is on the nodes, and it has a shell."""
    images = Counter(
        container["image"]
        for one in observed.all("Deployment").values()
        for container in one["spec"]["template"]["spec"].get("initContainers", ())
    )
    if images:
        return str(min(images, key=lambda image: (-images[image], image)))
    return str(deployment["spec"]["template"]["spec"]["containers"][0]["image"])


def _add(target: str, name: str | None, names: list[str], script: str, rng_of: str, seed: int,
         observed: Observed) -> Injection:  # fmt: skip
    deployment = observed.get("Deployment", target)
    template.serving(deployment)
    spec = deployment["spec"]["template"]["spec"]
    taken = [c["name"] for c in (*spec["containers"], *spec.get("initContainers", ()))]
    if name in taken:
        raise errors.InvalidInput(
            f"params.name: expected a name that no container of Deployment/{target} has, found {name!r}; "
            f"taken: {', '.join(taken)}"
        )
    chosen = name or seeded.pick(
        seeded.chooser(seed, rng_of, target), names, taken, "name for an init container"
    )
    added = {
        "name": chosen,
        "image": _image(deployment, observed),
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", script],
    }
    change = template.setting(deployment, (*_INIT_CONTAINERS, paths.Item("name", chosen)), added)
    return template.template_fault(observed.ref("Deployment", target), observed, change)


# -- init-container-crashing ------------------------------------------------------------------------


@dataclass(frozen=True)
class CrashingParameters:
    """name: the init container's; plausible by default.
    script: what its shell runs, which must fail; by default it reads a settings file that nobody mounts."""

    name: str | None = None
    script: str | None = None

    def problems(self) -> list[str]:
        return _problems(self.name)


def _plan_crashing(target: str, params: CrashingParameters, seed: int, observed: Observed) -> Injection:
    script = params.script or f"set -e; cat /etc/{target}/settings.yaml; echo settings loaded"
    names = ["load-settings", "read-config", "render-config", "prepare-settings"]
    return _add(target, params.name, names, script, CRASHING.name, seed, observed)


def _crashing_symptoms(target: str, params: CrashingParameters) -> tuple[Symptom, ...]:
    return template.crash_symptoms(target)


CRASHING = Mechanism(
    name="init-container-crashing",
    summary="A new init container ends with an error each time, so that the pod's containers never start.",
    parameters=CrashingParameters,
    targets=frozenset({"Deployment"}),
    plan=_plan_crashing,
    symptoms=_crashing_symptoms,
)


# -- init-container-hanging -------------------------------------------------------------------------


@dataclass(frozen=True)
class HangingParameters:
    """name: the init container's; by default after what it waits for.
    host: the host whose name it waits for; by default a dependency that does not exist in the namespace."""

    name: str | None = None
    host: str | None = None

    def problems(self) -> list[str]:
        found = _problems(self.name)
        if self.host is not None and not re.fullmatch(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", self.host):
            found.append(f"host: expected a host name such as schema-registry, found {self.host!r}")
        return found


def _plan_hanging(target: str, params: HangingParameters, seed: int, observed: Observed) -> Injection:
    services = observed.all("Service")
    if params.host in services:
        raise errors.InvalidInput(
            f"params.host: expected a name that cannot be found, found {params.host!r}, a Service's"
        )
    rng = seeded.chooser(seed, HANGING.name, target)
    known = ["config-server", "schema-registry", f"{target}-migrations", "vault", "service-discovery"]
    host = params.host or seeded.pick(rng, known, services, "name of a dependency")
    script = f"until getent hosts {host} >/dev/null 2>&1; do echo waiting for {host}; sleep 2; done"
    name = f"wait-for-{host}".replace(".", "-")[:63].rstrip("-")
    return _add(target, params.name, [name], script, HANGING.name, seed, observed)


def _hanging_symptoms(target: str, params: HangingParameters) -> tuple[Symptom, ...]:
    return (
        AlertSymptom("a pod is not ready", alert="KubePodNotReady", labels={"service_name": target}),
        AlertSymptom(
            "replicas are missing",
            alert="KubeDeploymentReplicasMismatch",
            labels={"deployment": target},
            required=False,
        ),
    )


HANGING = Mechanism(
    name="init-container-hanging",
    summary="A new init container waits for a host that does not exist, so that the pod's containers never "
    "start.",
    parameters=HangingParameters,
    targets=frozenset({"Deployment"}),
    plan=_plan_hanging,
    symptoms=_hanging_symptoms,
)

MECHANISMS = (CRASHING, HANGING)
