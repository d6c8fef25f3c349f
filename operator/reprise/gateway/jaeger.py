"""The Jaeger query API, cut to the window and to what may be seen."""

import functools
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote

import aiohttp
from aiohttp import web

from reprise.adapters.streams import get_capped
from reprise.domain import errors, redaction
from reprise.domain.redaction import View
from reprise.gateway import reply, traces
from reprise.gateway.aside import Aside
from reprise.gateway.session import Clock, Session, utc_now

TIMEOUT_SECONDS = 20.0
MAX_TRACES = 500
# Microseconds until after the year 9999.
_MAX_DIGITS = 18
_SEARCH = ("service", "operation", "tags", "tag", "minDuration", "maxDuration", "start", "end", "limit")


class Jaeger:
    """`clock` is the time that is shown. A subclass that has answers from elsewhere overrides `fetch`."""

    def __init__(self, base_url: str, http: aiohttp.ClientSession, clock: Clock = utc_now) -> None:
        self._base = base_url.rstrip("/")
        self._http = http
        self._clock = clock
        self._aside = Aside()

    async def serve(self, request: web.Request, session: Session) -> web.Response:
        """Answer /jaeger/api/…. Errors take Jaeger's own shape."""
        if request.method != "GET":
            return _error(405, f"expected GET, found {request.method}")
        view, now = session.view, self._clock()
        if any(redaction.mentions(view, value) for value in request.query.values()):
            return _error(403, "asks for something that is not readable here")
        parts = request.path.strip("/").split("/")[1:]
        query: list[tuple[str, str]] = []
        match parts:
            case ["api", "services"]:
                pass
            case ["api", "services", service, "operations"] if not redaction.mentions(view, service):
                parts = ["api", "services", quote(service, safe=""), "operations"]
            case ["api", "operations"]:
                query = [(k, v) for k, v in request.query.items() if k in ("service", "spanKind")]
            case ["api", "traces"]:
                try:
                    query = search(view, request.query, now)
                except errors.InvalidInput as exc:
                    return _error(400, str(exc))
            case ["api", "traces", trace_id] if trace_id.isalnum():
                pass
            case ["api", "dependencies"]:
                millis = int((now - view.window_start).total_seconds() * 1000)
                query = [("endTs", str(int(now.timestamp() * 1000))), ("lookback", str(max(1, millis)))]
            case _:
                return _error(
                    403,
                    "expected services, services/<service>/operations, operations, traces, traces/<id> or "
                    "dependencies under /jaeger/api",
                )
        async with self._aside.holding(session):
            status, body = await self.fetch("/".join(parts), query)
            if status != 200:
                return reply.scrubbed(view, "Jaeger", body, status)
            shown, count = await self._aside.work(body, functools.partial(filtered, view, body))
        if len(parts) == 3 and parts[1] == "traces" and not count:
            return _error(404, "trace not found")
        return reply.encoded(shown)

    async def fetch(self, path: str, query: list[tuple[str, str]]) -> tuple[int, bytes]:
        """Status and answer of /<path>, not yet filtered. Raises Unreachable and Refused."""
        return await get_capped(self._http, f"{self._base}/{path}", query, TIMEOUT_SECONDS, "Jaeger")


def search(view: View, given: Mapping[str, str], now: datetime) -> list[tuple[str, str]]:
    """Parameters of a search for traces: `start` and `end` (microseconds) within the window. Raises
    InvalidInput for a time or limit that is no number."""
    sent = {key: given[key] for key in _SEARCH if given.get(key)}
    low, high = int(view.window_start.timestamp() * 1e6), int(now.timestamp() * 1e6)
    problems = [
        f"{key}: expected a whole number, found {sent[key][:40]!r}"
        for key in ("start", "end", "limit")
        if key in sent and not (sent[key].isdecimal() and len(sent[key]) <= _MAX_DIGITS)
    ]
    if problems:
        raise errors.InvalidInput(problems)
    sent["start"] = str(max(low, int(sent.get("start", low))))
    sent["end"] = str(max(low, min(high, int(sent.get("end", high)))))
    sent["limit"] = str(min(MAX_TRACES, int(sent.get("limit", 20))))
    return list(sent.items())


def filtered(view: View, body: bytes) -> tuple[bytes, int]:
    """`traces.filtered`. Raises Unreachable when something else than Jaeger answered."""
    try:
        return traces.filtered(view, body)
    except ValueError as exc:
        raise errors.Unreachable(f"Jaeger did not answer: {exc!r}") from exc


def _error(status: int, message: str) -> web.Response:
    response = reply.as_json(
        {"data": None, "total": 0, "limit": 0, "offset": 0, "errors": [{"code": status, "msg": message}]},
        status,
    )
    response[reply.REFUSAL] = message
    return response
