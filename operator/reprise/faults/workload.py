"""Faults in a Deployment: its image, its environment, its size.

A rolling update keeps the healthy replica serving for as long as the new one is not ready, so that no user is
hurt; older replicas are therefore retired. Those that the fault brought into being are removed on recovery.
"""

import re
from dataclasses import dataclass
from typing import Any

from reprise.domain import errors, paths
from reprise.domain.entities import ObjectRef
from reprise.domain.mutation import Patch, SetField
from reprise.domain.plan import (
    DropNewReplicaSets,
    RetireOldReplicas,
    WaitAvailable,
    WaitPodsGone,
)
from reprise.domain.symptoms import AlertSymptom, EventSymptom, Symptom
from reprise.faults import seeded
from reprise.faults.mechanism import Cause, Injection, Json, Mechanism, Observed

_TEMPLATE: paths.Path = ("spec", "template", "spec", "containers")
_IMAGE = re.compile(
    r"^(?P<repository>[a-z0-9][a-z0-9._:/-]*?)(?::(?P<tag>[\w][\w.-]{0,127}))?(?:@sha256:[0-9a-f]{64})?$"
)


def _container(deployment: Json, name: str | None) -> str:
    """The named container, or the one that is called like the Deployment, or the only one."""
    names = [entry["name"] for entry in paths.get(deployment, _TEMPLATE)]
    wanted = name or deployment["metadata"]["name"]
    if wanted in names:
        return str(wanted)
    if name is None and len(names) == 1:
        return str(names[0])
    raise errors.InvalidInput(
        f"params.container: expected one of: {', '.join(names)}; found {name!r} for "
        f"Deployment/{deployment['metadata']['name']}"
    )


def _serving(deployment: Json) -> None:
    if not deployment["spec"].get("replicas", 1):
        raise errors.InvalidInput(
            f"expected Deployment/{deployment['metadata']['name']} to have replicas, found 0: "
            "it has no user to hurt"
        )


def _template_fault(ref: ObjectRef, observed: Observed, path: paths.Path, value: Any) -> Injection:
    known = tuple(
        replica_set["metadata"]["uid"]
        for replica_set in observed.all("ReplicaSet").values()
        if any(owner["name"] == ref.name for owner in replica_set["metadata"].get("ownerReferences", ()))
    )
    return Injection(
        mutations=(Patch(ref, (SetField(path, value),)),),
        causes=(Cause(ref, owned=True),),
        settle=(RetireOldReplicas(ref),),
        recover=(RetireOldReplicas(ref), WaitAvailable(ref), DropNewReplicaSets(ref, known)),
    )


# -- container-image-nonexistent --------------------------------------------------------------------


@dataclass(frozen=True)
class ImageParameters:
    """container: whose image; the one called like the Deployment when not given.
    image: the whole reference to use; by default the present one with the tag of a build never made."""

    container: str | None = None
    image: str | None = None

    def problems(self) -> list[str]:
        if self.image is not None and not _IMAGE.match(self.image):
            return [f"image: expected an image reference, found {self.image!r}"]
        return []


def _plan_image(target: str, params: ImageParameters, seed: int, observed: Observed) -> Injection:
    deployment = observed.get("Deployment", target)
    _serving(deployment)
    container = _container(deployment, params.container)
    path = (*_TEMPLATE, paths.Item("name", container), "image")
    current = str(paths.get(deployment, path))
    image = params.image or _unbuilt(current, seed, target)
    if image == current:
        raise errors.InvalidInput(f"params.image: expected another image than the present one, found {image}")
    return _template_fault(observed.ref("Deployment", target), observed, path, image)


def _unbuilt(current: str, seed: int, target: str) -> str:
    """The image with a build suffix in its tag, as a pipeline would make one."""
    match = _IMAGE.match(current)
    if not match:
        raise errors.InvalidInput(f"expected an image reference in Deployment/{target}, found {current!r}")
    rng = seeded.chooser(seed, IMAGE.name, target)
    suffix = f"{rng.getrandbits(28):07x}"
    tag = match["tag"]
    # A tag has at most 128 characters.
    return f"{match['repository']}:{tag[:120]}-{suffix}" if tag else f"{match['repository']}:{suffix}"


