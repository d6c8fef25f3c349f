"""Everything that kopf calls. Each is one line of work: the thought is in `domain.lifecycle`."""

import asyncio
import collections
import contextlib
import logging
from collections.abc import Mapping
from typing import Any

import kopf
import prometheus_client

from reprise.adapters import service_proxy
from reprise.adapters.wire import benchmark_run
from reprise.domain import errors, retaining
from reprise.domain.run_status import ConditionType, Phase
from reprise.handlers import connections, lease, reconcile
from reprise.handlers import settings as kopf_settings
from reprise.handlers.metrics import Metrics
from reprise.handlers.runtime import Runtime, Settings

logger = logging.getLogger(__name__)
_RESOURCE = ("reprise.dev", "v1alpha1", "benchmarkruns")
_COUNT_INTERVAL_SECONDS = 15


def is_active(spec: Mapping[str, Any], status: Mapping[str, Any], **_: Any) -> bool:
    """Whether a run still has a way to go, or snapshots to drop once it is over."""
    phase = Phase(status.get("phase") or Phase.PENDING)
    kept = (spec.get("snapshot") or {}).get("retention") is not None
    reasons = [
        str(item["reason"])
        for item in status.get("conditions") or ()
        if item["type"] == ConditionType.RETENTION_APPLIED
    ]
    return not phase.terminal or retaining.is_due(
        phase is Phase.COMPLETED, bool(status.get("snapshot")), kept, reasons[0] if reasons else None
    )


class Operator:
    """The handlers of one operator process. Register on an own registry: the default one is the module's."""

    def __init__(self, own: Settings) -> None:
        self._settings = own
        self._metrics = Metrics()
        self._stack = contextlib.AsyncExitStack()
        self._runtime: Runtime | None = None

    @property
    def runtime(self) -> Runtime:
        if self._runtime is None:
            raise RuntimeError("a handler was called before startup")
        return self._runtime

    def register(self, registry: kopf.OperatorRegistry) -> None:
        """Handler ids are API: kopf keeps them in annotations."""
        kopf.on.login(registry=registry, id="login")(self.login)
        kopf.on.startup(registry=registry, id="startup")(self.startup)
        kopf.on.cleanup(registry=registry, id="cleanup")(self.cleanup)
        kopf.timer(
            *_RESOURCE,
            registry=registry,
            id="reconcile",
            interval=self._settings.interval_seconds,
            initial_delay=0,
            when=is_active,
        )(self.reconcile)
        kopf.on.delete(*_RESOURCE, registry=registry, id="recover")(self.recover)

    async def login(self, **kwargs: Any) -> kopf.ConnectionInfo | None:
        if service_proxy.in_cluster():
            return kopf.login_with_service_account(**kwargs)
        return await asyncio.to_thread(kopf.login_with_kubeconfig, **kwargs)

    async def startup(self, settings: kopf.OperatorSettings, **_: Any) -> None:
        kopf_settings.configure(settings)
        try:
            runtime = await self._stack.enter_async_context(
                connections.open_runtime(self._settings, self._metrics)
            )
        except errors.RepriseError as exc:
            if not exc.retryable:
                raise kopf.PermanentError(str(exc)) from exc
            # A fresh pod's network may take a moment; by default kopf would wait a minute.
            raise kopf.TemporaryError(str(exc), delay=2) from exc
        if self._settings.metrics_port:
            server, thread = await asyncio.to_thread(
                prometheus_client.start_http_server,
                self._settings.metrics_port,
                registry=self._metrics.registry,
            )
            self._stack.callback(thread.join, 5)
            self._stack.callback(server.server_close)
            self._stack.callback(server.shutdown)
        counting = asyncio.create_task(self._count(runtime))
        self._stack.callback(counting.cancel)
        self._runtime = runtime

    async def cleanup(self, **_: Any) -> None:
        await self._stack.aclose()

    async def reconcile(self, body: kopf.Body, **_: Any) -> None:
        await reconcile.look(self.runtime, benchmark_run.ref_of(body))

    async def recover(self, body: kopf.Body, **_: Any) -> None:
        """Return only when nothing is left behind: kopf then removes the finalizer."""
        ref = benchmark_run.ref_of(body)
        while not await reconcile.look(self.runtime, ref):  # noqa: ASYNC110 - a poll, as the timer is
            await asyncio.sleep(self._settings.interval_seconds)

    async def _count(self, runtime: Runtime) -> None:
        while True:
            try:
                runs = await lease.all_runs(runtime.kube)
            except errors.RepriseError as exc:
                logger.warning("cannot count the runs: %s", exc)
            else:
                phases = (Phase((item.get("status") or {}).get("phase") or "Pending") for item in runs)
                self._metrics.set_runs(dict(collections.Counter(phases)))
            await asyncio.sleep(_COUNT_INTERVAL_SECONDS)
