"""Who reads a ConfigMap or a Secret, and who calls a Service: found in the volumes and environments of pod
templates."""

from collections.abc import Iterator

from reprise.domain import errors, topology
from reprise.domain.entities import ObjectRef
from reprise.domain.plan import RecyclePods, Step
from reprise.faults.mechanism import Json, Observed


def readers(ref: ObjectRef, observed: Observed) -> list[ObjectRef]:
    """The Deployments with replicas whose pods read the object. Raises InvalidInput when none does."""
    found = [
        observed.ref("Deployment", name)
        for name, deployment in sorted(observed.all("Deployment").items())
        if deployment["spec"].get("replicas", 1)
        and (ref.kind, ref.name) in set(reads(deployment["spec"]["template"]["spec"]))
    ]
    if not found:
        raise errors.InvalidInput(
            f"expected a Deployment whose pods read {ref.kind}/{ref.name}, found none: nobody would feel it"
        )
    return found


def callers(service: str, observed: Observed) -> list[ObjectRef]:
    """The Deployments with replicas whose environment names the Service as a host. Raises InvalidInput when
    none does."""
    found = [
        observed.ref("Deployment", name)
        for name, deployment in sorted(observed.all("Deployment").items())
        if deployment["spec"].get("replicas", 1)
        and service in set(hosts(deployment["spec"]["template"]["spec"]))
    ]
    if not found:
        raise errors.InvalidInput(
            f"expected a Deployment whose environment names Service/{service}, found none: "
            "nobody would feel it"
        )
    return found


def hosts(spec: Json) -> Iterator[str]:
    """What the environment may name as a host."""
    for container in (*spec["containers"], *(spec.get("initContainers") or ())):
        for entry in container.get("env") or ():
            yield from topology.hosts_in(entry.get("value") or "")


def recycled(ref: ObjectRef, observed: Observed) -> tuple[Step, ...]:
    """What makes its readers read the object as it is now: a running process does not."""
    return tuple(RecyclePods(reader, after=ref) for reader in readers(ref, observed))


def key_of(found: Json, wanted: str | None) -> str:
    """The wanted key of the object's data, or its only one. Raises InvalidInput, naming what there is."""
    known = sorted(found.get("data") or {})
    key = wanted if wanted is not None else known[0] if len(known) == 1 else None
    if key is None or key not in known:
        raise errors.InvalidInput(
            f"params.key: expected one of: {', '.join(known) or 'none'}; found {wanted!r}"
        )
    return key


def reads(spec: Json) -> Iterator[tuple[str, str]]:
    """Kind and name of each ConfigMap and Secret that a pod of this spec reads; one more than once, too."""
    for volume in spec.get("volumes") or ():
        for source in (volume, *((volume.get("projected") or {}).get("sources") or ())):
            if "configMap" in source:
                yield "ConfigMap", source["configMap"]["name"]
            if "secret" in source:
                # NB: a volume says secretName, a projected source says name.
                yield "Secret", source["secret"].get("secretName") or source["secret"].get("name", "")
    for container in (*spec["containers"], *(spec.get("initContainers") or ())):
        for entry in container.get("env") or ():
            origin = entry.get("valueFrom") or {}
            if "configMapKeyRef" in origin:
                yield "ConfigMap", origin["configMapKeyRef"]["name"]
            if "secretKeyRef" in origin:
                yield "Secret", origin["secretKeyRef"]["name"]
        for entry in container.get("envFrom") or ():
            if "configMapRef" in entry:
                yield "ConfigMap", entry["configMapRef"]["name"]
            if "secretRef" in entry:
                yield "Secret", entry["secretRef"]["name"]
