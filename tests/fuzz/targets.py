"""All targets by name."""

from collections.abc import Callable, Mapping
from pathlib import Path

from tests.fuzz import doors, expressions, redacting

CORPUS = Path(__file__).parent / "corpus"
TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "request": doors.request_target,
    "submit": doors.submit_target,
    "mcp": doors.mcp_target,
    "bodies": doors.bodies_target,
    "redaction": redacting.redaction_target,
    "telemetry": redacting.telemetry_target,
    "logs": redacting.logs_target,
    "promql": expressions.promql_target,
    "parameters": expressions.parameters_target,
}
