"""Faults by which a container's program cannot be started: no such file, or none for this processor."""

import re
from dataclasses import dataclass

from reprise.domain import errors, paths
from reprise.domain.mutation import SetField
from reprise.domain.symptoms import Symptom
from reprise.faults import seeded, template
from reprise.faults.mechanism import Injection, Json, Mechanism, Observed

_ARCHITECTURES = ("amd64", "arm", "arm64", "loong64", "ppc64le", "riscv64", "s390x")
_NODE_ARCHITECTURE = "kubernetes.io/arch"


# -- container-command-invalid ----------------------------------------------------------------------


@dataclass(frozen=True)
class CommandParameters:
    """container: whose command; the one called like the Deployment when not given.
    command: the program to start, which the image must not have; plausible by default."""

    container: str | None = None
    command: str | None = None

    def problems(self) -> list[str]:
        if self.command is not None and not self.command.strip():
            return [f"command: expected a program such as /usr/local/bin/server, found {self.command!r}"]
        return []


def _plan_command(target: str, params: CommandParameters, seed: int, observed: Observed) -> Injection:
    deployment = observed.get("Deployment", target)
    template.serving(deployment)
    path = (*template.container_path(template.container_name(deployment, params.container)), "command")
    present = paths.get(deployment, path)
    words = [] if present is paths.ABSENT else list(present)
    if words:
        known = [f"{words[0]}{suffix}" for suffix in ("-server", ".sh", "d")]
    else:
        known = [f"/usr/local/bin/{target}-server", f"/opt/{target}/bin/run", f"/app/bin/{target}-server"]
    program = params.command or seeded.pick(
        seeded.chooser(seed, COMMAND.name, target), known, words[:1], "program"
    )
    if program in words[:1]:
        raise errors.InvalidInput(
            f"params.command: expected another program than the present one, found {program!r}"
        )
    change = SetField(path, [program, *words[1:]])
    return template.template_fault(observed.ref("Deployment", target), observed, change)


def _command_symptoms(target: str, params: CommandParameters) -> tuple[Symptom, ...]:
    return template.crash_symptoms(target)


COMMAND = Mechanism(
    name="container-command-invalid",
    summary="A container is told to start a program that its image does not have.",
    parameters=CommandParameters,
    targets=frozenset({"Deployment"}),
    plan=_plan_command,
    symptoms=_command_symptoms,
)


# -- container-image-wrong-architecture -------------------------------------------------------------


@dataclass(frozen=True)
class ArchitectureParameters:
    """container: whose image; the one called like the Deployment when not given.
    image: an image for another processor; by default one that the nodes have and that is called like the
    present one with an architecture at its end, as in shop-arm64."""

    container: str | None = None
    image: str | None = None

    def problems(self) -> list[str]:
        if self.image is not None and not template.IMAGE_REFERENCE.match(self.image):
            return [f"image: expected an image reference, found {self.image!r}"]
        return []


def _plan_architecture(
    target: str, params: ArchitectureParameters, seed: int, observed: Observed
) -> Injection:
    deployment = observed.get("Deployment", target)
    template.serving(deployment)
    path = (*template.container_path(template.container_name(deployment, params.container)), "image")
    current = str(paths.get(deployment, path))
    image = params.image or _foreign(current, observed)
    if image == current:
        raise errors.InvalidInput(f"params.image: expected another image than the present one, found {image}")
    return template.template_fault(observed.ref("Deployment", target), observed, SetField(path, image))


def _foreign(current: str, observed: Observed) -> str:
    """The present image's sibling for another architecture, on every node that says what images it has."""
    match = template.IMAGE_REFERENCE.match(current)
    repository = match["repository"] if match else current
    nodes = [node for node in observed.all("Node").values() if node.get("status", {}).get("images")]
    own = {node["metadata"].get("labels", {}).get(_NODE_ARCHITECTURE) for node in nodes}
    others = "|".join(one for one in _ARCHITECTURES if one not in own)
    wanted = re.compile(rf"{re.escape(repository)}-(?:{others}):[\w][\w.-]*")
    held = [{n for n in _images(node) if wanted.fullmatch(n)} for node in nodes if _takes_pods(node)]
    shared = sorted(set.intersection(*held)) if held else []
    if not shared:
        raise errors.Unsupported(
            f"expected an image of another architecture on every node that takes pods, such as "
            f"{repository}-arm64:<tag>, found none; import one, or name one that the nodes can pull in "
            "params.image"
        )
    return shared[0]


def _images(node: Json) -> list[str]:
    return [name for image in node["status"]["images"] for name in image.get("names") or ()]


def _takes_pods(node: Json) -> bool:
    taints = node.get("spec", {}).get("taints") or ()
    return not any(taint.get("effect") in ("NoSchedule", "NoExecute") for taint in taints)


def _architecture_symptoms(target: str, params: ArchitectureParameters) -> tuple[Symptom, ...]:
    return template.crash_symptoms(target)


ARCHITECTURE = Mechanism(
    name="container-image-wrong-architecture",
    summary="A container's image was built for another processor, so that its program cannot be executed.",
    parameters=ArchitectureParameters,
    targets=frozenset({"Deployment"}),
    plan=_plan_architecture,
    symptoms=_architecture_symptoms,
)

MECHANISMS = (ARCHITECTURE, COMMAND)
