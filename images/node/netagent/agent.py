"""The loop: watch, wait until something changed, compile, apply what differs."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from netagent import api, compiler, fabric, gate, grant, host, informer, model, newcomers, wire

COALESCE_SECONDS = 0.05
# Somebody may flush the ruleset or delete a route behind our back.
RECHECK_SECONDS = 300.0
RETRY_SECONDS = 2.0

log = logging.getLogger("netagent")


@dataclass(frozen=True)
class Settings:
    """Where things are on this node."""

    node: str
    """The node's name in the API."""
    kubeconfig: Path
    admin_kubeconfig: Path
    """Used where it exists, to grant the nodes their rights; see `grant`."""
    conflist: Path
    cni_programs: Path
    """Where the container runtime looks for CNI plugins."""

    @classmethod
    def from_environment(cls) -> Settings:
        """Read NODE_NAME and the NETAGENT_* variables; every one has a default."""
        environ = os.environ
        return cls(
            node=environ.get("NODE_NAME") or socket.gethostname(),
            kubeconfig=Path(environ.get("NETAGENT_KUBECONFIG") or "/etc/kubernetes/kubelet.conf"),
            admin_kubeconfig=Path(environ.get("NETAGENT_ADMIN_KUBECONFIG") or "/etc/kubernetes/admin.conf"),
            conflist=Path(environ.get("NETAGENT_CNI_CONFLIST") or "/etc/cni/net.d/10-pods.conflist"),
            cni_programs=Path(environ.get("NETAGENT_CNI_PROGRAMS") or "/usr/lib/cni"),
        )


class Agent:
    """Everything that one node runs."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._changed = threading.Event()
        client = api.Client(settings.kubeconfig)
        granting = threading.Lock()

        def forbidden() -> None:
            # All watchers are refused at once; one grant serves them all.
            if granting.acquire(blocking=False):
                try:
                    grant.grant(settings.admin_kubeconfig)
                finally:
                    granting.release()

        def watch(path: str, parse: Callable[..., informer.T]) -> informer.Informer[informer.T]:
            return informer.Informer(client, path, parse, self._changed, forbidden)

        self._nodes = watch("/api/v1/nodes", wire.node)
        self._pods = watch("/api/v1/pods", wire.pod)
        self._namespaces = watch("/api/v1/namespaces", wire.namespace)
        self._policies = watch("/apis/networking.k8s.io/v1/networkpolicies", wire.policy)
        self._newcomers = newcomers.Newcomers(self._changed)
        self._applied: dict[str, object] = {}

    def run(self) -> None:
        """Work until the process is ended."""
        self._newcomers.serve(Path(gate.SOCKET))
        for watcher in (self._nodes, self._pods, self._namespaces, self._policies):
            watcher.start()
        timeout = RECHECK_SECONDS
        while True:
            if self._changed.wait(timeout):
                time.sleep(COALESCE_SECONDS)  # a burst of events is one change
            elif timeout == RECHECK_SECONDS:
                self._applied.clear()
            self._changed.clear()
            timeout = RECHECK_SECONDS if self.reconcile() else RETRY_SECONDS

    def reconcile(self) -> bool:
        """Apply what differs from the last time. Returns whether all of it succeeded."""
        done = True
        if self._nodes.synced:
            nodes = list(self._nodes.items().values())
            own = next((n for n in nodes if n.name == self._settings.node), None)
            if own is not None and own.pod_cidrs and own.addresses:
                # First the ways, then the word that the node can take pods.
                done &= self._ensure("routes", dict(fabric.routes(nodes, own.name)), host.sync_routes)
                masquerading = fabric.masquerading(nodes, own.name)
                done &= self._ensure("masquerading", masquerading, host.load_ruleset)
                done &= self._ensure("cni", own, self._write_conflist)
        if self._pods.synced and self._namespaces.synced and self._policies.synced:
            pods, arrived = self._newcomers.merge(list(self._pods.items().values()))
            ruleset = compiler.compile(
                list(self._policies.items().values()),
                pods,
                {key.removeprefix("/"): labels for key, labels in self._namespaces.items().items()},
                self._settings.node,
            )
            applied = self._ensure("policies", ruleset, host.load_ruleset)
            for newcomer in arrived if applied else ():
                newcomer.admitted.set()
            done &= applied
        return done

    def _ensure(self, what: str, wanted: informer.T, apply: Callable[[informer.T], None]) -> bool:
        if self._applied.get(what) == wanted:
            return True
        started = time.monotonic()
        try:
            apply(wanted)
        except host.HostError as error:
            log.error("%s: %s", what, error)
            self._applied.pop(what, None)
            return False
        self._applied[what] = wanted
        log.info("%s applied in %.0f ms", what, (time.monotonic() - started) * 1000)
        return True

    def _write_conflist(self, own: model.Node) -> None:
        script = fabric.gate_plugin(str(Path(gate.__file__).resolve()))
        host.write_file(self._settings.cni_programs / fabric.GATE, script, 0o755)
        text = fabric.conflist(own, host.mtu_of(own.addresses[0]))
        host.write_file(self._settings.conflist, text)


def main() -> int:
    """Run the agent; returns only on a mistake of the host that no retry mends."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    settings = Settings.from_environment()
    while not settings.kubeconfig.exists():
        time.sleep(0.5)  # kubeadm writes it when the node joins
    try:
        host.enable_forwarding()
    except host.HostError as error:
        log.error("%s", error)
        return 1
    log.info("network agent of node %s", settings.node)
    Agent(settings).run()
    return 0
