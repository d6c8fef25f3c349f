"""What changed last, as far as objects themselves tell: their times, not who wrote them.

managedFields would tell more, and too much; they are never read here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from reprise.domain.entities import EntityId
from reprise.domain.redaction import parse_time

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Change:
    """Something that an object says has happened to it at `time` (aware)."""

    time: datetime
    entity: EntityId
    what: str


def of(obj: Json) -> Iterator[Change]:
    """Every change that an object (with its kind) tells: creation, deletion, conditions, containers."""
    meta, status = obj.get("metadata") or {}, obj.get("status") or {}
    entity = EntityId(meta.get("namespace", ""), obj.get("kind", ""), meta.get("name", ""))
    generation = meta.get("generation")
    version = f" (generation {generation})" if isinstance(generation, int) and generation > 1 else ""

    def at(text: object, what: str) -> Iterator[Change]:
        if (time := parse_time(text)) is not None:
            yield Change(time, entity, what)

    yield from at(meta.get("creationTimestamp"), "created" + _of_owner(meta))
    yield from at(meta.get("deletionTimestamp"), "is being deleted")
    for condition in status.get("conditions") or ():
        reason = f", {condition['reason']}" if condition.get("reason") else ""
        text = f"condition {condition.get('type')}={condition.get('status')}{reason}{version}"
        times = [condition.get("lastTransitionTime")]
        # A Deployment's condition is updated at each roll-out, without a transition.
        if condition.get("lastUpdateTime") != times[0]:
            times.append(condition.get("lastUpdateTime"))
        for time in times:
            yield from at(time, text)
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        name, count = container.get("name"), container.get("restartCount", 0)
        for state in ("state", "lastState"):
            running = (container.get(state) or {}).get("running") or {}
            ended = (container.get(state) or {}).get("terminated") or {}
            yield from at(running.get("startedAt"), f"container {name} started (restarts {count})")
            code = f"exit code {ended.get('exitCode')}, {ended.get('reason', 'no reason given')}"
            yield from at(ended.get("finishedAt"), f"container {name} ended: {code}")
    for taint in (obj.get("spec") or {}).get("taints") or ():
        yield from at(taint.get("timeAdded"), f"taint {taint.get('key')}:{taint.get('effect')}")


def _of_owner(meta: Json) -> str:
    owners = [f"{owner['kind']}/{owner['name']}" for owner in meta.get("ownerReferences") or ()]
    return f" by {', '.join(owners)}" if owners else ""
