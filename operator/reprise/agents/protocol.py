"""What an agent is, and the only thing that it is given: a door."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

Json = Mapping[str, Any]


class DoorError(Exception):
    """The gateway refused or did not answer. `status` is the HTTP status, 0 when there was no answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Door(Protocol):
    """Typed reads over the gateway, and the one write: the submission. Every method raises DoorError."""

    def attempt(self) -> Json:
        """What is asked: namespace, window, budgets left."""
        ...

    def list_objects(self, api_version: str, plural: str, namespace: str = "") -> Sequence[Json]:
        """All objects of a resource, of one namespace or (empty) of all that are visible."""
        ...

    def logs(self, namespace: str, pod: str, **query: str) -> str:
        """A container's log; query: container, previous, tailLines."""
        ...

    def alerts(self) -> Sequence[Json]:
        """What fires, is pending, or has resolved since the window began."""
        ...

    def query(self, promql: str) -> Sequence[Json]:
        """An instant query's vector: `[{"metric": {...}, "value": [time, "text"]}]`."""
        ...

    def trace_services(self) -> Sequence[str]:
        """The services that traces are known of."""
        ...

    def traces(self, service: str, *, limit: int, last_seconds: int) -> Sequence[Json]:
        """Traces that a service took part in, in the form of Jaeger's query API."""
        ...

    def submit(self, entities: Sequence[str]) -> Json:
        """Hand in `namespace/Kind/name` ids: the end of the attempt."""
        ...


@dataclass(frozen=True)
class Hypothesis:
    """One suspected root cause.

    `confidence` is between 0 and 1: from 0.9 on the evidence is the mechanism itself, seen in the objects;
    around 0.5 it is a guess. `affects` are the workloads that it would break, by name.
    """

    entity: str
    rule: str
    confidence: float
    evidence: str
    affects: frozenset[str] = field(default_factory=frozenset)


class Agent(Protocol):
    """Looks through a door and says what it believes, most likely first."""

    def investigate(self, door: Door) -> Sequence[Hypothesis]: ...
