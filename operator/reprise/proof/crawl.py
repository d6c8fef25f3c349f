"""What an agent can read through its door, question by question.

`Crawl` knows the door's ways in and no answer: who hears the answers decides what to look for in them.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

Json = dict[str, Any]
JSON = "application/json"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
EVERY_SERIES = '{__name__=~".+"}'
_DAY_SECONDS = 86400
_METRICS, _TRACES = "/prometheus/api/v1", "/jaeger/api"


@dataclass(frozen=True)
class Question:
    """One request. `body` is sent as it is, with `content_type`."""

    path: str
    accept: str = JSON
    query: Sequence[tuple[str, str]] = ()
    method: str = "GET"
    body: str = ""
    content_type: str = JSON

    def __str__(self) -> str:
        query = f"?{urlencode(self.query)}" if self.query else ""
        body = f" {self.body[:200]}" if self.body else ""
        return f"{self.method} {self.path}{query} [{self.accept[:60]}]{body}"


@dataclass(frozen=True)
class Answer:
    """`status` 0: nobody answered. `head`: header fields as text, where the way of asking tells them."""

    status: int
    body: bytes
    head: str = ""

    def json(self) -> Any:
        """The decoded body of a success, else None."""
        if self.status != 200:
            return None
        try:
            return json.loads(self.body)
        except ValueError:
            return None


Ask = Callable[[Question], Awaitable[Answer]]
Heard = Callable[[Question, Answer], None]


@dataclass(frozen=True)
class Resource:
    """A kind that the door's discovery lists. `base` is the path of its collection in all namespaces."""

    base: str
    name: str
    verbs: frozenset[str]

    def path(self, item: Mapping[str, Any]) -> str:
        """The path of one object of it."""
        meta = item["metadata"]
        prefix = self.base.removesuffix(self.name)
        inside = f"namespaces/{meta['namespace']}/" if meta.get("namespace") else ""
        return f"{prefix}{inside}{self.name}/{quote(meta['name'], safe='')}"


class Crawl:
    """Asks, at most `parallel` questions at a time, and hands every answer on to `heard`."""

    def __init__(self, ask: Ask, heard: Heard, parallel: int = 4, log_lines: int = 500) -> None:
        self._ask = ask
        self._heard = heard
        self._slots = asyncio.Semaphore(parallel)
        self._log_lines = log_lines

    async def one(self, question: Question) -> Answer:
        async with self._slots:
            answer = await self._ask(question)
        self._heard(question, answer)
        return answer

    async def all(self, questions: Iterable[Question]) -> list[Answer]:
        """Their answers, in the order of the questions."""
        return list(await asyncio.gather(*(self.one(question) for question in questions)))

    async def everything_of_an_incident(self) -> None:
        """All that may differ from one incident to the next, what matters most first."""
        pods = [pod async for pod in self._objects()]
        await self.all(Question(path) for path in ("/alerts", "/instructions", "/attempt"))
        await self._metrics()
        await self._traces()
        await self.all(self._logs(pods))

    # -- Kubernetes -----------------------------------------------------------------------------

    async def resources(self) -> list[Resource]:
        """What discovery lists, in every served version."""
        _, groups = await self.all((Question("/api"), Question("/apis")))
        versions = ["/api/v1"]
        for group in (groups.json() or {}).get("groups", ()):
            versions += [f"/apis/{version['groupVersion']}" for version in group["versions"]]
        lists = await self.all(Question(version) for version in versions)
        return [
            Resource(f"{version}/{item['name']}", item["name"], frozenset(item["verbs"]))
            for version, listed in zip(versions, lists, strict=True)
            for item in (listed.json() or {}).get("resources", ())
            if "/" not in item["name"] and "list" in item["verbs"]
        ]

    async def _objects(self) -> AsyncIterator[Json]:
        """Every object and the cells that the server makes of it; yields the pods."""
        found = await self.resources()
        lists = await self.all(Question(resource.base) for resource in found)
        await self.all(Question(resource.base, TABLE, (("includeObject", "None"),)) for resource in found)
        for resource, listed in zip(found, lists, strict=True):
            if resource.base == "/api/v1/pods":
                for pod in (listed.json() or {}).get("items", ()):
                    yield pod

    def _logs(self, pods: Iterable[Json]) -> Iterable[Question]:
        for pod in pods:
            meta = pod["metadata"]
            path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}/log"
            for status in _containers(pod):
                query = [("container", status["name"]), ("tailLines", str(self._log_lines))]
                yield Question(path, "*/*", query)
                if status.get("restartCount"):
                    yield Question(path, "*/*", [*query, ("previous", "true")])

    # -- metrics and traces ---------------------------------------------------------------------

    async def _metrics(self) -> None:
        now = time.time()
        span = (("start", str(now - _DAY_SECONDS)), ("end", str(now)), ("step", "60"))
        labels, *_ = await self.all(
            (
                Question(f"{_METRICS}/labels"),
                *(Question(f"{_METRICS}/{name}") for name in ("alerts", "rules", "metadata")),
                Question(f"{_METRICS}/series", query=(("match[]", EVERY_SERIES),)),
                Question(f"{_METRICS}/query_range", query=(("query", "ALERTS"), *span)),
            )
        )
        names = (labels.json() or {}).get("data") or ()
        await self.all(Question(f"{_METRICS}/label/{name}/values") for name in names)

    async def _traces(self) -> None:
        (listed,) = await self.all((Question(f"{_TRACES}/services"),))
        for service in (listed.json() or {}).get("data") or ():
            await self.all(
                (
                    Question(f"{_TRACES}/services/{quote(service, safe='')}/operations"),
                    Question(f"{_TRACES}/traces", query=(("service", service), ("limit", "10"))),
                )
            )
        until = (("endTs", str(int(time.time() * 1000))), ("lookback", str(_DAY_SECONDS * 1000)))
        await self.one(Question(f"{_TRACES}/dependencies", query=until))


def _containers(pod: Json) -> list[Json]:
    """The states of all containers; where there are none yet, there is no log either."""
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
