"""Faults in a Deployment: its image, its environment, its size."""

import re
from dataclasses import dataclass

from reprise.domain import errors, paths
from reprise.domain.mutation import Patch, SetField
from reprise.domain.plan import WaitAvailable, WaitPodsGone
from reprise.domain.symptoms import AlertSymptom, EventSymptom, Symptom
from reprise.faults import seeded, template
from reprise.faults.mechanism import Cause, Injection, Mechanism, Observed

# -- container-image-nonexistent --------------------------------------------------------------------


@dataclass(frozen=True)
class ImageParameters:
    """container: whose image; the one called like the Deployment when not given.
    image: the whole reference to use; by default the present one with the tag of a build never made."""

    container: str | None = None
    image: str | None = None

    def problems(self) -> list[str]:
        if self.image is not None and not template.IMAGE_REFERENCE.match(self.image):
            return [f"image: expected an image reference, found {self.image!r}"]
        return []


def _plan_image(target: str, params: ImageParameters, seed: int, observed: Observed) -> Injection:
    deployment = observed.get("Deployment", target)
    template.serving(deployment)
    container = template.container_name(deployment, params.container)
    path = (*template.container_path(container), "image")
    current = str(paths.get(deployment, path))
    image = params.image or _unbuilt(current, seed, target)
    if image == current:
        raise errors.InvalidInput(f"params.image: expected another image than the present one, found {image}")
    return template.template_fault(observed.ref("Deployment", target), observed, SetField(path, image))


def _unbuilt(current: str, seed: int, target: str) -> str:
    """The image with a build suffix in its tag, as a pipeline would make one."""
    match = template.IMAGE_REFERENCE.match(current)
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
    template.serving(deployment)
    container = template.container_name(deployment, params.container)
    variable = (*template.container_path(container), "env", paths.Item("name", params.variable))
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
    change = SetField((*variable, "value"), value)
    return template.template_fault(observed.ref("Deployment", target), observed, change)


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
    template.serving(deployment)
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
