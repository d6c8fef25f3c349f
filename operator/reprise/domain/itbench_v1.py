"""ITBench's hand-written ground truths: groups of objects, given by filters; some are root causes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reprise.domain import itbench_names
from reprise.domain.entities import EntityId, shorten
from reprise.domain.itbench_notes import Notes, Outcome, kind_of
from reprise.domain.truth import RootCause


@dataclass(frozen=True)
class Group:
    """One group; `index` is its place in the file."""

    index: int
    id: str
    kind: str
    namespace: str
    name: str
    patterns: tuple[str, ...]
    root_cause: bool


def causes(spec: Mapping[str, Any], notes: Notes, keep_unknown: bool) -> list[RootCause]:
    """The root causes that the file names; everything else goes to `notes`."""
    groups = _groups(spec, notes)
    reached = _first_reached(spec, groups, notes)
    roots = [group for group in groups.values() if group.root_cause] or _of_the_fault(spec, groups, notes)
    if not roots:
        notes.problem("expected a group with root_cause: true, found none", "groups")
        return []
    _contradiction(spec, groups, roots, notes)
    aliases = _aliases(spec, groups, notes)
    symptoms = len(groups) - len({g.id for root in roots for g in (root, *aliases.get(root.id, ()))})
    if symptoms:
        notes.add(Outcome.LEFT_OUT, f"{symptoms} groups are no root cause and no alias of one", "groups")
    found = []
    for root in roots:
        entity = _entity(root, reached.get(root.id, ()), notes, keep_unknown)
        equivalents = _equivalents(root, entity, aliases.get(root.id, ()), notes, keep_unknown)
        if entity is not None:
            found.append(RootCause(entity, equivalents))
    return found


def _groups(spec: Mapping[str, Any], notes: Notes) -> dict[str, Group]:
    entries = spec["groups"]
    if not isinstance(entries, list):
        notes.problem(f"expected a list, found {kind_of(entries)}", "groups")
        return {}
    found: dict[str, Group] = {}
    for index, entry in enumerate(entries):
        group = _group(entry, index, notes)
        if group is None:
            continue
        if group.id in found:
            notes.problem(f"expected each id once, found {shorten(group.id)!r} again", "groups", index, "id")
            continue
        found[group.id] = group
    return found


def _group(entry: Any, index: int, notes: Notes) -> Group | None:
    where = ("groups", index)
    if not isinstance(entry, Mapping):
        notes.problem(f"expected an object, found {kind_of(entry)}", *where)
        return None
    before = len(notes.found)
    for key in ("id", "kind"):
        if not isinstance(entry.get(key), str) or not entry[key]:
            notes.problem(f"expected text, found {kind_of(entry.get(key))}", *where, key)
    for key in ("name", "namespace"):
        if not isinstance(entry.get(key) or "", str):
            notes.problem(f"expected text, found {kind_of(entry[key])}", *where, key)
    patterns = entry.get("filter") or []
    if not isinstance(patterns, list) or not all(isinstance(p, str) and p for p in patterns):
        notes.problem("expected a list of regular expressions", *where, "filter")
    elif not patterns and not entry.get("name"):
        notes.problem("expected a filter or a name, found neither", *where)
    root_cause = entry.get("root_cause", False)
    if not isinstance(root_cause, bool):
        notes.problem(f"expected true or false, found {kind_of(root_cause)}", *where, "root_cause")
    if len(notes.found) > before:
        return None
    return Group(
        index,
        entry["id"],
        entry["kind"],
        entry.get("namespace") or "",
        entry.get("name") or "",
        tuple(patterns),
        root_cause,
    )


def _entity(group: Group, reached: tuple[Group, ...], notes: Notes, keep_unknown: bool) -> EntityId | None:
    where = ("groups", group.index)
    place = (*where, "name" if group.name else "filter")
    found = itbench_names.resolve(group.kind, group.namespace, group.name, group.patterns, keep_unknown)
    if not found.injector:
        return notes.resolution(found, *place)
    notes.resolution(found, *place)
    components: set[str] = set()
    for target in reached:
        behind = itbench_names.resolve(target.kind, target.namespace, target.name, target.patterns)
        if behind.entity is not None:
            components |= itbench_names.mentioned(behind.entity.name)
    return notes.resolution(itbench_names.hit([group.name, *group.patterns], components), *place)


def _equivalents(
    root: Group, entity: EntityId | None, aliases: tuple[Group, ...], notes: Notes, keep_unknown: bool
) -> tuple[EntityId, ...]:
    """What the aliases of a root cause mean. One that means nothing is no mistake of the answer."""
    found: dict[EntityId, None] = {}
    for alias in aliases:
        where = ("groups", alias.index)
        meant = itbench_names.resolve(alias.kind, alias.namespace, alias.name, alias.patterns, keep_unknown)
        if meant.entity is None:
            why = meant.problem or "an object of the injector, which is hidden"
            notes.add(Outcome.LEFT_OUT, f"alias of root cause {root.id}: {why}", *where)
        elif meant.entity != entity:
            notes.resolution(meant, *where)
            text = f"alias of root cause {root.id}; {meant.entity} is an equivalent of it"
            notes.add(Outcome.REPAIRED, text, *where)
            found[meant.entity] = None
    return tuple(found)


def _aliases(
    spec: Mapping[str, Any], groups: Mapping[str, Group], notes: Notes
) -> dict[str, tuple[Group, ...]]:
    """Group id -> the other groups that are the same thing."""
    entries = spec.get("aliases") or []
    if not isinstance(entries, list):
        notes.problem(f"expected a list of lists of group ids, found {kind_of(entries)}", "aliases")
        return {}
    found: dict[str, tuple[Group, ...]] = {}
    for index, entry in enumerate(entries):
        if not isinstance(entry, list) or not all(isinstance(name, str) for name in entry):
            notes.problem("expected a list of group ids", "aliases", index)
            continue
        for number, name in enumerate(entry):
            if name not in groups:
                notes.add(Outcome.LEFT_OUT, _no_group(name), "aliases", index, number)
        known = list(dict.fromkeys(name for name in entry if name in groups))
        for name in known:
            others = tuple(groups[other] for other in known if other != name)
            found[name] = tuple(dict.fromkeys((*found.get(name, ()), *others)))
    return found


def _first_reached(
    spec: Mapping[str, Any], groups: Mapping[str, Group], notes: Notes
) -> dict[str, tuple[Group, ...]]:
    """Group id -> the groups that its effects reach first. Also notes names of groups that there are not."""
    found: dict[str, tuple[Group, ...]] = {}
    for key, fields in (("propagations", ("source", "target")), ("alerts", ("group_id",))):
        entries = spec.get(key) or []
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            names = [entry.get(name) for name in fields] if isinstance(entry, Mapping) else [None]
            for name, value in zip(fields, names, strict=False):
                if str(value) not in groups:
                    notes.add(Outcome.LEFT_OUT, _no_group(value), key, index, name)
            if key == "propagations" and all(str(name) in groups for name in names):
                source, target = str(names[0]), groups[str(names[-1])]
                found[source] = (*found.get(source, ()), target)
    return found


def _named_by_fault(spec: Mapping[str, Any]) -> list[tuple[int, str]]:
    entries = spec.get("fault") or []
    return [
        (index, str(entry["entity"].get("group_id")))
        for index, entry in enumerate(entries if isinstance(entries, list) else ())
        if isinstance(entry, Mapping) and isinstance(entry.get("entity"), Mapping)
    ]


def _of_the_fault(spec: Mapping[str, Any], groups: Mapping[str, Group], notes: Notes) -> list[Group]:
    """Without a marked group, those that the file says the fault was put on."""
    found = {}
    for index, name in _named_by_fault(spec):
        if name in groups:
            text = f"no group is marked as root cause; taken from here: {name}"
            notes.add(Outcome.REPAIRED, text, "fault", index, "entity")
            found[name] = groups[name]
    return list(found.values())


def _contradiction(
    spec: Mapping[str, Any], groups: Mapping[str, Group], roots: list[Group], notes: Notes
) -> None:
    marked = [group.id for group in roots]
    for index, name in _named_by_fault(spec):
        where = ("fault", index, "entity", "group_id")
        if name not in groups:
            notes.add(Outcome.LEFT_OUT, _no_group(name), *where)
        elif name not in marked:
            text = (
                f"names {name}, which is not marked as root cause; the marked are taken: {', '.join(marked)}"
            )
            notes.add(Outcome.REPAIRED, text, *where)


def _no_group(name: object) -> str:
    return f"expected the id of a group, found {shorten(str(name))!r}, which is none"
