"""Finished answers that are kept while what they were made of does not change."""

from collections import OrderedDict
from collections.abc import Hashable

MAX_BYTES = 64 * 1024 * 1024
MAX_ANSWERS = 2048


class Kept:
    """Bodies by key, the least recently used ones dropped beyond `max_bytes` or `max_answers`."""

    def __init__(self, max_bytes: int = MAX_BYTES, max_answers: int = MAX_ANSWERS) -> None:
        self._max_bytes = max_bytes
        self._max_answers = max_answers
        self._bodies: OrderedDict[Hashable, bytes] = OrderedDict()
        self._bytes = 0

    def get(self, key: Hashable) -> bytes | None:
        body = self._bodies.get(key)
        if body is not None:
            self._bodies.move_to_end(key)
        return body

    def put(self, key: Hashable, body: object) -> None:
        """Keep `body`, unless it is no bytes or takes more than an eighth of the room."""
        if not isinstance(body, bytes) or len(body) > self._max_bytes // 8:
            return
        self._bytes += len(body) - len(self._bodies.pop(key, b""))
        self._bodies[key] = body
        while self._bytes > self._max_bytes or len(self._bodies) > self._max_answers:
            _, dropped = self._bodies.popitem(last=False)
            self._bytes -= len(dropped)
