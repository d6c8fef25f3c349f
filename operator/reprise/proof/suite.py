"""Many scenarios: side by side where isolation allows, alone where the whole cluster feels them."""

import asyncio
import collections
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from reprise.domain import proof
from reprise.domain.scenario import Scenario
from reprise.faults import registry

# Proves a scenario in a namespace; the last is the digest of its file.
ProveOne = Callable[[Scenario, str, str], Awaitable[proof.Proof]]
# In a row. One alert left over from the run before, or one slow minute, is not yet the cluster's state.
MOST_UNQUIET = 3


@dataclass(frozen=True)
class Task:
    """A scenario and the digest of its file: a changed file is proven again."""

    scenario: Scenario
    digest: str


def split(tasks: Sequence[Task]) -> tuple[list[Task], list[Task]]:
    """Those that stay within their namespace, and those that do not."""
    wide = [task for task in tasks if registry.cluster_wide(task.scenario)]
    return [task for task in tasks if task not in wide], wide


async def prove(
    prove_one: ProveOne, tasks: Sequence[Task], namespaces: Sequence[str], done: Callable[[proof.Proof], None]
) -> list[Task]:
    """Prove the tasks; `done` is told of each result as it comes. A failing one does not stop the rest, but
    MOST_UNQUIET in a row that found no healthy, quiet application do: what follows would say nothing either.
    Returns the tasks that were left out because of that."""
    side_by_side, alone = split(tasks)
    queue, last = collections.deque(side_by_side), collections.deque(alone)
    unquiet = 0

    async def work(namespace: str, mine: collections.deque[Task]) -> None:
        nonlocal unquiet
        while mine and unquiet < MOST_UNQUIET:
            task = mine.popleft()
            result = await prove_one(task.scenario, namespace, task.digest)
            done(result)
            if result.verdict is not proof.Verdict.UNSUPPORTED:
                unquiet = 0 if result.quiet else unquiet + 1

    async with asyncio.TaskGroup() as group:
        for namespace in namespaces:
            group.create_task(work(namespace, queue))
    await work(namespaces[0], last)
    return [*queue, *last]
