"""Questions about a topology: what stands beside a node, and how two nodes hang together."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reprise.domain import errors

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Step:
    """One edge, walked from `here` to `there`; `forward` when that is the way it points."""

    here: str
    there: str
    edge: Json
    forward: bool


class Walk:
    """A graph of `topology.build`, indexed by node in both directions."""

    def __init__(self, graph: Json) -> None:
        self.nodes: dict[str, Json] = {node["id"]: node for node in graph["nodes"]}
        self._steps: dict[str, list[Step]] = {}
        for edge in graph["edges"]:
            source, target = edge["source"], edge["target"]
            self._steps.setdefault(source, []).append(Step(source, target, edge, True))
            self._steps.setdefault(target, []).append(Step(target, source, edge, False))

    def find(self, text: str) -> str:
        """The id of a node by its id (`Kind/name`), its entity id (`namespace/Kind/name`) or its bare name
        when only one has it. Raises InvalidInput, with the nodes that come close."""
        wanted = "/".join(text.strip().split("/")[-2:])
        if wanted in self.nodes:
            return wanted
        lower = wanted.lower()
        same = [key for key in self.nodes if lower in (key.lower(), key.lower().partition("/")[2])]
        if len(same) == 1:
            return same[0]
        word = lower.rpartition("/")[2]
        close = same or sorted(key for key in self.nodes if word in key.lower())
        raise errors.InvalidInput(
            f"expected one node of the topology such as 'Deployment/cart', found {text[:80]!r}; "
            + (f"there are {', '.join(close[:20])}" if close else "nothing has such a name")
        )

    def neighbours(self, start: str, depth: int, avoid: frozenset[str]) -> Iterator[tuple[int, Step]]:
        """Every edge within `depth` steps of a node, nearest first, each once, with its distance from 1;
        nothing beyond nodes of the kinds in `avoid`."""
        seen, told = {start}, set()
        level = [start]
        for distance in range(1, depth + 1):
            following: list[str] = []
            for node in level:
                for step in self._steps.get(node, ()):
                    if (key := id(step.edge)) not in told:
                        told.add(key)
                        yield distance, step
                    if step.there not in seen and self.nodes[step.there]["kind"] not in avoid:
                        seen.add(step.there)
                        following.append(step.there)
            level = following

    def path(self, start: str, end: str, avoid: frozenset[str]) -> Sequence[Step] | None:
        """The fewest edges, walked in either direction, that lead from one node to another, not through
        nodes of the kinds in `avoid` (everything is in its namespace); None when there are none."""
        came: dict[str, Step | None] = {start: None}
        queue = deque([start])
        while queue:
            node = queue.popleft()
            if node == end:
                found: list[Step] = []
                while (step := came[node]) is not None:
                    found.append(step)
                    node = step.here
                return found[::-1]
            if node != start and self.nodes[node]["kind"] in avoid:
                continue
            for step in self._steps.get(node, ()):
                if step.there not in came:
                    came[step.there] = step
                    queue.append(step.there)
        return None
