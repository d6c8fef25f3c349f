"""The filtered form of an object, found again by the very bytes that it was made from.

Nothing here can grow old. The API server is asked every time; only the way from its bytes to ours, which
depends on nothing else, is spared. A resource version alone would not do: a Table, a list and a get hold
different forms of the same version of an object.
"""

import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from reprise.domain.access import ApiPath
from reprise.domain.redaction import View
from reprise.gateway import shape

MAX_BYTES = 32 * 1024 * 1024
Shape = Callable[[View, ApiPath, Any], bytes | None]
_SHAPES: dict[str, Shape] = {
    "object": shape.as_object,
    "partial": shape.as_partial,
    "row Object": lambda view, path, obj: shape.as_part(view, path, obj or {}, "Object"),
    "row Metadata": lambda view, path, obj: shape.as_part(view, path, obj or {}, "Metadata"),
    "row None": lambda view, path, obj: shape.as_part(view, path, obj or {}, "None"),
}


class Judged:
    """Encoded objects; the least recently used ones are dropped beyond `max_bytes`, keys included."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._known: OrderedDict[tuple[str, bytes], bytes | None] = OrderedDict()
        # Large pages are judged in threads.
        self._lock = threading.Lock()
        self.bytes = 0

    def judge(self, view: View, path: ApiPath, form: str) -> "Judge":
        """For objects of one resource, in one form: a key of _SHAPES."""
        # NB: the whole view, whatever it holds, is part of what an object is found by.
        return Judge(self, f"{view!r} {path.group!r} {path.resource!r} {form}", view, path, _SHAPES[form])

    def get(self, judge: "Judge", raw: bytes) -> bytes | None:
        """What may be seen of an object that the API server gave as `raw`; None when it is hidden. Raises
        ValueError when it is no JSON."""
        key = (judge.scope, raw)
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
        found = judge.shape(judge.view, judge.path, decode(raw))
        size = _size(key, found)
        if size <= self._max_bytes // 8:
            with self._lock:
                if key not in self._known:
                    self.bytes += size
                self._known[key] = found
                while self.bytes > self._max_bytes:
                    self.bytes -= _size(*self._known.popitem(last=False))
        return found

    def knows(self, judge: "Judge", raw: bytes) -> bool:
        return (judge.scope, raw) in self._known


@dataclass(frozen=True)
class Judge:
    """`scope` names all that a verdict depends on beside the object."""

    judged: Judged
    scope: str
    view: View
    path: ApiPath
    shape: Shape

    def __call__(self, raw: bytes) -> bytes | None:
        return self.judged.get(self, raw)


def decode(raw: bytes) -> Any:
    """The value. Raises ValueError when `raw` is no JSON."""
    try:
        return msgspec.json.decode(raw)
    except msgspec.DecodeError as exc:
        raise ValueError(f"expected JSON, found something else: {exc}") from exc


def _size(key: tuple[str, bytes], found: bytes | None) -> int:
    """Bytes in memory. The scope is the same text for a whole list, and counted for every object of it."""
    return sys.getsizeof(key) + sys.getsizeof(key[0]) + sys.getsizeof(key[1]) + sys.getsizeof(found)
