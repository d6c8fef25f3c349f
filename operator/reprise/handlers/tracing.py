"""A trace a run, a span a phase. Ids come from the run's uid: a restarted operator goes on with the trace.

Off unless OTEL_EXPORTER_OTLP_ENDPOINT is set: agents can query the application's own trace store.
"""

import asyncio
import datetime as dt
import hashlib
import logging
import uuid
from typing import Protocol

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from reprise.domain.run import Run
from reprise.domain.run_status import Phase

logger = logging.getLogger(__name__)
_RESOURCE = Resource({"service.name": "reprise-operator"})


class Exporter(Protocol):
    """The part of an OpenTelemetry exporter that is used."""

    def export(self, spans: list[ReadableSpan]) -> object: ...


class Tracing:
    """A `runtime.Listener` that exports the span of the phase that just ended."""

    def __init__(self, exporter: Exporter) -> None:
        self._exporter = exporter

    async def phase_changed(self, before: Run, after: Run) -> None:
        found = spans(before, after)
        if not found:
            return
        try:
            await asyncio.to_thread(self._exporter.export, found)
        except Exception as exc:  # an exporter may raise anything, and none of it may hold up a run
            logger.warning("%s: cannot export a span: %s", after.ref, exc)


def context(run_uid: str, what: str) -> SpanContext:
    """The same ids for the same run and span, whoever asks."""
    digest = hashlib.sha256(f"{run_uid} {what}".encode()).digest()
    return SpanContext(
        trace_id=uuid.UUID(run_uid).int,
        span_id=int.from_bytes(digest[:8], "big") or 1,
        is_remote=False,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )


def spans(before: Run, after: Run) -> list[ReadableSpan]:
    """The ended phase; at the end of the run the run itself, too."""
    began, ended = before.status.phase_started_at, after.status.phase_started_at
    if began is None or ended is None:
        return []
    uid = after.ref.uid
    root = context(uid, "run")
    attributes: dict[str, str | int] = {
        "k8s.namespace.name": after.ref.namespace,
        "reprise.run.name": after.ref.name,
        "reprise.run.uid": uid,
        "reprise.run.scenario": after.spec.scenario,
    }
    failed = after.status.phase in (Phase.INVALID, Phase.FAILED)
    status = Status(StatusCode.ERROR, after.status.reason) if failed else Status(StatusCode.OK)

    def span(name: str, own: SpanContext, parent: SpanContext | None, start: dt.datetime) -> ReadableSpan:
        return ReadableSpan(
            name=name,
            context=own,
            parent=parent,
            resource=_RESOURCE,
            attributes=attributes,
            kind=SpanKind.INTERNAL,
            status=status,
            start_time=_nanos(start),
            end_time=_nanos(ended),
        )

    phase = str(before.status.phase)
    found = [span(phase, context(uid, f"{phase} {began.isoformat()}"), root, began)]
    if after.status.phase.terminal:
        found.append(span("run", root, None, after.status.started_at or began))
    return found


def _nanos(at: dt.datetime) -> int:
    return int(at.timestamp() * 1_000_000) * 1000
