"""One thread that keeps a local copy of one collection: list, watch, list again when told to."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from netagent import api

T = TypeVar("T")
FIRST_DELAY_SECONDS = 0.2
LONGEST_DELAY_SECONDS = 2.0

log = logging.getLogger("netagent")


class Informer(Generic[T]):
    """Keeps `items` (namespace/name → parsed value) equal to the server's collection.

    `changed` is set whenever a *parsed* value changed, so updates of fields that nobody parses wake nobody.
    `forbidden` is called on a 403, before the next try.
    """

    def __init__(
        self,
        client: api.Client,
        path: str,
        parse: Callable[[Mapping[str, Any]], T],
        changed: threading.Event,
        forbidden: Callable[[], None],
    ) -> None:
        self._client = client
        self._path = path
        self._parse = parse
        self._changed = changed
        self._forbidden = forbidden
        self._lock = threading.Lock()
        self._items: dict[str, T] = {}
        self._version = ""
        self.synced = False

    def start(self) -> None:
        """Run in a daemon thread until the process ends."""
        threading.Thread(target=self._run, name=self._path, daemon=True).start()

    def items(self) -> dict[str, T]:
        """Return a copy."""
        with self._lock:
            return dict(self._items)

    def _run(self) -> None:
        delay = FIRST_DELAY_SECONDS
        while True:
            started = time.monotonic()
            try:
                self.step()
            except api.ApiError as error:
                log.warning("%s: %s", self._path, error)
                if error.status == 403:
                    self._forbidden()
            except Exception:
                # A thread that dies leaves rules that no longer follow the cluster.
                log.exception("%s: starting over with a list", self._path)
                self._version = ""
            # A watch that lasted was sound, however it ended; one that ends at once must not spin.
            if time.monotonic() - started > LONGEST_DELAY_SECONDS:
                delay = FIRST_DELAY_SECONDS
            threading.Event().wait(delay * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret
            delay = min(delay * 2, LONGEST_DELAY_SECONDS)

    def step(self) -> None:
        """List if there is no version to go on from, then watch until the server ends it. Raises
        `ApiError`."""
        if not self._version:
            objects, version = self._client.list(self._path)
            self._replace(objects)
            self._version = version
        try:
            for kind, obj in self._client.watch(self._path, self._version):
                self._apply(kind, obj)
                self._version = obj["metadata"]["resourceVersion"]
        except api.ApiError as error:
            if error.status == 410:
                self._version = ""
                log.info("%s: version expired, listing again", self._path)
                return
            raise

    def _replace(self, objects: list[dict[str, Any]]) -> None:
        fresh: dict[str, T] = {}
        for obj in objects:
            parsed = self._parsed(obj)
            if parsed is not None:
                fresh[_key(obj)] = parsed
        with self._lock:
            differs = fresh != self._items
            self._items = fresh
        if differs or not self.synced:
            self.synced = True
            self._changed.set()

    def _apply(self, kind: str, obj: dict[str, Any]) -> None:
        if kind == "BOOKMARK":
            return
        key = _key(obj)
        parsed = None if kind == "DELETED" else self._parsed(obj)
        with self._lock:
            differs = self._items.get(key) != parsed
            if parsed is None:
                self._items.pop(key, None)
            else:
                self._items[key] = parsed
        if differs:
            self._changed.set()

    def _parsed(self, obj: dict[str, Any]) -> T | None:
        try:
            return self._parse(obj)
        except (KeyError, TypeError, ValueError) as error:
            log.error("%s %s cannot be understood and is left out: %r", self._path, _key(obj), error)
            return None


def _key(obj: Mapping[str, Any]) -> str:
    metadata = obj["metadata"]
    return f"{metadata.get('namespace', '')}/{metadata['name']}"
