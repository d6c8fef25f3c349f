"""The client side of feature flags: asks flagd at request time, over OFREP.

An answer is good for one second. Whatever goes wrong, the default serves: a shop must not fall with its flag
server.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from typing import Any

from opentelemetry import trace

from shop import process, web

_CACHE_SECONDS = 1.0
_TIMEOUT_SECONDS = 0.5

_log = logging.getLogger(__name__)

Clock = Callable[[], float]


class Flags:
    """Flags of one flagd. Safe for use by several threads."""

    def __init__(self, host: str, port: str, clock: Clock = time.monotonic) -> None:
        self._base = f"http://{host}:{port}/ofrep/v1/evaluate/flags"
        self._clock = clock
        # The number of entries is that of the keys which a service asks for: one or two.
        self._cache: dict[str, tuple[float, str, Any]] = {}
        self._reachable = True

    @classmethod
    def from_environment(cls, port_variable: str = "FLAGD_PORT") -> Flags:
        """Flags of the flagd that FLAGD_HOST and the port variable name."""
        return cls(process.setting("FLAGD_HOST"), process.setting(port_variable))

    def enabled(self, key: str) -> bool:
        """Whether a boolean flag is on; False when flagd does not say."""
        return self._value(key, False) is True

    def number(self, key: str) -> float:
        """The value of a numeric flag; 0 when flagd does not say."""
        value = self._value(key, 0)
        return float(value) if isinstance(value, int | float) else 0.0

    def _value(self, key: str, default: Any) -> Any:
        now = self._clock()
        cached = self._cache.get(key)
        if cached is None or now - cached[0] >= _CACHE_SECONDS:
            cached = (now, *self._ask(key, default))
            self._cache[key] = cached
        trace.get_current_span().add_event(
            "feature_flag.evaluation",
            {
                "feature_flag.key": key,
                "feature_flag.provider.name": "flagd",
                "feature_flag.result.variant": cached[1],
            },
        )
        return cached[2]

    def _ask(self, key: str, default: Any) -> tuple[str, Any]:
        """The variant's name and value."""
        headers = {"content-type": "application/json"}
        try:
            response = web.exchange(
                "POST", f"{self._base}/{key}", b'{"context":{}}', headers, _TIMEOUT_SECONDS
            )
            answer = json.loads(response.body)
            variant, value = str(answer["variant"]), answer["value"]
        except (web.WebFailure, ValueError, KeyError) as error:
            if self._reachable:  # once, not at every request
                _log.warning("flag %s: no evaluation, the default %r serves: %s", key, default, error)
            self._reachable = False
            return "default", default
        self._reachable = True
        return variant, value
