"""Where the errors begin. The weakest rule: it says where, not why."""

from collections.abc import Iterator

from reprise.agents.protocol import Hypothesis
from reprise.agents.triage.world import World

# Fewer error traces than this are noise.
_ENOUGH = 3


def origin_of_errors(world: World) -> Iterator[Hypothesis]:
    """The deepest failing service: who was called and did not answer, else who answered with an error."""
    total = sum(world.failures.origins.values())
    names = {workload["metadata"]["name"]: workload["kind"] for workload in world.workloads}
    silent = [(host, count) for host, count in world.failures.peers.most_common() if host in names]
    found = silent or [(name, count) for name, count in world.failures.origins.most_common() if name in names]
    if total < _ENOUGH or not found:
        return
    name, count = found[0]
    yield Hypothesis(
        world.entity(names[name], name),
        "origin-of-errors",
        0.3 + 0.25 * min(count / total, 1.0),
        f"{count} of {total} failing branches of traces end at {name}",
        frozenset({name}),
    )
