"""What a backend of telemetry answers, read."""

import json
from typing import Any

from reprise.gateway.jaeger import Jaeger
from reprise.gateway.prometheus import Prometheus


async def ask(backend: Jaeger | Prometheus, what: str, form: list[tuple[str, str]]) -> tuple[int, Any]:
    """Status and document, before anything is left out of it."""
    status, body = await backend.fetch(what, form)
    return status, json.loads(body)
