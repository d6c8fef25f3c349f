"""What the recorder needs of the observability backends."""

import datetime as dt
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Protocol

from reprise.snapshot.metrics import Series


class MetricSource(Protocol):
    """Prometheus."""

    async def series(
        self, query: str, start: dt.datetime, end: dt.datetime, step_seconds: float
    ) -> Sequence[Series]:
        """A range query's series with their points."""
        ...

    async def label_values(self, label: str, start: dt.datetime, end: dt.datetime) -> Sequence[str]:
        """The values that a label had within the window."""
        ...

    async def alerts(self) -> Sequence[Mapping[str, Any]]:
        """What is pending or firing now, in the shape of Prometheus' own API."""
        ...

    async def alert_history(self, start: dt.datetime, end: dt.datetime) -> Sequence[Mapping[str, Any]]:
        """What was pending or firing within the window, and until when."""
        ...


class TraceSource(Protocol):
    """Jaeger."""

    def traces(self, start: dt.datetime, end: dt.datetime) -> AsyncIterator[Sequence[Mapping[str, Any]]]:
        """Every trace with a span in the window, each once, in batches, as Jaeger's query API writes them."""
        ...
