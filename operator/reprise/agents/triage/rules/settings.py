"""What workloads read from ConfigMaps and Secrets: a change of those shows in nothing but their readers."""

from collections.abc import Iterator, Sequence

from reprise.agents.protocol import Hypothesis, Json
from reprise.agents.triage.rules import changes, environment
from reprise.agents.triage.rules.pods import container_states
from reprise.agents.triage.world import World, containers, template

# A pod that reads more than this says too little about any of it.
_FEW = 2


def read_anew(world: World) -> Iterator[Hypothesis]:
    """A workload whose pod was made anew with the old template, and which works no more: what it read."""
    callers = environment.callers(world)
    for deployment in world.deployments:
        name = deployment["metadata"]["name"]
        sources = _sources(template(deployment))
        pods = world.pods_of("Deployment", name)
        if not 0 < len(sources) <= _FEW or not _made_anew(world, deployment, pods):
            continue
        crashing = any(_crashes(pod) for pod in pods)
        blamed = {name, *callers.get(name, ())} & {*world.failures.origins, *world.failures.peers}
        if not crashing and not blamed:
            continue
        for kind, source in sources:
            yield Hypothesis(
                world.entity(kind, source),
                "read-anew",
                0.8 if crashing else 0.62,
                f"{name} reads it, its pod was made anew with the old template, and "
                + ("it crashes" if crashing else f"{', '.join(sorted(blamed))} fail"),
                frozenset({name}),
            )


def _made_anew(world: World, deployment: Json, pods: Sequence[Json]) -> bool:
    """Every pod is of the window, and no change of the template is."""
    born = [pod["metadata"].get("creationTimestamp") for pod in pods]
    young = bool(born) and all(born) and all(map(world.in_window, born))
    return young and not changes.recent_differences(world, deployment)


def _crashes(pod: Json) -> bool:
    return any(
        (state.get("state", {}).get("waiting") or {}).get("reason") == "CrashLoopBackOff"
        or (state.get("restartCount", 0) > 0 and not state.get("ready"))
        for state in container_states(pod)
    )


def _sources(pod_template: Json) -> list[tuple[str, str]]:
    """(kind, name) of the ConfigMaps and Secrets that a template's pods read."""
    found = set()
    for volume in (pod_template.get("spec") or {}).get("volumes") or ():
        if "configMap" in volume:
            found.add(("ConfigMap", volume["configMap"]["name"]))
        if "secret" in volume:
            found.add(("Secret", volume["secret"]["secretName"]))
    for container in containers(pod_template):
        for entry in container.get("envFrom") or ():
            for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                if field in entry:
                    found.add((kind, entry[field]["name"]))
        for entry in container.get("env") or ():
            for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
                if reference := (entry.get("valueFrom") or {}).get(field):
                    found.add((kind, reference["name"]))
    return sorted(found)
