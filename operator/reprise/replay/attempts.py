"""AgentAttempts without a cluster: the few calls that the gateway makes about them, over files.

One file an attempt, `<folder>/<name>.json`, replaced as a whole, so that a restart goes on where it was.
"""

import asyncio
import datetime as dt
import hashlib
import json
import os
import uuid
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reprise.adapters import kube
from reprise.domain import errors
from reprise.domain.budget import Budget, Phase
from reprise.gateway import attempt as attempts
from reprise.gateway import audit, reply
from reprise.replay.answers import JSON, Stream, dump
from reprise.replay.source import Source

Json = dict[str, Any]
NAMESPACE = "default"
# Where the snapshot is named that the attempts belong to.
SNAPSHOT_LABEL = "reprise.dev/snapshot"


@dataclass(frozen=True)
class Outcome:
    """How an attempt stands: `entities` is what was submitted, None when nothing was."""

    name: str
    phase: Phase
    requests: int
    entities: tuple[str, ...] | None


class AttemptStore:
    """Answers list, watch, GET and the merge patch of a status (`gateway.upstream.Source`)."""

    def __init__(self, folder: Path, source: Source) -> None:
        """Read what is there. Raises InvalidInput when it belongs to another snapshot, Corrupt when it cannot
        be read."""
        self._folder = folder
        self._source = source
        self._watchers: set[asyncio.Queue[bytes]] = set()
        folder.mkdir(parents=True, exist_ok=True)
        self._objects = {path.stem: _load(path) for path in sorted(folder.glob("*.json"))}
        self._version = max((_version(obj) for obj in self._objects.values()), default=0)
        for name, obj in self._objects.items():
            if (found := obj["metadata"]["labels"][SNAPSHOT_LABEL]) != source.id:
                raise errors.InvalidInput(
                    f"{folder / name}.json: expected an attempt on the snapshot {source.id}, found one on "
                    f"{found}; name another folder with --out"
                )

    def ensure(self, name: str, token: str, limits: Budget, now: dt.datetime) -> None:
        """Make an attempt that `token` opens. One that is there keeps its budgets and what it used."""
        if name in self._objects:
            return
        self._save(
            name,
            {
                "apiVersion": attempts.GROUP_VERSION,
                "kind": "AgentAttempt",
                "metadata": {
                    "name": name,
                    "namespace": NAMESPACE,
                    "uid": str(uuid.uuid4()),
                    "creationTimestamp": now.astimezone(dt.UTC).isoformat(timespec="seconds"),
                    "labels": {SNAPSHOT_LABEL: self._source.id},
                },
                "spec": {
                    "agent": {"kind": "external"},
                    "tokenSha256": hashlib.sha256(token.encode()).hexdigest(),
                    "application": {"namespace": self._source.namespace},
                    "window": {"start": self._source.begin.isoformat()},
                    "budgets": {
                        "wallClockSeconds": limits.wall_clock_seconds,
                        "requests": limits.requests,
                    },
                    "injector": "visible" if self._source.injector_visible else "hidden",
                },
            },
        )

    def opens(self, name: str, token: str) -> bool:
        """Whether the attempt is there and `token` is its own."""
        found = self._objects.get(name)
        return (
            found is not None and found["spec"]["tokenSha256"] == hashlib.sha256(token.encode()).hexdigest()
        )

    def names(self) -> list[str]:
        return sorted(self._objects)

    def outcomes(self, trails: Path) -> list[Outcome]:
        """All attempts, by name. Requests are counted from their audit trails in the folder `trails`: what is
        stored of them is some seconds old."""
        found = []
        for name, obj in sorted(self._objects.items()):
            status = obj.get("status") or {}
            submitted = status.get("submission")
            trail = audit.Trail(trails, obj["metadata"]["uid"])
            trail.close()
            found.append(
                Outcome(
                    name,
                    Phase(status.get("phase") or Phase.PENDING),
                    max(int(status.get("requests") or 0), trail.totals.counted),
                    None if submitted is None else tuple(submitted["entities"]),
                )
            )
        return found

    # -- as the gateway asks --------------------------------------------------------------------

    def version_of(self, path: str) -> str | None:
        return None

    async def read(
        self, path: str, query: Sequence[tuple[str, str]] = (), accept: str = JSON
    ) -> kube.Response:
        return self._answer("GET", path, None)

    async def open(
        self,
        path: str,
        query: Sequence[tuple[str, str]] = (),
        accept: str = JSON,
        timeout_seconds: float = kube.REQUEST_TIMEOUT_SECONDS,
    ) -> Stream:
        given = dict(query)
        if path == attempts.COLLECTION and given.get("watch") == "true":
            seconds = float(given.get("timeoutSeconds") or timeout_seconds)
            return Stream(200, self._watch(int(given.get("resourceVersion") or 0), seconds))
        return Stream.of(await self.read(path, query, accept))

    async def request(self, method: str, path: str, **options: Any) -> Json:
        """Raises NotFound and Conflict as an API server's answers would."""
        answer = self._answer(method, path, options.get("body"))
        if answer.status != 200:
            raise kube.translate(answer.status, answer.body, f"{method} {path}")
        document: Json = answer.json()
        return document

    def _answer(self, method: str, path: str, body: Json | None) -> kube.Response:
        if path == attempts.COLLECTION and method == "GET":
            meta = {"resourceVersion": str(self._version)}
            return _ok({"metadata": meta, "items": list(self._objects.values())})
        own = f"/apis/{attempts.GROUP_VERSION}/namespaces/{NAMESPACE}/agentattempts/"
        name, _, subresource = path.removeprefix(own).partition("/")
        if not path.startswith(own) or name not in self._objects:
            return _refused(404, f'agentattempts.reprise.dev "{name}" not found')
        match (method, subresource):
            case ("GET", ""):
                return _ok(self._objects[name])
            case ("PATCH", "status") if body is not None:
                return self._patch(name, body)
            case _:
                return _refused(405, f"{method} of {subresource or 'an attempt'} is not served here")

    def _patch(self, name: str, body: Json) -> kube.Response:
        obj = self._objects[name]
        for key, wanted in (body.get("metadata") or {}).items():
            if obj["metadata"].get(key) != wanted:
                return _refused(409, f"expected {key} {wanted}, found {obj['metadata'].get(key)}")
        self._save(name, {**obj, "status": {**(obj.get("status") or {}), **body["status"]}})
        return _ok(self._objects[name])

    def _save(self, name: str, obj: Json) -> None:
        """On disk first: what was answered survives."""
        self._version += 1
        obj = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self._version)}}
        kind = "MODIFIED" if name in self._objects else "ADDED"
        path = self._folder / f"{name}.json"
        unfinished = path.with_suffix(".unfinished")
        with unfinished.open("wb") as out:
            out.write(json.dumps(obj, indent=1, ensure_ascii=False).encode() + b"\n")
            out.flush()
            os.fsync(out.fileno())
        unfinished.replace(path)
        self._objects[name] = obj
        for queue in self._watchers:
            queue.put_nowait(_event(kind, obj))

    async def _watch(self, since: int, seconds: float) -> AsyncGenerator[bytes, None]:
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._watchers.add(queue)
        try:
            for obj in self._objects.values():
                if _version(obj) > since:
                    yield _event("MODIFIED", obj)
            async with asyncio.timeout(seconds):
                while True:
                    yield await queue.get()
        except TimeoutError:
            return
        finally:
            self._watchers.discard(queue)


def _version(obj: Json) -> int:
    return int(obj["metadata"]["resourceVersion"])


def _event(kind: str, obj: Json) -> bytes:
    return dump({"type": kind, "object": obj}) + b"\n"


def _ok(document: Json) -> kube.Response:
    return kube.Response(200, JSON, dump(document))


def _refused(code: int, message: str) -> kube.Response:
    return kube.Response(code, JSON, dump(reply.status_body(code, message)))


def _load(path: Path) -> Json:
    try:
        obj: Json = json.loads(path.read_bytes())
        attempts.from_json(obj)
        obj["metadata"]["labels"][SNAPSHOT_LABEL]
    except (ValueError, KeyError, TypeError, errors.InvalidInput) as exc:
        raise errors.Corrupt(
            f"{path}: expected a stored attempt, found {exc!r}; remove it, or name another folder with --out"
        ) from exc
    return obj
