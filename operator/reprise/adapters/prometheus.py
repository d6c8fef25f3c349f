"""Prometheus, through its HTTP query API (`/api/v1`). Wire types stay in here; callers get frozen values."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import aiohttp
import yaml

from reprise.adapters import http, remote_read
from reprise.domain import errors

REQUEST_TIMEOUT_SECONDS = 15.0
# All samples of a metric with thousands of series.
READ_TIMEOUT_SECONDS = 60.0
_MOST_STEPS = 10_000


@dataclass(frozen=True)
class Sample:
    """One value of one series; `timestamp` in seconds since the epoch."""

    labels: Mapping[str, str]
    timestamp: float
    value: float


@dataclass(frozen=True)
class Series:
    """One series over a range: (timestamp in seconds since the epoch, value), oldest first."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]


class AlertState(Enum):
    """Prometheus' words for an active alert."""

    FIRING = "firing"
    PENDING = "pending"


@dataclass(frozen=True)
class Alert:
    """An active alert as the API shows it. `value` is the text that the API gives, such as `1e+00`."""

    name: str
    state: AlertState
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    active_at: datetime
    value: str


@dataclass(frozen=True)
class AlertSpan:
    """One stretch in which an alert with the same labels was in the same state, within a range that was asked
    for.

    `active_at` is when its condition became true (from ALERTS_FOR_STATE), `ended_at` the last time that it
    was seen; `ongoing` tells that this is as late as can be known, so the alert did not resolve within the
    range.
    """

    name: str
    state: AlertState
    labels: Mapping[str, str]
    active_at: datetime
    started_at: datetime
    ended_at: datetime
    ongoing: bool


