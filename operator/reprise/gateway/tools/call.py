"""One tool call: who asks, through what, and what went wrong in words that say what to change."""

import asyncio
import functools
import json
import re
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec
from aiohttp import web
from yarl import URL

from reprise.domain import errors
from reprise.gateway import promql
from reprise.gateway.aside import Aside
from reprise.gateway.session import Session, rfc3339
from reprise.gateway.stream import COLLECT

# Of what a tool reads, in all, to tell it in a few pages; a question that needs more wants narrowing.
MAX_JSON_BYTES = 8 * 1024 * 1024
# So much as every attempt may hold at the same time, in each of its calls.
LIGHT_JSON_BYTES = 256 * 1024
# Of one log; a thousand lines are a tenth of it.
MAX_LOG_BYTES = 4 * 1024 * 1024
MIB = 1024 * 1024
_AGO = re.compile(r"-?(?:\d+(?:\.\d+)?(?:ms|[smhd]))+(?: ago)?")
T = TypeVar("T")
Route = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ToolError(Exception):
    """The call cannot be answered: `status` as HTTP has it, the message for the agent. `is_refusal` when the
    door said no, so that the audit trail counts it."""

    def __init__(self, status: int, message: str, is_refusal: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.is_refusal = is_refusal


class Reads:
    """The gateway's own GET routes, as the attempt sees them. `template` is the attempt's request, unread;
    `aside` is where large answers are read. An async context manager, around all that is made of them."""

    def __init__(self, template: web.Request, route: Route, aside: Aside) -> None:
        self._template = template
        self._route = route
        self._aside = aside
        self._bytes = 0
        self._turn = asyncio.Lock()
        self._is_heavy = False

    async def __aenter__(self) -> "Reads":
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._is_heavy:
            self._aside.keeping.release()

    async def raw(
        self, path: str, query: Mapping[str, str] | None = None, accept: str = "application/json"
    ) -> bytes:
        """The body of an answer. Raises ToolError when it is not 200, and what the routes raise."""
        inner = self._template.clone(
            method="GET", rel_url=URL.build(path=path, query=query or {}), headers={"Accept": accept}
        )
        inner[COLLECT] = MAX_LOG_BYTES
        answer = await self._route(inner)
        body = answer.body if isinstance(answer, web.Response) else None
        data = body if isinstance(body, bytes) else b""
        if answer.status != 200:
            # A refusal is what the door decides; what the systems behind say (not found, bad query) is not.
            raise ToolError(answer.status, message_of(data), answer.status in (401, 403, 429))
        return data

    async def json(
        self, path: str, query: Mapping[str, str] | None = None, accept: str = "application/json"
    ) -> Any:
        """The document of an answer. Waits for its turn when much has been read. Raises ToolError, also when
        that is more than a tool reads, and what the routes raise."""
        body = await self.raw(path, query, accept)
        self._bytes += len(body)
        if self._bytes > MAX_JSON_BYTES:
            raise ToolError(
                413,
                f"expected at most {MAX_JSON_BYTES // MIB} MiB to read for this answer, found "
                f"{self._bytes / MIB:.1f} MiB; ask for less: a namespace, a kind, a selector, a shorter "
                "range, a lower limit",
            )
        await self._take_turn()
        return await self._aside.work(body, functools.partial(msgspec.json.decode, body))

    async def _take_turn(self) -> None:
        """One turn for all reads of the call, however many go on side by side; it ends with the call."""
        if self._bytes <= LIGHT_JSON_BYTES:
            return
        async with self._turn:
            if not self._is_heavy:
                await self._aside.keeping.acquire()
                self._is_heavy = True


@dataclass
class Call:
    """`now` is the end of time for this call; later pages of an answer keep it. `pins` is what else they
    keep: whatever the first page has stored there."""

    session: Session
    reads: Reads
    now: datetime
    pins: dict[str, str] = field(default_factory=dict)
    is_first_page: bool = True

    @property
    def namespace(self) -> str:
        """The application's."""
        return self.session.attempt.application_namespace

    @property
    def start(self) -> datetime:
        """When the window begins."""
        return self.session.view.window_start

    def reaches(self, time: datetime) -> bool:
        """Whether what happened then belongs to the answer. On the first page all does: a node's clock may
        be ahead of ours."""
        return self.is_first_page or time <= self.now

    def time(self, text: str, name: str, default: datetime) -> datetime:
        """A time argument: RFC 3339, Unix seconds, or how long ago (`15m`); never before the window, nor
        after now. Raises ToolError."""
        if not text:
            return default
        if _AGO.fullmatch(text.strip()):
            longest = (self.now - self.start).total_seconds()
            found = self.now - timedelta(seconds=min(promql.duration_seconds(text), longest))
        else:
            try:
                found = promql.parse_time(text.strip())
            except errors.InvalidInput as exc:
                raise ToolError(400, f"{name}: {exc}; how long ago is written '15m' or '1h30m'") from exc
        return min(max(found, self.start), self.now)


def text_of(time: datetime) -> str:
    return rfc3339(time)


async def together(jobs: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """The results of jobs that run side by side, in their order. Raises what the first of them to fail does,
    after the others were stopped."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(job) for job in jobs]
    except ExceptionGroup as exc:
        raise exc.exceptions[0] from exc
    return [task.result() for task in tasks]


def message_of(body: bytes) -> str:
    """What a route's error says, in whichever of the three APIs' shapes it comes."""
    try:
        document = json.loads(body)
    except ValueError:
        return body[:500].decode(errors="replace") or "there was no answer"
    match document:
        case {"problems": [*problems]}:
            return "nothing was stored, the attempt goes on: " + "; ".join(map(str, problems))
        case {"message": str(message)} | {"error": str(message)} | {"errors": [{"msg": str(message)}, *_]}:
            return message
        case _:
            return json.dumps(document)[:500]
