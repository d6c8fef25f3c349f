"""How a service starts, listens for the order to stop, and stops."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

from shop import telemetry


def setting(name: str, default: str | None = None) -> str:
    """The environment variable, or the default.

    Raises SystemExit when there is neither: a service that lacks an address must say so and not start.
    """
    value = os.environ.get(name) or default
    if value is None:
        raise SystemExit(
            f"environment variable {name} is expected and not set; set it in the container's env"
        )
    return value


def host_port(address: str) -> tuple[str, int]:
    """`host:port` (with or without a scheme) as a pair.

    Raises ValueError when there is no port.
    """
    host, separator, port = address.removeprefix("http://").rstrip("/").rpartition(":")
    if not separator or not port.isdigit():
        raise ValueError(f"expected host:port, found {address!r}")
    return host, int(port)


def stop_event() -> threading.Event:
    """An event that SIGTERM and SIGINT set.

    NB: as process 1 of a container a program has no default action for SIGTERM; without this a stop takes the
    pod's whole grace period.
    """
    event = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: event.set())
    return event


def run(*stops: Callable[[], None]) -> None:
    """Wait for the order to stop, then call each of `stops` and flush the telemetry."""
    stop_event().wait()
    for stop in stops:
        stop()
    telemetry.stop()
