"""What the gateway knows of the cluster without asking: the attempts, and which namespaces exist."""

import asyncio
import hashlib
import hmac
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from reprise.adapters.streams import lines
from reprise.domain import errors, redaction
from reprise.gateway import attempt as attempts
from reprise.gateway import audit
from reprise.gateway.session import Clock, Session, utc_now
from reprise.gateway.upstream import Source

log = logging.getLogger(__name__)
RETRY_SECONDS = 1.0
WATCH_SECONDS = 240


async def changes(kube: Source, collection: str, selector: str = "") -> AsyncIterator[tuple[str, Any]]:
    """List, then watch, one collection. Yields ("SYNC", [objects]) after the list, then (type, object) for
    each change. Ends when the watch does; call again. Raises what reading raises."""
    selected = [("labelSelector", selector)] if selector else []
    listed = await kube.request("GET", collection, query=selected)
    yield "SYNC", listed.get("items") or []
    version = listed["metadata"]["resourceVersion"]
    query = [
        *selected,
        ("watch", "true"),
        ("resourceVersion", version),
        ("allowWatchBookmarks", "true"),
        ("timeoutSeconds", str(WATCH_SECONDS)),
    ]
    async with await kube.open(collection, query, timeout_seconds=WATCH_SECONDS + 10) as response:
        if response.status != 200:
            raise errors.Unreachable(f"watch {collection}: the API server answered {response.status}")
        async for line in lines(response):
            event = json.loads(line)
            if event["type"] == "ERROR":
                return
            if event["type"] != "BOOKMARK":
                yield event["type"], event["object"]


class Registry:
    """Follows attempts and namespaces until it is cancelled."""

    def __init__(
        self,
        kube: Source,
        audit_directory: Path,
        clock: Clock = utc_now,
        selector: str = "",
        objects: Source | None = None,
    ) -> None:
        """`kube` has the attempts, `objects` (when it is another) the namespaces that are shown. `clock` is
        that of the budgets: real time. `selector` limits the attempts to those with these labels."""
        self._kube = kube
        self._objects = objects or kube
        self._audit_directory = audit_directory
        self._clock = clock
        self._selector = selector
        self._sessions: dict[str, Session] = {}
        self._namespaces: set[str] = set()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._synced = {"attempts": asyncio.Event(), "namespaces": asyncio.Event()}

    async def run(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow("attempts", self._kube, attempts.COLLECTION, self._selector))
                group.create_task(self._follow("namespaces", self._objects, "/api/v1/namespaces"))
        finally:
            for uid in list(self._sessions):
                self._forget(uid)

    @property
    def is_ready(self) -> bool:
        return all(event.is_set() for event in self._synced.values())

    async def wait_ready(self) -> None:
        for event in self._synced.values():
            await event.wait()

    @property
    def attempt_uids(self) -> list[str]:
        return list(self._sessions)

    def find(self, token: str) -> Session | None:
        """The session that the token opens. Every candidate is compared, in constant time."""
        # Bytes of a header that are no UTF-8 come as lone surrogates.
        digest = hashlib.sha256(token.encode(errors="surrogateescape")).hexdigest()
        found = None
        for session in self._sessions.values():
            if hmac.compare_digest(session.attempt.token_sha256, digest):
                found = session
        return found

    def has_namespace(self, view: redaction.View, name: str) -> bool:
        """Whether a namespace exists and may be seen: one answer for hidden and for missing ones."""
        return name in self._namespaces and name not in view.namespaces

    def namespaces(self, view: redaction.View) -> list[str]:
        return sorted(self._namespaces - view.namespaces)

    async def _follow(self, what: str, kube: Source, collection: str, selector: str = "") -> None:
        told = ""
        while True:
            try:
                async for kind, payload in changes(kube, collection, selector):
                    if kind == "SYNC":
                        self._replace(what, payload)
                        self._synced[what].set()
                        told = ""
                    else:
                        self._change(what, kind, payload)
            except errors.RepriseError as exc:
                if str(exc) != told:
                    told = str(exc)
                    log.warning("waits to follow %s: %s", what, exc)
                await asyncio.sleep(RETRY_SECONDS)

    def _replace(self, what: str, objects: list[Any]) -> None:
        if what == "namespaces":
            self._namespaces = {obj["metadata"]["name"] for obj in objects}
            return
        present = {obj["metadata"]["uid"] for obj in objects}
        for uid in set(self._sessions) - present:
            self._forget(uid)
        for obj in objects:
            self._change(what, "MODIFIED", obj)

    def _change(self, what: str, kind: str, obj: Any) -> None:
        if what == "namespaces":
            name = obj["metadata"]["name"]
            if kind == "DELETED":
                self._namespaces.discard(name)
            else:
                self._namespaces.add(name)
            return
        uid = obj["metadata"]["uid"]
        if kind == "DELETED":
            self._forget(uid)
            return
        try:
            attempt = attempts.from_json(obj)
        except errors.InvalidInput as exc:
            log.error("attempt %s cannot be served: %s", uid, exc)
            return
        if uid in self._sessions:
            self._sessions[uid].update(attempt)
            return
        trail = audit.Trail(self._audit_directory, uid, attempt.anchor)
        session = Session(attempt, self._kube, trail, self._clock)
        self._sessions[uid] = session
        self._tasks[uid] = asyncio.create_task(session.run(), name=f"attempt {uid}")
        log.info("attempt %s is %s", uid, session.phase)

    def _forget(self, uid: str) -> None:
        session, task = self._sessions.pop(uid, None), self._tasks.pop(uid, None)
        if task is not None:
            task.cancel()
        if session is not None:
            session.close()
            log.info("attempt %s is gone", uid)
