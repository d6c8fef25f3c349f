"""The Prometheus query API, cut to the window and to what may be seen.

Prometheus itself does not keep metrics of hidden namespaces; this is the second wall, and the one that keeps
time in bounds.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import aiohttp
from aiohttp import web

from reprise.adapters.streams import read_capped
from reprise.domain import errors, redaction, telemetry
from reprise.domain.redaction import View
from reprise.gateway import calls, promql, reply
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
    """`clock` is the time that is shown. Where answers come from elsewhere, a subclass has its own `ask`."""

    def __init__(self, base_url: str, http: aiohttp.ClientSession, clock: Clock = utc_now) -> None:
        self._base = base_url.rstrip("/")
        self._http = http
        self._clock = clock

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
        status, document = await self.ask(endpoint, sent)
        if status != 200:
            return reply.as_json(redaction.scrub(session.view, document), status)
        return reply.as_json(filtered(session.view, endpoint, document))

    async def alerts(self, session: Session) -> web.Response:
        """GET /alerts: what fires, is pending, or has resolved since the window began."""
        now = self._clock()
        start = session.view.window_start
        status, rules = await self.ask("rules", [("type", "alert")])
        step = max(STEP_SECONDS, int((now - start).total_seconds() / 10_000) + 1)
        history_status, history = await self.ask(
            "query_range",
            [
                ("query", "ALERTS"),
                ("start", rfc3339(start)),
                ("end", rfc3339(now)),
                ("step", str(step)),
            ],
        )
        if status != 200 or history_status != 200:
            raise errors.Unreachable("Prometheus did not answer the question for alerts")
        found = promql.merge_alerts(
            filtered(session.view, "rules", rules), filtered(session.view, "query_range", history), now, step
        )
        return reply.as_json(found)

    async def ask(self, endpoint: str, form: list[tuple[str, str]]) -> tuple[int, Json]:
        """Status and answer of /api/v1/<endpoint>, not yet filtered. Raises Unreachable and Refused."""
        url = f"{self._base}/api/v1/{endpoint}"
        try:
            async with self._http.get(
                url, params=form, timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS, connect=5)
            ) as response:
                body = await read_capped(response)
                return response.status, json.loads(body)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as exc:
            raise errors.Unreachable(f"Prometheus did not answer: {exc!r}") from exc


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


def filtered(view: View, endpoint: str, document: Json) -> Json:
    """A successful answer without series, values, alerts and rules that name hidden things."""
    data = document.get("data")
    match endpoint:
        case "query" | "query_range":
            if isinstance(data, dict) and data.get("resultType") in ("vector", "matrix"):
                rows = [row for row in data["result"] if not telemetry.hides(view, row["metric"])]
                data = {**data, "result": rows}
        case "series" | "labels":
            data = [row for row in data or () if not telemetry.hides(view, row)]
        case "alerts":
            alerts = (data or {}).get("alerts", ())
            data = {"alerts": [alert for alert in alerts if not telemetry.hides(view, alert)]}
        case "rules":
            data = telemetry.rules(view, data)
        case "metadata":
            data = telemetry.metadata(view, data)
        case _:
            data = [value for value in data or () if not telemetry.hides(view, value)]
    kept = {key: value for key, value in document.items() if key not in ("data", "warnings", "infos")}
    return {**kept, "data": data}


def error(status: int, message: str) -> web.Response:
    """A refusal in Prometheus' own shape."""
    kind = "bad_data" if status == 400 else "forbidden"
    response = reply.as_json({"status": "error", "errorType": kind, "error": message}, status)
    response[reply.REFUSAL] = message
    return response
