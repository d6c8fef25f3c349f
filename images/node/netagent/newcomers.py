"""The agent's end of the gate (see `gate`): pods whose address is known here before the API server knows
it."""

from __future__ import annotations

import dataclasses
import json
import logging
import socketserver
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from netagent import gate, model

# A little less than the plugin waits, so that it gets to hear the reason.
PATIENCE_SECONDS = gate.TIMEOUT_SECONDS - 2
# How long an address may be remembered for a pod that the API server never mentions.
FORGOTTEN_SECONDS = 120.0

log = logging.getLogger("netagent")


@dataclass(frozen=True)
class Newcomer:
    """One pod at the gate."""

    namespace: str
    name: str
    uid: str
    ips: tuple[str, ...]
    arrived: float = field(default_factory=time.monotonic, compare=False)
    admitted: threading.Event = field(default_factory=threading.Event, compare=False)


class Newcomers:
    """Listens on a Unix socket; each request is answered `ok` once `admit` was called for it."""

    def __init__(self, changed: threading.Event) -> None:
        self._changed = changed
        self._lock = threading.Lock()
        self._waiting: dict[tuple[str, str], Newcomer] = {}

    def serve(self, path: Path) -> socketserver.BaseServer:
        """Listen at `path` in a daemon thread; a socket left by a former process is replaced."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        newcomers = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.wfile.write(newcomers.answer(json.loads(self.rfile.readline())).encode() + b"\n")

        server = socketserver.ThreadingUnixStreamServer(str(path), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, name="gate", daemon=True).start()
        return server

    def answer(self, request: dict[str, Any]) -> str:
        """Register the pod and wait for it to be admitted; returns `ok` or the reason against it."""
        pod = Newcomer(request["namespace"], request["name"], request["uid"], tuple(request["ips"]))
        with self._lock:
            self._waiting[(pod.namespace, pod.name)] = pod
        self._changed.set()
        if pod.admitted.wait(PATIENCE_SECONDS):
            return "ok"
        log.warning("pod %s/%s was not admitted in time", pod.namespace, pod.name)
        return "the agent has not seen the pod, or could not apply the rules; see its log on the node"

    def merge(self, pods: Sequence[model.Pod]) -> tuple[list[model.Pod], list[Newcomer]]:
        """Return the pods, with the addresses that only we know yet, and the newcomers that are among
        them."""
        now = time.monotonic()
        known = {(pod.namespace, pod.name): pod for pod in pods}
        present: list[Newcomer] = []
        with self._lock:
            for key, newcomer in list(self._waiting.items()):
                pod = known.get(key)
                if pod is None or (newcomer.uid and pod.uid != newcomer.uid):
                    if now - newcomer.arrived > FORGOTTEN_SECONDS:
                        del self._waiting[key]
                    continue
                if newcomer.admitted.is_set() and (pod.ips == newcomer.ips or pod.finished):
                    del self._waiting[key]
                    continue
                # A sandbox that was made anew has another address than the one that the status still shows.
                known[key] = dataclasses.replace(pod, ips=newcomer.ips)
                present.append(newcomer)
        return list(known.values()), present
