"""Prometheus' query API over a snapshot: queries go to a Prometheus, rules and metadata come from files."""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from reprise.domain import errors, redaction
from reprise.gateway import prometheus, reply
from reprise.gateway.session import Session, rfc3339
from reprise.replay.clock import Clock
from reprise.replay.source import Source

Json = dict[str, Any]


class Metrics(prometheus.Prometheus):
    """`base_url` is None when no Prometheus runs; `reason` says why, without a name of this product's."""

    def __init__(
        self,
        source: Source,
        clock: Clock,
        http: aiohttp.ClientSession,
        base_url: str | None,
        reason: str = "",
    ) -> None:
        """Raises Corrupt when the files cannot be read."""
        super().__init__(base_url or "", http, clock)
        self._moment = clock
        self._reason = None if base_url else reason
        self._rules = _load(source.root / "alerts" / "rules.json", {"groups": []})
        self._metadata = _load(source.root / "metrics" / "metadata.json", {})

    async def fetch(self, endpoint: str, form: list[tuple[str, str]]) -> tuple[int, bytes]:
        given: dict[str, list[str]] = {}
        for key, value in form:
            given.setdefault(key, []).append(value)
        match endpoint:
            case "rules":
                if "match[]" in given:
                    return _bad("match[] is not served here; select with rule_name[] or rule_group[]")
                return _ok({"groups": rules((await self._now())["groups"], given)})
            case "alerts":
                groups = (await self._now())["groups"]
                alerts = [
                    alert for group in groups for rule in group["rules"] for alert in rule.get("alerts") or ()
                ]
                return _ok({"alerts": alerts})
            case "metadata":
                try:
                    return _ok(metadata(self._metadata, given))
                except ValueError as exc:
                    return _bad(f"limit must be a number: {exc}")
        if self._reason is not None:
            return _failed(503, "unavailable", self._reason)
        if endpoint == "query" and "time" not in given:
            form = [*form, ("time", rfc3339(self._moment()))]
        return await super().fetch(endpoint, form)

    async def alerts(self, session: Session) -> web.Response:
        if self._reason is not None:
            return reply.refuse(503, self._reason)
        return await super().alerts(session)

    async def _now(self) -> Json:
        """The rules with the alerts that are active now. At the end of the recording they were recorded; at
        an earlier moment the series ALERTS tell which there were."""
        if not self._moment.moving or self._reason is not None:
            return self._rules
        query = "ALERTS or ALERTS_FOR_STATE"
        status, answer = await super().fetch("query", [("query", query), ("time", rfc3339(self._moment()))])
        if status != 200:
            raise errors.Unreachable("Prometheus did not answer the question for alerts")
        return active(self._rules, json.loads(answer)["data"]["result"])


def active(recorded: Json, series: Sequence[Json]) -> Json:
    """The recorded rules with the alerts that series of ALERTS and ALERTS_FOR_STATE show. What is known of an
    alert only from its rule (annotations, value) is told when the same alert was recorded."""
    since: dict[str, str] = {}
    states: dict[str, list[Json]] = {}
    for row in series:
        labels = {k: v for k, v in row["metric"].items() if k not in ("__name__", "alertstate")}
        if row["metric"]["__name__"] == "ALERTS_FOR_STATE":
            since[_key(labels)] = row["value"][1]
        else:
            found = {"labels": labels, "state": row["metric"]["alertstate"]}
            states.setdefault(labels.get("alertname", ""), []).append(found)
    groups = []
    for group in recorded["groups"]:
        rules = []
        for rule in group["rules"]:
            known = {_key(alert["labels"]): alert for alert in rule.get("alerts") or ()}
            alerts = []
            for found in states.get(rule["name"], ()):
                key = _key(found["labels"])
                alert = {"annotations": {}, "value": "", **known.get(key, {}), **found}
                if key in since:
                    alert["activeAt"] = _time(float(since[key]))
                alerts.append(alert)
            worst = {alert["state"] for alert in alerts}
            state = next((one for one in ("firing", "pending") if one in worst), "inactive")
            rules.append({**rule, "state": state, "alerts": alerts})
        groups.append({**group, "rules": rules})
    return {**recorded, "groups": groups}


def rules(groups: Sequence[Json], given: Mapping[str, Sequence[str]]) -> list[Json]:
    """The groups as `type`, `rule_name[]` and `rule_group[]` of a query select them."""
    kind = {"alert": "alerting", "record": "recording"}.get(given.get("type", [""])[0])
    names, wanted = given.get("rule_name[]"), given.get("rule_group[]")
    found = []
    for group in groups:
        chosen = [
            rule
            for rule in group["rules"]
            if (kind is None or rule.get("type") == kind) and (not names or rule["name"] in names)
        ]
        if chosen and (not wanted or group["name"] in wanted):
            found.append({**group, "rules": chosen})
    return found


def metadata(recorded: Json, given: Mapping[str, Sequence[str]]) -> Json:
    """What `metric`, `limit` and `limit_per_metric` leave. Raises ValueError for what is no number."""
    metric = given.get("metric", [""])[0]
    limit = int(given.get("limit", ["-1"])[0])
    each = int(given.get("limit_per_metric", ["-1"])[0])
    found = {name: rows for name, rows in recorded.items() if not metric or name == metric}
    if each > 0:
        found = {name: rows[:each] for name, rows in found.items()}
    return dict(list(found.items())[:limit]) if limit >= 0 else found


def _key(labels: Mapping[str, str]) -> str:
    return json.dumps(labels, sort_keys=True)


def _time(seconds: float) -> str:
    return rfc3339(dt.datetime.fromtimestamp(seconds, dt.UTC))


def _load(path: Path, default: Json) -> Json:
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        return default
    except ValueError as exc:
        raise errors.Corrupt(f"{path.name}: expected JSON, found {exc}") from exc
    if not isinstance(document, dict):
        raise errors.Corrupt(f"{path.name}: expected an object, found {type(document).__name__}")
    return document


def _ok(data: Any) -> tuple[int, bytes]:
    return 200, redaction.dump({"status": "success", "data": data})


def _bad(message: str) -> tuple[int, bytes]:
    return _failed(400, "bad_data", message)


def _failed(status: int, kind: str, message: str) -> tuple[int, bytes]:
    return status, redaction.dump({"status": "error", "errorType": kind, "error": message})
