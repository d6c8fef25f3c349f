"""Open everything that an operator process talks to, in the cluster or out of it."""

import contextlib
import logging
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

from reprise.adapters import scenario_files, scenario_store, service_proxy
from reprise.adapters.engine import Engine
from reprise.adapters.jaeger import Jaeger
from reprise.adapters.kube import Kube
from reprise.adapters.prometheus import Prometheus
from reprise.adapters.run_store import RunStore
from reprise.domain import errors
from reprise.domain.entities import ObjectRef
from reprise.handlers import certificate, lease, runtime
from reprise.handlers.events import Events
from reprise.handlers.gates import PrometheusGates
from reprise.handlers.metrics import Metrics
from reprise.handlers.recording import Sources, ThreadRecorder
from reprise.handlers.tracing import Tracing
from reprise.handlers.watching import Watchers

logger = logging.getLogger(__name__)
_ENDPOINTS = ObjectRef("v1", "ConfigMap", runtime.SYSTEM_NAMESPACE, "endpoints")
_DEFAULTS = {
    "prometheus": "http://prometheus.observability:9090",
    "jaeger": "http://jaeger.observability:16686",
}


@dataclass(frozen=True)
class Endpoints:
    """How Prometheus and Jaeger are reached from this process."""

    prometheus: str
    jaeger: str
    proxy: service_proxy.Proxy | None

    def open_prometheus(self) -> Prometheus:
        if self.proxy is None:
            return Prometheus(self.prometheus)
        return Prometheus(self.prometheus, headers=self.proxy.headers, ssl_context=self.proxy.ssl_context)

    def open_jaeger(self) -> Jaeger:
        if self.proxy is None:
            return Jaeger(self.jaeger)
        return Jaeger(self.jaeger, headers=self.proxy.headers, ssl_context=self.proxy.ssl_context)


async def endpoints(kube: Kube, environ: Mapping[str, str] = os.environ) -> Endpoints:
    """`REPRISE_PROMETHEUS_URL` and `REPRISE_JAEGER_URL`, else the ConfigMap `endpoints`; out of the cluster
    through the API server, because Services have no address there."""
    found = await kube.get(_ENDPOINTS)
    data: Mapping[str, str] = (found or {}).get("data") or {}
    named = {key: environ.get(f"REPRISE_{key.upper()}_URL") or "" for key in _DEFAULTS}
    if service_proxy.in_cluster() or all(named.values()):
        urls = {key: named[key] or data.get(key) or default for key, default in _DEFAULTS.items()}
        return Endpoints(urls["prometheus"], urls["jaeger"], None)
    proxy = await service_proxy.connect()
    return Endpoints(
        proxy.url("observability", "prometheus", 9090), proxy.url("observability", "jaeger", 16686), proxy
    )


@contextlib.asynccontextmanager
async def open_sources(where: Endpoints) -> AsyncIterator[Sources]:
    """Connections for the recorder, in whatever loop it runs."""
    async with (
        await Kube.connect() as kube,
        where.open_prometheus() as prometheus,
        where.open_jaeger() as jaeger,
    ):
        yield Sources(kube, prometheus, jaeger)


@contextlib.asynccontextmanager
async def open_kube() -> AsyncIterator[Kube]:
    """A connection of one's own."""
    async with await Kube.connect() as kube:
        yield kube


async def _sweep(kube: Kube, watchers: Watchers) -> None:
    """Spools that nobody will ask for any more. Left where they are when it cannot be told."""
    try:
        runs = await lease.all_runs(kube)
    except errors.RepriseError as exc:
        logger.warning("cannot tell whose spools are left: %s", exc)
        return
    await watchers.sweep({item["metadata"]["uid"] for item in runs if not lease.phase_of(item).terminal})


@contextlib.asynccontextmanager
async def open_runtime(settings: runtime.Settings, metrics: Metrics) -> AsyncIterator[runtime.Runtime]:
    """Everything connected and checked. Raises InvalidInput for scenarios that cannot be read."""
    shipped = scenario_files.load_all(settings.scenarios)
    logger.info("knows %d scenarios", len(shipped))
    async with await Kube.connect() as kube:
        scenarios = scenario_store.ScenarioStore(kube, shipped)
        try:
            await certificate.ensure(kube)
        except errors.Refused as exc:
            logger.warning("cannot make the gateway's certificate: %s", exc)
        where = await endpoints(kube)
        async with where.open_prometheus() as prometheus, contextlib.AsyncExitStack() as stack:
            listeners: list[runtime.Listener] = [Events(kube), metrics]
            if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
                listeners.append(Tracing(OTLPSpanExporter()))
            store, directory = RunStore(kube), settings.data / "snapshots"
            watchers = Watchers(open_kube, directory, scenarios)
            await _sweep(kube, watchers)
            stack.push_async_callback(watchers.close)
            yield runtime.Runtime(
                kube=kube,
                engine=Engine(kube),
                store=store,
                gates=PrometheusGates(kube, prometheus),
                recorder=ThreadRecorder(lambda: open_sources(where), directory, scenarios, store, watchers),
                history=watchers,
                scenarios=scenarios,
                settings=settings,
                listeners=tuple(listeners),
            )
