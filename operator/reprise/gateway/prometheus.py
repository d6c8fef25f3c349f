"""The Prometheus query API, cut to the window and to what may be seen.

Prometheus itself does not keep metrics of hidden namespaces; this is the second wall, and the one that keeps
time in bounds.
"""

import functools
import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import aiohttp
from aiohttp import web

from reprise.adapters.streams import get_capped
from reprise.domain import errors, redaction, telemetry
from reprise.domain.redaction import View
from reprise.gateway import calls, promql, reply, samples
from reprise.gateway.aside import Aside
from reprise.gateway.session import Clock, Session, rfc3339, utc_now

Json = dict[str, Any]
TIMEOUT_SECONDS = 20.0
STEP_SECONDS = 5
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
# endpoint -> parameters that are passed on
ENDPOINTS: Mapping[str, tuple[str, ...]] = {
    "query": ("query", "time", "timeout", "limit"),
    "query_range": ("query", "start", "end", "step", "timeout", "limit"),
    "series": ("match[]", "start", "end", "limit"),
    "labels": ("match[]", "start", "end", "limit"),
    "alerts": (),
    "rules": ("type", "rule_name[]", "rule_group[]", "match[]"),
    "metadata": ("metric", "limit", "limit_per_metric"),
}
_VALUES = ("match[]", "start", "end", "limit")


class Prometheus:
    """`clock` is the time that is shown. A subclass that has answers from elsewhere overrides `fetch`."""

    def __init__(self, base_url: str, http: aiohttp.ClientSession, clock: Clock = utc_now) -> None:
        self._base = base_url.rstrip("/")
        self._http = http
        self._clock = clock
        self._aside = Aside()

    async def serve(self, request: web.Request, session: Session) -> web.Response:
        """Answer /prometheus/api/v1/…. Errors take Prometheus' own shape."""
        if request.method not in ("GET", "POST"):
            return error(405, "expected GET or POST with a form")
        endpoint = request.path.strip("/").removeprefix("prometheus/").removeprefix("api/v1/")
        names = _parameters(endpoint)
        if names is None:
            return error(403, f"expected one of {', '.join(ENDPOINTS)} or label/<name>/values under /api/v1")
        given = [*request.query.items(), *request.get(calls.FORM, ())]
        try:
            sent = bounded(
                session.view, [(key, value) for key, value in given if key in names], endpoint, self._clock()
            )
        except errors.InvalidInput as exc:
            return error(400, str(exc))
        async with self._aside.holding(session):
            status, body = await self.fetch(endpoint, sent)
            if status != 200:
                return reply.scrubbed(session.view, "Prometheus", body, status)
            make = functools.partial(filtered, session.view, endpoint, body)
            return reply.encoded(await self._aside.work(body, make))

    async def alerts(self, session: Session) -> web.Response:
        """GET /alerts: what fires, is pending, or has resolved since the window began."""
        now, view = self._clock(), session.view
        start = view.window_start
        step = max(STEP_SECONDS, int((now - start).total_seconds() / 10_000) + 1)
        window = [("start", rfc3339(start)), ("end", rfc3339(now)), ("step", str(step))]
        async with self._aside.holding(session):
            status, rules = await self.fetch("rules", [("type", "alert")])
            history_status, history = await self.fetch("query_range", [("query", "ALERTS"), *window])
            if status != 200 or history_status != 200:
                raise errors.Unreachable("Prometheus did not answer the question for alerts")

            def merge() -> list[Json]:
                was = json.loads(filtered(view, "query_range", history))
                return promql.merge_alerts(_document(view, "rules", rules), was, now, step)

            return reply.as_json(await self._aside.work(history, merge))

    async def fetch(self, endpoint: str, form: list[tuple[str, str]]) -> tuple[int, bytes]:
        """Status and answer of /api/v1/<endpoint>, not yet filtered. Raises Unreachable and Refused."""
        url = f"{self._base}/api/v1/{endpoint}"
        return await get_capped(self._http, url, form, TIMEOUT_SECONDS, "Prometheus")


def _parameters(endpoint: str) -> tuple[str, ...] | None:
    match endpoint.split("/"):
        case ["label", name, "values"] if _LABEL.fullmatch(name):
            return _VALUES
        case [name]:
            return ENDPOINTS.get(name)
        case _:
            return None


def bounded(view: View, given: list[tuple[str, str]], endpoint: str, now: datetime) -> list[tuple[str, str]]:
    """The parameters, with times clamped to the window. Raises InvalidInput for a selector of hidden things,
    a time that cannot be read, and a query that reaches back beyond the window."""
    sent: dict[str, list[str]] = {}
    for key, value in given:
        sent.setdefault(key, []).append(value)
    for key in ("query", "match[]", "rule_name[]", "rule_group[]", "metric"):
        if any(redaction.mentions(view, value) for value in sent.get(key, ())):
            raise errors.InvalidInput(f"{key}: selects something that is not readable here")
    ranged = endpoint in ("query_range", "series", "labels") or endpoint.startswith("label/")
    begin = now
    for key in ("time",) if endpoint == "query" else ("start", "end") if ranged else ():
        default = view.window_start if key == "start" else now
        asked = promql.parse_time(sent[key][0]) if key in sent else default
        when = min(max(asked, view.window_start), now) if key != "end" else max(asked, view.window_start)
        if key in sent or key != "time":
            sent[key] = [rfc3339(when)]
        if key in ("time", "start"):
            begin = when
    for query in (*sent.get("query", ()), *sent.get("match[]", ())):
        promql.check_reach(query, begin, view.window_start)
    return [(key, value) for key, values in sent.items() for value in values]


def filtered(view: View, endpoint: str, body: bytes) -> bytes:
    """A successful answer without series, values, alerts and rules that name hidden things. Raises
    Unreachable when it is none: something else than Prometheus answered."""
    if endpoint not in ("query", "query_range"):
        return redaction.dump(_document(view, endpoint, body))
    try:
        return samples.filtered(view, body)
    except ValueError as exc:
        raise errors.Unreachable(f"Prometheus did not answer: {exc!r}") from exc


def _document(view: View, endpoint: str, body: bytes) -> Json:
    """What `filtered` leaves of anything but samples, read. Raises Unreachable as it does."""
    try:
        document = json.loads(body)
        kept = {key: value for key, value in document.items() if key not in ("data", "warnings", "infos")}
        return {**kept, "data": _shown(view, endpoint, document.get("data"))}
    except (ValueError, TypeError, AttributeError, KeyError) as exc:
        raise errors.Unreachable(f"Prometheus did not answer: {exc!r}") from exc


def _shown(view: View, endpoint: str, data: Any) -> Any:
    match endpoint:
        case "alerts":
            alerts = (data or {}).get("alerts", ())
            return {"alerts": [alert for alert in alerts if not telemetry.hides(view, alert)]}
        case "rules":
            return telemetry.rules(view, data)
        case "metadata":
            return telemetry.metadata(view, data)
        case _:  # series, names and values of labels
            return [value for value in data or () if not telemetry.hides(view, value)]


def error(status: int, message: str) -> web.Response:
    """A refusal in Prometheus' own shape."""
    kind = "bad_data" if status == 400 else "forbidden"
    response = reply.as_json({"status": "error", "errorType": kind, "error": message}, status)
    response[reply.REFUSAL] = message
    return response
