"""What there is to say about an ITBench file, each with its place in it."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reprise.domain import itbench_names
from reprise.domain.entities import EntityId, shorten

Location = tuple[str | int, ...]


class Outcome(enum.Enum):
    """What became of the place that a note is about."""

    REPAIRED = "repaired"  # carried over after a change
    UNCHECKED = "unchecked"  # carried over as written; nobody can tell here whether it exists
    LEFT_OUT = "left out"  # no place for it in a truth; the answer does not need it
    PROBLEM = "problem"  # part of the answer could not be carried over: there is no truth


@dataclass(frozen=True)
class Note:
    """location: keys and indexes from the document's root."""

    location: Location
    outcome: Outcome
    text: str

    @property
    def place(self) -> str:
        """The location as people write it: `spec.groups[3].filter`."""
        return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in self.location).lstrip(".")


@dataclass
class Notes:
    """Collects notes below one location."""

    root: Location = ()
    found: list[Note] = field(default_factory=list)

    def add(self, outcome: Outcome, text: str, *location: str | int) -> None:
        note = Note((*self.root, *location), outcome, text)
        if note not in self.found:
            self.found.append(note)

    def problem(self, text: str, *location: str | int) -> None:
        self.add(Outcome.PROBLEM, text, *location)

    def resolution(self, found: itbench_names.Resolution, *location: str | int) -> EntityId | None:
        """Note what a resolution says; its entity."""
        for text in found.repairs:
            self.add(Outcome.REPAIRED, text, *location)
        for text in found.unchecked:
            self.add(Outcome.UNCHECKED, text, *location)
        if found.problem:
            self.problem(found.problem, *location)
        return found.entity


def kind_of(value: Any) -> str:
    """A value's type for a message."""
    match value:
        case None:
            return "nothing"
        case Mapping():
            return "an object"
        case list():
            return "a list"
        case str():
            return f"the text {shorten(value, 40)!r}"
        case _:
            return f"{shorten(str(value), 40)!r}"
