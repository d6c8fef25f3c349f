"""Pods that do not come up, each blamed on what makes the pod."""

from collections.abc import Iterator

from reprise.agents.protocol import Hypothesis, Json
from reprise.agents.triage.rules import changes
from reprise.agents.triage.world import World, about, containers, event_time, template

_IMAGE = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"}
)
_START = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "StartError"})


def container_states(pod: Json) -> Iterator[Json]:
    """What the status says of each container, the init containers first."""
    status = pod.get("status", {})
    yield from status.get("initContainerStatuses") or ()
    yield from status.get("containerStatuses") or ()


def _waiting(world: World, reasons: frozenset[str], rule: str, confidence: float) -> Iterator[Hypothesis]:
    for pod in world.pods:
        for state in container_states(pod):
            waiting = state.get("state", {}).get("waiting") or {}
            if waiting.get("reason") in reasons:
                kind, name = world.owner({"kind": "Pod", **pod})
                yield Hypothesis(
                    world.entity(kind, name),
                    rule,
                    confidence,
                    f"pod {pod['metadata']['name']}, container {state['name']}: {waiting['reason']}: "
                    f"{str(waiting.get('message', ''))[:200]}",
                    frozenset({name}),
                )


def image_cannot_be_pulled(world: World) -> Iterator[Hypothesis]:
    yield from _waiting(world, _IMAGE, "image-cannot-be-pulled", 0.95)


def container_cannot_start(world: World) -> Iterator[Hypothesis]:
    yield from _waiting(world, _START, "container-cannot-start", 0.93)


def crashes(world: World) -> Iterator[Hypothesis]:
    """Containers that end again and again. Out of memory is its own doing; else it may be what it needs."""
    for pod in world.pods:
        for state in container_states(pod):
            last = (state.get("lastState") or {}).get("terminated") or {}
            now = state.get("state") or {}
            ended = now.get("terminated") or last
            looping = (now.get("waiting") or {}).get("reason") == "CrashLoopBackOff"
            if not ended or not (looping or world.in_window(ended.get("finishedAt"))):
                continue
            if ended.get("exitCode", 0) == 0 and not looping:
                continue
            kind, name = world.owner({"kind": "Pod", **pod})
            memory = ended.get("reason") == "OOMKilled"
            yield Hypothesis(
                world.entity(kind, name),
                "out-of-memory" if memory else "crashes",
                0.9 if memory else 0.75 if looping else 0.5,
                f"pod {pod['metadata']['name']}, container {state['name']}: {ended.get('reason')} "
                f"{ended.get('exitCode')}, {state.get('restartCount', 0)} restarts",
                frozenset({name}),
            )


def ended_again(world: World) -> Iterator[Hypothesis]:
    """More pods of a Deployment were ended than it has, while its template stayed: it goes on and on."""
    for deployment in world.deployments:
        name = deployment["metadata"]["name"]
        sets = {
            replica_set["metadata"]["name"]
            for replica_set in world.replica_sets
            if world.owner({"kind": "ReplicaSet", **replica_set}) == ("Deployment", name)
        }
        ended = {pod for pod in _killed(world) if pod.rpartition("-")[0] in sets}
        if len(ended) <= deployment["spec"].get("replicas", 1) or changes.recent_differences(
            world, deployment
        ):
            continue
        yield Hypothesis(
            world.entity("Deployment", name),
            "ended-again",
            0.65,
            f"within the window these were ended: {', '.join(sorted(ended))}"[:300],
            frozenset({name}),
        )


def _killed(world: World) -> Iterator[str]:
    """The pods that Events of the window say were ended."""
    for event in world.events:
        of = about(event)
        if (event.get("reason"), of.get("kind")) == ("Killing", "Pod") and world.in_window(event_time(event)):
            yield str(of.get("name", ""))


def not_ready(world: World) -> Iterator[Hypothesis]:
    """Runs, and its probe says no: the probe or the program."""
    for pod in world.pods:
        status = pod.get("status", {})
        states = status.get("containerStatuses") or ()
        if status.get("phase") != "Running" or pod["metadata"].get("deletionTimestamp"):
            continue
        for state in states:
            if state.get("ready") or "running" not in (state.get("state") or {}):
                continue
            kind, name = world.owner({"kind": "Pod", **pod})
            yield Hypothesis(
                world.entity(kind, name),
                "not-ready",
                0.62,
                f"pod {pod['metadata']['name']}, container {state['name']}: running, not ready",
                frozenset({name}),
            )


def declared_ports(workload: Json) -> dict[str, int]:
    """The container ports that a workload declares: name (or number as text) -> number."""
    return {
        port.get("name") or str(port["containerPort"]): port["containerPort"]
        for container in containers(template(workload))
        for port in container.get("ports") or ()
    }