class Prometheus(http.HttpApi):
    """A client of one server.

    Every method raises Unreachable when there is no answer, and InvalidInput for a query that Prometheus
    cannot parse or evaluate.
    """

    async def ready(self) -> bool:
        """Tell whether the server answers and has loaded its data."""
        try:
            async with self._open("GET", "/-/ready", None, REQUEST_TIMEOUT_SECONDS) as response:
                await response.read()
                return bool(response.status == 200)
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def query(self, expr: str, at: float | None = None) -> list[Sample]:
        """Evaluate PromQL at one time (seconds since the epoch, default now). A scalar is a sample without
        labels."""
        params = {"query": expr}
        if at is not None:
            params["time"] = repr(at)
        data = await self._call("/api/v1/query", params)
        match data["resultType"]:
            case "vector":
                return [_sample(each["metric"], each["value"]) for each in data["result"] if "value" in each]
            case "scalar":
                return [_sample({}, data["result"])]
            case other:
                raise errors.InvalidInput(f"query {expr!r}: expected a vector or a scalar, found a {other}")

    async def query_range(self, expr: str, start: float, end: float, step_seconds: float) -> list[Series]:
        """Evaluate PromQL from `start` to `end` (seconds since the epoch) at every step.

        Prometheus refuses more than 11,000 steps; a longer range is asked for in pieces.
        """
        if step_seconds <= 0 or end < start:
            raise errors.InvalidInput(
                f"expected start ≤ end and a positive step, found {start}, {end}, {step_seconds}"
            )
        found: dict[str, tuple[dict[str, str], list[tuple[float, float]]]] = {}
        total = math.floor((end - start) / step_seconds)
        for first in range(0, total + 1, _MOST_STEPS):
            last = min(first + _MOST_STEPS - 1, total)
            params = {
                "query": expr,
                "start": repr(start + first * step_seconds),
                "end": repr(start + last * step_seconds),
                "step": repr(step_seconds),
            }
            data = await self._call("/api/v1/query_range", params)
            for each in data["result"]:
                labels = dict(each["metric"])
                _, points = found.setdefault(json.dumps(labels, sort_keys=True), (labels, []))
                points += [(float(t), float(v)) for t, v in each.get("values", [])]
        return [Series(labels, tuple(points)) for labels, points in found.values()]

    async def series_names(self, start: float | None = None, end: float | None = None) -> list[str]:
        """Return the metric names known within the range (default: all of the store's), sorted."""
        params = {k: repr(v) for k, v in (("start", start), ("end", end)) if v is not None}
        return sorted(await self._call("/api/v1/label/__name__/values", params))

    async def alerts(self) -> list[Alert]:
        """Return the alerts that are firing or pending now."""
        data = await self._call("/api/v1/alerts", {})
        return [
            Alert(
                name=each["labels"].get("alertname", ""),
                state=AlertState(each["state"]),
                labels=dict(each["labels"]),
                annotations=dict(each.get("annotations") or {}),
                active_at=datetime.fromisoformat(each["activeAt"]),
                value=str(each["value"]),
            )
            for each in data["alerts"]
        ]

    async def alert_history(self, start: float, end: float, step_seconds: float = 5.0) -> list[AlertSpan]:
        """Return every stretch of firing or pending alerts in the range, resolved ones included, oldest
        first.

        Taken from the ALERTS series; `step_seconds` is the rules' evaluation interval: shorter stretches may
        be missed, and a gap of more than two steps ends a stretch.
        """
        states = await self.query_range("ALERTS", start, end, step_seconds)
        since = await self.query_range("ALERTS_FOR_STATE", start, end, step_seconds)
        active = {_identity(series.labels): series.points for series in since}
        spans: list[AlertSpan] = []
        for series in states:
            labels = {k: v for k, v in series.labels.items() if k not in ("__name__", "alertstate")}
            values = active.get(_identity(labels), ())
            for first, last in _stretches([t for t, _ in series.points], 2 * step_seconds):
                known = [v for t, v in values if first <= t <= last]
                spans.append(
                    AlertSpan(
                        name=labels.get("alertname", ""),
                        state=AlertState(series.labels["alertstate"]),
                        labels=labels,
                        active_at=_moment(known[0] if known else first),
                        started_at=_moment(first),
                        ended_at=_moment(last),
                        ongoing=last > end - 2 * step_seconds,
                    )
                )
        return sorted(spans, key=lambda s: (s.started_at, s.name, _identity(s.labels)))

    async def alerting_rules(self) -> dict[str, Any]:
        """Return `data` of /api/v1/rules for alerting rules, as the server gives it."""
        return dict(await self._call("/api/v1/rules", {"type": "alert"}))

    async def metadata(self) -> dict[str, Any]:
        """Return `data` of /api/v1/metadata, as the server gives it: metric name to its metadata."""
        return dict(await self._call("/api/v1/metadata", {}))

    async def external_labels(self) -> dict[str, str]:
        """Return the labels that this server adds to whatever it gives to another."""
        configured = yaml.safe_load((await self._call("/api/v1/status/config", {}))["yaml"]) or {}
        labels = (configured.get("global") or {}).get("external_labels") or {}
        return {str(name): str(value) for name, value in labels.items()}

    async def read_raw(
        self, name: str, start_ms: int, end_ms: int, external_labels: Mapping[str, str]
    ) -> list[remote_read.RawSeries]:
        """Return the raw samples of every series of a metric, sorted by labels (see `remote_read`).

        start_ms, end_ms: milliseconds since the epoch, both within the range.
        """
        body = remote_read.encode(name, start_ms, end_ms)
        try:
            async with self._open(
                "POST", remote_read.PATH, None, READ_TIMEOUT_SECONDS, body=body, headers=remote_read.HEADERS
            ) as response:
                answer = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._silent(error) from error
        if response.status == 200:
            return await asyncio.to_thread(remote_read.decode, answer, external_labels)
        message = f"remote read of {name!r}: {response.status}: {answer[:200].decode(errors='replace')}"
        if response.status == 400:
            raise errors.InvalidInput(message)
        raise errors.Unreachable(f"Prometheus at {self._base}: {message}")

    def _silent(self, error: Exception) -> errors.Unreachable:
        return errors.Unreachable(
            f"Prometheus at {self._base} did not answer: {error or type(error).__name__}; "
            "see that its pod is ready"
        )

    async def _call(self, path: str, params: Mapping[str, str]) -> Any:
        """Return the `data` of an answer. A query travels in the body: it may be longer than a URL."""
        method = "POST" if "query" in params else "GET"
        try:
            async with self._open(method, path, params, REQUEST_TIMEOUT_SECONDS) as response:
                body = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._silent(error) from error
        try:
            answer = json.loads(body)
            status = answer["status"]
        except (ValueError, KeyError, TypeError) as error:
            text = body[:200].decode(errors="replace")
            raise errors.Unreachable(
                f"expected Prometheus' JSON from {self._base}{path}, found {response.status}: {text}"
            ) from error
        if status == "success":
            return answer["data"]
        message = f"{answer.get('errorType')}: {answer.get('error')}"
        if answer.get("errorType") in ("bad_data", "execution"):
            raise errors.InvalidInput(f"query {params.get('query', path)!r}: {message}")
        raise errors.Unreachable(f"Prometheus at {self._base}: {message}")


def _sample(labels: Mapping[str, str], value: Sequence[Any]) -> Sample:
    return Sample(dict(labels), float(value[0]), float(value[1]))


def _identity(labels: Mapping[str, str]) -> str:
    return json.dumps(
        {k: v for k, v in labels.items() if k not in ("__name__", "alertstate")}, sort_keys=True
    )


def _stretches(times: Sequence[float], gap_seconds: float) -> list[tuple[float, float]]:
    found: list[tuple[float, float]] = []
    for time in times:
        if found and time - found[-1][1] <= gap_seconds:
            found[-1] = (found[-1][0], time)
        else:
            found.append((time, time))
    return found


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
