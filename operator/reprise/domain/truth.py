"""The right answer of a run: its root-cause entities, and what else counts as naming one of them."""

from dataclasses import dataclass
from typing import Any

from reprise.domain import errors
from reprise.domain.entities import EntityId


@dataclass(frozen=True)
class RootCause:
    """One independent cause. Naming any of `equivalents` counts as naming `entity`."""

    entity: EntityId
    equivalents: tuple[EntityId, ...] = ()


@dataclass(frozen=True)
class Truth:
    """All root causes of a run; none for a control, where the right answer is to name nothing."""

    root_causes: tuple[RootCause, ...] = ()


def to_json(truth: Truth) -> dict[str, Any]:
    """`{"rootCauses": [{"entity": id, "equivalents": [id, ...]}]}`."""
    return {
        "rootCauses": [
            {"entity": str(cause.entity), "equivalents": [str(entity) for entity in cause.equivalents]}
            for cause in truth.root_causes
        ]
    }


def from_json(data: Any) -> Truth:
    """Read what to_json writes; `equivalents` may be missing. Raises InvalidInput with every problem."""
    problems: list[str] = []
    causes: list[RootCause] = []
    if not isinstance(data, dict) or set(data) != {"rootCauses"} or not isinstance(data["rootCauses"], list):
        raise errors.InvalidInput(
            f"expected an object with the one key 'rootCauses', a list, found {type(data).__name__} "
            + (f"with keys {sorted(map(str, data))}" if isinstance(data, dict) else "")
        )
    for index, entry in enumerate(data["rootCauses"]):
        where = f"rootCauses[{index}]"
        if not isinstance(entry, dict) or "entity" not in entry or set(entry) - {"entity", "equivalents"}:
            problems.append(f"{where}: expected an object with 'entity' and perhaps 'equivalents'")
            continue
        equivalents = entry.get("equivalents", [])
        if not isinstance(equivalents, list):
            problems.append(f"{where}.equivalents: expected a list, found {type(equivalents).__name__}")
            continue
        ids = [_entity(entry["entity"], f"{where}.entity", problems)]
        ids += [_entity(e, f"{where}.equivalents[{n}]", problems) for n, e in enumerate(equivalents)]
        known = [entity for entity in ids if entity is not None]
        if len(known) == len(ids):
            causes.append(RootCause(known[0], tuple(known[1:])))
    if problems:
        raise errors.InvalidInput(problems)
    return Truth(tuple(causes))


def _entity(value: Any, where: str, problems: list[str]) -> EntityId | None:
    if not isinstance(value, str):
        problems.append(f"{where}: expected 'namespace/Kind/name', found {type(value).__name__}")
        return None
    try:
        return EntityId.parse(value)
    except errors.InvalidInput as exc:
        problems.append(f"{where}: {exc}")
        return None
