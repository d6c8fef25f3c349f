"""Places inside a Kubernetes object, by name and not by position.

A path is a tuple of segments: a string is a key of a map, `Item("name", "cart")` is the entry of a keyed list
whose `name` is `cart`. Documents are plain JSON values and are never changed in place.
"""

import copy
import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from reprise.domain import errors


class Absent(enum.Enum):
    """The type of ABSENT, which stands for "no such field": JSON's null is a value, this is none."""

    ABSENT = "absent"

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = Absent.ABSENT


@dataclass(frozen=True, order=True)
class Item:
    """The entry of a list of maps whose field `key` equals `value`: containers[name=cart]."""

    key: str
    value: str


Segment = str | Item
Path = tuple[Segment, ...]


def text(path: Path) -> str:
    """The path for people: `spec.template.spec.containers[name=cart].image`, `data["demo.flagd.json"]`."""
    out = ""
    for segment in path:
        out = join(out, segment)
    return out


def join(place: str, segment: Segment) -> str:
    """The text of a path with one more segment; an Item without a key is a list index."""
    if isinstance(segment, Item):
        return f"{place}[{segment.key}={segment.value}]" if segment.key else f"{place}[{segment.value}]"
    if segment.replace("-", "_").isidentifier():
        return f"{place}.{segment}" if place else segment
    return f'{place}["{segment}"]'


def get(document: Any, path: Path) -> Any:
    """The value at the path, or ABSENT. A copy is not made."""
    value = document
    for segment in path:
        if isinstance(segment, Item):
            index = position(value, segment)
            if index is None:
                return ABSENT
            value = value[index]
        elif isinstance(value, Mapping) and segment in value:
            value = value[segment]
        else:
            return ABSENT
    return value


def put(document: Any, path: Path, value: Any, at: int | None = None) -> Any:
    """A copy of the document with the value at the path; ABSENT removes what is there.

    at: where a new list entry goes (its end when None); kept so that a removed entry comes back in its place.
    Raises NotFound when the parent of the last segment does not exist, InvalidInput when the path is empty or
    when a list entry would lose the key by which it is found.
    """
    if not path:
        raise errors.InvalidInput("expected a path with at least one segment, found an empty one")
    out = copy.deepcopy(document)
    parent, last = get(out, path[:-1]), path[-1]
    if isinstance(last, Item):
        _put_item(parent, last, path, value, at)
    elif not isinstance(parent, dict):
        raise errors.NotFound(f"expected a map at '{text(path[:-1])}', found {_what(parent)}")
    elif value is ABSENT:
        parent.pop(last, None)
    else:
        parent[last] = copy.deepcopy(value)
    return out


def _put_item(parent: Any, item: Item, path: Path, value: Any, at: int | None) -> None:
    if not isinstance(parent, list):
        raise errors.NotFound(f"expected a list at '{text(path[:-1])}', found {_what(parent)}")
    index = position(parent, item)
    if value is ABSENT:
        if index is not None:
            del parent[index]
        return
    if not isinstance(value, Mapping) or str(value.get(item.key)) != item.value:
        raise errors.InvalidInput(
            f"expected an entry with {item.key}={item.value} for '{text(path)}', found {value!r:.80}"
        )
    if index is not None:
        parent[index] = copy.deepcopy(value)
    else:
        parent.insert(len(parent) if at is None else at, copy.deepcopy(value))


def position(entries: Any, item: Item) -> int | None:
    """The index of the first entry that the item names, or None."""
    if not isinstance(entries, Sequence) or isinstance(entries, str):
        return None
    for index, entry in enumerate(entries):
        if isinstance(entry, Mapping) and str(entry.get(item.key)) == item.value:
            return index
    return None


def _what(value: Any) -> str:
    return "nothing" if value is ABSENT else type(value).__name__


def to_json(path: Path) -> list[Any]:
    """Strings stay, an Item becomes a list of key and value."""
    return [[s.key, s.value] if isinstance(s, Item) else s for s in path]


def from_json(data: Any) -> Path:
    """The inverse of to_json. Raises TypeError or ValueError on other data."""
    return tuple(s if isinstance(s, str) else Item(*(str(part) for part in s)) for s in data)
