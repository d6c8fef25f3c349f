"""What was changed lately: a Deployment's present revision against the one before."""

from collections.abc import Iterator
from typing import Any

from reprise.agents.protocol import Hypothesis, Json
from reprise.agents.triage.world import World, containers, template

_REVISION = "deployment.kubernetes.io/revision"
_IGNORED_LABELS = frozenset({"pod-template-hash"})
# Of a change after which its workload is well and nobody complains of it: a guess, for want of better.
_HARMLESS = 0.5


def changed_template(world: World) -> Iterator[Hypothesis]:
    """A template that changed within the window. How suspicious it is depends on how its workload does."""
    for deployment in world.deployments:
        name = deployment["metadata"]["name"]
        changed = sorted(recent_differences(world, deployment))
        if not changed:
            continue
        status = deployment.get("status", {})
        short = status.get("availableReplicas", 0) < deployment["spec"].get("replicas", 1)
        failing = name in world.failures.origins or name in world.failures.peers
        mentioned = any(
            name in alert.get("labels", {}).values()
            for alert in world.alerts
            if alert.get("state") == "firing"
        )
        yield Hypothesis(
            world.entity("Deployment", name),
            "changed-lately",
            0.85 if short or failing else 0.75 if mentioned else _HARMLESS,
            f"the present revision changed {', '.join(changed)[:300]}",
            frozenset({name}),
        )


def recent_differences(world: World, deployment: Json) -> set[str]:
    """What the newest revision changed, when it was rolled out in the window; else nothing."""
    revisions = sorted(_revisions(world, deployment), key=_revision)
    if len(revisions) < 2 or not _recent(world, deployment, revisions[-1]):
        return set()
    return differences(template(revisions[-2]), template(revisions[-1]))


def _revisions(world: World, deployment: Json) -> list[Json]:
    uid = deployment["metadata"].get("uid")
    return [
        rs
        for rs in world.replica_sets
        if any(owner.get("uid") == uid for owner in rs["metadata"].get("ownerReferences") or ())
    ]


def _revision(replica_set: Json) -> int:
    text = (replica_set["metadata"].get("annotations") or {}).get(_REVISION, "0")
    return int(text) if text.isdigit() else 0


def _recent(world: World, deployment: Json, newest: Json) -> bool:
    """Whether the newest revision was rolled out in the window: by all clocks that know.

    NB: a ReplicaSet is used again when an old template comes back, so its own age is the last resort. A pod
    that was only deleted is young without any roll-out; then the Deployment's last progress is old.
    """
    pods = [
        pod["metadata"].get("creationTimestamp", "")
        for pod in world.pods
        if any(
            o.get("uid") == newest["metadata"].get("uid")
            for o in pod["metadata"].get("ownerReferences") or ()
        )
    ]
    progress = [
        condition.get("lastUpdateTime", "")
        for condition in deployment.get("status", {}).get("conditions") or ()
        if condition["type"] == "Progressing"
    ]
    clocks = [min(times) for times in (pods, progress) if times]
    return all(world.in_window(time) for time in clocks or [newest["metadata"].get("creationTimestamp")])


def differences(old: Json, new: Json) -> set[str]:
    """What differs between two pod templates, in words: `env ADDRESS of web`, `image of web`, …"""
    found = set()
    before = {c["name"]: c for c in containers(old)}
    after = {c["name"]: c for c in containers(new)}
    for name in before.keys() ^ after.keys():
        found.add(f"container {name}")
    for name in before.keys() & after.keys():
        one, two = before[name], after[name]
        env_one, env_two = _env(one), _env(two)
        found |= {
            f"env {key} of {name}"
            for key in env_one.keys() | env_two.keys()
            if env_one.get(key) != env_two.get(key)
        }
        found |= {
            f"{key} of {name}"
            for key in one.keys() | two.keys()
            if key not in ("env", "name") and one.get(key) != two.get(key)
        }
    old_spec, new_spec = old.get("spec") or {}, new.get("spec") or {}
    found |= {
        key
        for key in old_spec.keys() | new_spec.keys()
        if key not in ("containers", "initContainers") and old_spec.get(key) != new_spec.get(key)
    }
    if _labels(old) != _labels(new):
        found.add("labels")
    return found


def _env(container: Json) -> dict[str, Any]:
    return {env["name"]: env for env in container.get("env") or ()}


def _labels(template: Json) -> dict[str, str]:
    labels = (template.get("metadata") or {}).get("labels") or {}
    return {key: value for key, value in labels.items() if key not in _IGNORED_LABELS}
