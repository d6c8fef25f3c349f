"""Containers whose memory is taken up to their limit: StressChaos with a memory stressor."""

import re
from dataclasses import dataclass
from decimal import Decimal

from reprise.domain import errors, paths
from reprise.domain.symptoms import AlertSymptom, Symptom
from reprise.faults import quota, service, template
from reprise.faults.chaos_experiment import Lasting, inject
from reprise.faults.mechanism import Injection, Json, Mechanism, Observed, Requirement

# Of the limit, by the container and the stressor together: ContainerMemoryNearLimit asks for 0.9, and at 1
# the kernel would kill the stressor, and nothing would stay short.
_FULL = Decimal("0.95")


@dataclass(frozen=True, kw_only=True)
class MemoryParameters(Lasting):
    """workers: processes that take memory. size: what each of them takes and keeps, such as 128MB; by default
    what is left of the container's limit but for a twentieth, so that it is short of memory and lives on."""

    size: str | None = None
    workers: int = 1
    container: str | None = None

    def problems(self) -> list[str]:
        found = super().problems()
        if self.workers < 1:
            found.append(f"workers: expected 1 or more, found {self.workers}")
        if self.size is not None and not re.fullmatch(r"\d+(B|KB|MB|GB|KiB|MiB|GiB)", self.size):
            found.append(f"size: expected a size such as 128MB, found {self.size!r}")
        return found


def _plan(target: str, params: MemoryParameters, seed: int, observed: Observed) -> Injection:
    deployment = observed.get("Deployment", target)
    container = template.container_name(deployment, params.container)
    size = params.size or f"{_left(deployment, container, observed) // params.workers}KB"
    spec = {
        "containerNames": [container],
        "stressors": {"memory": {"workers": params.workers, "size": size}},
    }
    return inject(STRESS_MEMORY.name, "StressChaos", target, params, seed, observed, spec)


def _left(deployment: Json, container: str, observed: Observed) -> int:
    """Kibibytes until the fullest of the Deployment's pods is full. Raises InvalidInput."""
    stated = paths.get(deployment, (*template.container_path(container), "resources", "limits", "memory"))
    if stated is paths.ABSENT:
        raise errors.InvalidInput("params.size: expected a size, because the container has no memory limit")
    used = _used(deployment, container, observed)
    if used is None:
        raise errors.InvalidInput(
            f"params.size: expected a size, because metrics-server does not say what {container!r} uses now"
        )
    limit = quota.quantity(str(stated))
    left = int((limit * _FULL - used) / 1024)
    if left < 1024:
        raise errors.InvalidInput(
            f"params.size: expected a size, because {container!r} uses {int(used / 2**20)} MiB of "
            f"{int(limit / 2**20)} already"
        )
    return left


def _used(deployment: Json, container: str, observed: Observed) -> Decimal | None:
    """Bytes that the container uses, in the pod where they are most; None when nobody measured."""
    selector = deployment["spec"]["selector"].get("matchLabels") or {}
    return max(
        (
            quota.quantity(entry["usage"]["memory"])
            for pod in observed.all("PodMetrics").values()
            if service.matches(selector, pod["metadata"].get("labels") or {})
            for entry in pod["containers"]
            if entry["name"] == container
        ),
        default=None,
    )


def _symptoms(target: str, params: MemoryParameters) -> tuple[Symptom, ...]:
    near = AlertSymptom("memory is short", alert="ContainerMemoryNearLimit", labels={"service_name": target})
    return (near,)


STRESS_MEMORY = Mechanism(
    name="stress-chaos-memory",
    summary="Processes in a container take memory up to its limit and keep it.",
    parameters=MemoryParameters,
    targets=frozenset({"Deployment"}),
    plan=_plan,
    symptoms=_symptoms,
    requires=frozenset({Requirement.CHAOS_MESH}),
)

MECHANISMS = (STRESS_MEMORY,)
