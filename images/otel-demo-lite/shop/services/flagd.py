"""flagd's part: evaluates the flags of /etc/flagd/demo.flagd.json over OFREP, on the ports that flagd has."""

from __future__ import annotations

import logging
import pathlib
import threading
from collections.abc import Callable
from typing import Any

from shop import flag_rules, logs, process, web

_FILE = pathlib.Path("/etc/flagd/demo.flagd.json")
_RPC_PORT = 8013
_OFREP_PORT = 8016

_log = logging.getLogger(__name__)


class FlagFile:
    """The flags as the file has them now. A file that became invalid changes nothing, as in flagd."""

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._changed_ns = path.stat().st_mtime_ns
        self._flags = flag_rules.parse(path.read_text())

    def flags(self) -> dict[str, flag_rules.Flag]:
        """All flags, by key."""
        with self._lock:
            changed_ns = self._path.stat().st_mtime_ns
            if changed_ns != self._changed_ns:
                self._changed_ns = changed_ns
                try:
                    self._flags = flag_rules.parse(self._path.read_text())
                    _log.info("flag file reloaded, %d flags", len(self._flags))
                except flag_rules.FlagFileError as error:
                    _log.error("flag file is not valid, the flags stay as they were: %s", error)
            return self._flags


def _evaluated(flag: flag_rules.Flag, context: dict[str, Any]) -> dict[str, Any]:
    outcome = flag_rules.evaluate(flag, context)
    return {"key": outcome.key, "value": outcome.value, "variant": outcome.variant, "reason": outcome.reason}


def _context(request: web.Request) -> dict[str, Any]:
    if not request.body:
        return {}
    body = request.json()
    context = body.get("context") if isinstance(body, dict) else None
    return context if isinstance(context, dict) else {}


def evaluate_one(flags: Callable[[], dict[str, flag_rules.Flag]], request: web.Request) -> web.Response:
    """OFREP's evaluation of the flag that the path names."""
    key = request.params["key"]
    flag = flags().get(key)
    if flag is None or not flag.enabled:
        details = "the flag is disabled" if flag else "no such flag"
        return web.json_response({"key": key, "errorCode": "FLAG_NOT_FOUND", "errorDetails": details}, 404)
    return web.json_response(_evaluated(flag, _context(request)))


def evaluate_all(flags: Callable[[], dict[str, flag_rules.Flag]], request: web.Request) -> web.Response:
    """OFREP's evaluation of every flag that is enabled."""
    context = _context(request)
    return web.json_response(
        {"flags": [_evaluated(flag, context) for flag in flags().values() if flag.enabled]}
    )


def routes(flags: Callable[[], dict[str, flag_rules.Flag]]) -> list[web.Route]:
    """What both ports serve."""
    return [
        web.Route("POST", "/ofrep/v1/evaluate/flags/{key}", lambda r: evaluate_one(flags, r), traced=False),
        web.Route("POST", "/ofrep/v1/evaluate/flags", lambda r: evaluate_all(flags, r), traced=False),
        web.Route("GET", "/healthz", lambda _: web.json_response({"status": "ok"}), traced=False),
    ]


def main() -> None:
    """Serve until stopped."""
    logs.configure("flagd")
    table = routes(FlagFile(_FILE).flags)
    servers = [web.serve(port, table) for port in (_RPC_PORT, _OFREP_PORT)]
    process.run(*(server.shutdown for server in servers))
