"""Durations as Prometheus writes them: 40s, 1m30s."""

import re

from reprise.domain import errors

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
# For larger patterns.
PATTERN = r"(?:\d+(?:ms|[smhdwy]))+"
_PART = re.compile(r"(\d+)(ms|[smhdwy])")


def seconds(duration: str) -> float:
    """The length of a Prometheus duration such as 1m30s. Raises InvalidInput."""
    if not re.fullmatch(PATTERN, duration):
        raise errors.InvalidInput(f"expected a duration like 1m30s, found {duration!r}")
    return sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(duration))


def written(length_seconds: float) -> str:
    """The duration in the largest of h, m, s, ms that holds it without a rest."""
    milliseconds = round(length_seconds * 1000)
    for unit in ("h", "m", "s"):
        if milliseconds % round(_UNITS[unit] * 1000) == 0:
            return f"{milliseconds // round(_UNITS[unit] * 1000)}{unit}"
    return f"{milliseconds}ms"
