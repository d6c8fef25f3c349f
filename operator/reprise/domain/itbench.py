"""ITBench's ground-truth files, read as truths of ours. Pure: a decoded document in, a truth and notes out.

    v1   spec: {groups: [{id, kind, namespace?, filter?: [regex], name?, root_cause?}], aliases: [[id]],
               propagations: [{source, target, …}], fault, alerts, recommendedActions | recommended_actions}
    v2   spec: {entities: [{apiVersion, kind, metadata: {name, namespace?}}], alerts, solutions}

Either may come without the `apiVersion`, `kind` and `spec` around it. Everything that had to be changed and
everything that could not be carried over becomes a note; `docs/itbench.md` lists the rules.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reprise.domain import itbench_v1, itbench_v2, truth
from reprise.domain.entities import shorten
from reprise.domain.itbench_notes import Note, Notes, Outcome, kind_of

KIND = "GroundTruth"
# Parts of a file that say nothing about which entities are root causes.
_LEFT_OUT = {
    "alerts": "what fires is a matter of the scenario's symptoms",
    "fault": "the mechanism is a matter of the scenario",
    "propagations": "a truth has causes only; used to find what an experiment of the injector hits",
    "recommendedActions": "diagnosis is scored, not mitigation",
    "recommended_actions": "diagnosis is scored, not mitigation",
    "solutions": "diagnosis is scored, not mitigation",
}
_KNOWN = {"groups", "aliases", "entities", "version", *_LEFT_OUT}


@dataclass(frozen=True)
class Imported:
    """What a file became. truth: None when any note is a problem. version: v1, v2, or "" for neither."""

    version: str
    truth: truth.Truth | None
    notes: tuple[Note, ...]

    @property
    def problems(self) -> tuple[Note, ...]:
        return tuple(note for note in self.notes if note.outcome is Outcome.PROBLEM)


def read(document: Any, keep_unknown: bool = False) -> Imported:
    """Read a decoded document. Never raises for its content: every mistake is a note, all at once.

    keep_unknown: objects that the pinned application does not have are taken as they are written.
    """
    notes = Notes()
    spec = _unwrap(document, notes)
    if spec is None:
        return Imported("", None, tuple(notes.found))
    if "groups" in spec and "entities" in spec:
        notes.problem("expected groups (v1) or entities (v2), found both")
        return Imported("", None, tuple(notes.found))
    if "groups" not in spec and "entities" not in spec:
        found = ", ".join(map(str, spec)) or "nothing"
        notes.problem(f"expected a ground truth with groups (v1) or entities (v2), found: {shorten(found)}")
        return Imported("", None, tuple(notes.found))
    version = "v1" if "groups" in spec else "v2"
    _version(document, spec, version, notes)
    _rest(spec, notes)
    causes = (itbench_v1 if version == "v1" else itbench_v2).causes(spec, notes, keep_unknown)
    if not causes and not any(note.outcome is Outcome.PROBLEM for note in notes.found):
        notes.problem("expected at least one root cause, found none; a truth without is that of a control")
    imported = Imported(version, truth.Truth(_merged(causes)), tuple(notes.found))
    return Imported(version, None, imported.notes) if imported.problems else imported


def _unwrap(document: Any, notes: Notes) -> Mapping[str, Any] | None:
    if document is None:
        notes.problem("expected a ground truth, found an empty file")
        return None
    if not isinstance(document, Mapping):
        notes.problem(f"expected an object, found {kind_of(document)}")
        return None
    if "rootCauses" in document:
        notes.problem("expected a ground truth of ITBench, found a truth that can be used as it is")
        return None
    if "kind" in document and document["kind"] != KIND:
        notes.problem(f"expected kind {KIND}, found {shorten(str(document['kind']))!r}", "kind")
        return None
    if "spec" not in document:
        return document
    notes.root = ("spec",)
    if not isinstance(document["spec"], Mapping):
        notes.problem(f"expected an object, found {kind_of(document['spec'])}")
        return None
    return document["spec"]


def _version(document: Mapping[str, Any], spec: Mapping[str, Any], version: str, notes: Notes) -> None:
    stated = str(document.get("apiVersion") or spec.get("version") or version)
    if stated.rpartition("/")[2] != version:
        notes.add(Outcome.REPAIRED, f"says {shorten(stated)}, has the shape of {version}; read as {version}")


def _rest(spec: Mapping[str, Any], notes: Notes) -> None:
    for key, value in spec.items():
        if key in _LEFT_OUT and value:
            count = f"{len(value)}: " if isinstance(value, list) else ""
            notes.add(Outcome.LEFT_OUT, f"{count}{_LEFT_OUT[key]}", key)
        elif key not in _KNOWN and key not in ("apiVersion", "kind", "metadata"):
            notes.add(Outcome.LEFT_OUT, "nobody knows this field", str(key))


def _merged(causes: list[truth.RootCause]) -> tuple[truth.RootCause, ...]:
    """Causes that are named twice, or by one another's equivalents, are one."""
    merged: list[truth.RootCause] = []
    for cause in causes:
        names = {cause.entity, *cause.equivalents}
        for index, other in enumerate(merged):
            if names & {other.entity, *other.equivalents}:
                more = [e for e in (cause.entity, *cause.equivalents) if e != other.entity]
                equivalents = tuple(dict.fromkeys((*other.equivalents, *more)))
                merged[index] = truth.RootCause(other.entity, equivalents)
                break
        else:
            merged.append(cause)
    return tuple(merged)
