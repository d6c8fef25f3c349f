"""Many scenarios: side by side where isolation allows, alone where the whole cluster feels them."""

import asyncio
import collections
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reprise.domain import proof
from reprise.domain.scenario import Scenario
from reprise.faults import registry
from reprise.proof.drive import Driver


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
    driver: Driver, tasks: Sequence[Task], namespaces: Sequence[str], done: Callable[[proof.Proof], None]
) -> None:
    """Prove every task; `done` is told of each result as it comes. A failing one does not stop the rest."""
    side_by_side, alone = split(tasks)
    queue = collections.deque(side_by_side)

    async def work(namespace: str) -> None:
        while queue:
            task = queue.popleft()
            done(await driver.prove(task.scenario, namespace, task.digest))

    async with asyncio.TaskGroup() as group:
        for namespace in namespaces:
            group.create_task(work(namespace))
    for task in alone:
        done(await driver.prove(task.scenario, namespaces[0], task.digest))
