"""Workloads that were not there before the incident."""

from collections.abc import Iterator

from reprise.agents.protocol import Hypothesis, Json
from reprise.agents.triage.world import World, parse_time

# More newcomers than this are a deployment of the application itself.
_FEW = 2


def newcomers(world: World) -> list[Json]:
    """Deployments that were created within the window, while few are."""
    found = [
        deployment
        for deployment in world.deployments
        if world.window_start is not None
        and (born := parse_time(deployment["metadata"].get("creationTimestamp"))) is not None
        and born >= world.window_start
    ]
    return found if len(found) <= _FEW else []


def new_workload(world: World) -> Iterator[Hypothesis]:
    """A client that came with the trouble: it may hold what the others need."""
    for deployment in newcomers(world):
        name = deployment["metadata"]["name"]
        yield Hypothesis(
            world.entity("Deployment", name),
            "new-workload",
            0.8 if world.complaining() else 0.4,
            f"created {deployment['metadata']['creationTimestamp']}, within the window",
            frozenset({name}),
        )