def _image_symptoms(target: str, params: ImageParameters) -> tuple[Symptom, ...]:
    return (
        EventSymptom("image is not pulled", reason="Failed", kind="Pod", name_prefix=f"{target}-"),
        AlertSymptom("a container waits", alert="KubeContainerWaiting"),
    )


IMAGE = Mechanism(
    name="container-image-nonexistent",
    summary="A container's image names a tag that does not exist, so that its pods never start.",
    parameters=ImageParameters,
    targets=frozenset({"Deployment"}),
    plan=_plan_image,
    symptoms=_image_symptoms,
)


# -- environment-variable-wrong ---------------------------------------------------------------------


@dataclass(frozen=True)
class EnvironmentParameters:
    """variable: its name. value: what it is set to; by default the present address with a port that nothing
    serves. container: as for images."""

    variable: str
    value: str | None = None
    container: str | None = None

    def problems(self) -> list[str]:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", self.variable):
            return [f"variable: expected the name of an environment variable, found {self.variable!r}"]
        return []


def _plan_environment(target: str, params: EnvironmentParameters, seed: int, observed: Observed) -> Injection:
    deployment = observed.get("Deployment", target)
    _serving(deployment)
    container = _container(deployment, params.container)
    variable = (*_TEMPLATE, paths.Item("name", container), "env", paths.Item("name", params.variable))
    current = paths.get(deployment, (*variable, "value"))
    if not isinstance(current, str):
        entries = paths.get(deployment, variable[:-1])
        names = ", ".join(e["name"] for e in entries if "value" in e) if entries is not paths.ABSENT else ""
        raise errors.InvalidInput(
            f"params.variable: expected a variable with a literal value in Deployment/{target}, one of: "
            f"{names or 'none'}; found {params.variable!r}"
        )
    value = params.value if params.value is not None else _other_port(current, seed, target)
    if value == current:
        raise errors.InvalidInput(
            f"params.value: expected another value than the present one, found {value!r}"
        )
    host, _, port = value.rpartition(":")
    service = observed.all("Service").get(host.rpartition("/")[2])
    if service and port in {str(entry["port"]) for entry in service["spec"].get("ports", ())}:
        raise errors.InvalidInput(
            f"params.value: expected an address that nothing serves, found {value!r}, a Service's"
        )
    return _template_fault(observed.ref("Deployment", target), observed, (*variable, "value"), value)


def _other_port(current: str, seed: int, target: str) -> str:
    host, separator, port = current.rpartition(":")
    if not separator or not port.isdigit():
        raise errors.InvalidInput(
            f"params.value: expected a value, because the present one is no host:port to vary: {current!r}"
        )
    rng = seeded.chooser(seed, ENVIRONMENT.name, target)
    return f"{host}:{int(port) + rng.choice((1, 10, 100))}"


def _errors_symptoms(target: str, params: EnvironmentParameters) -> tuple[Symptom, ...]:
    return (AlertSymptom("requests fail", alert="HighRequestErrorRate", labels={"service_name": target}),)


ENVIRONMENT = Mechanism(
    name="environment-variable-wrong",
    summary="An environment variable of a container holds a wrong value, for example an address.",
    parameters=EnvironmentParameters,
    targets=frozenset({"Deployment"}),
    plan=_plan_environment,
    symptoms=_errors_symptoms,
)


# -- workload-scaled-to-zero ------------------------------------------------------------------------


@dataclass(frozen=True)
class ScaleParameters:
    """Nothing to choose."""


def _plan_scale(target: str, params: ScaleParameters, seed: int, observed: Observed) -> Injection:
    deployment = observed.get("Deployment", target)
    _serving(deployment)
    ref = observed.ref("Deployment", target)
    return Injection(
        mutations=(Patch(ref, (SetField(("spec", "replicas"), 0),)),),
        causes=(Cause(ref),),
        settle=(WaitPodsGone(ref),),
        recover=(WaitAvailable(ref),),
    )


def _scale_symptoms(target: str, params: ScaleParameters) -> tuple[Symptom, ...]:
    return (AlertSymptom("nothing behind the Service", alert="ServiceWithoutEndpoints"),)


SCALE = Mechanism(
    name="workload-scaled-to-zero",
    summary="A Deployment is scaled to zero replicas.",
    parameters=ScaleParameters,
    targets=frozenset({"Deployment"}),
    plan=_plan_scale,
    symptoms=_scale_symptoms,
)

MECHANISMS = (ENVIRONMENT, IMAGE, SCALE)
