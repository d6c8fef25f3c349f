"""The gateway over a snapshot, with attempts of its own: everything put together."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from aiohttp import web

from reprise.domain import errors
from reprise.domain.budget import Budget
from reprise.gateway import server
from reprise.gateway.registry import Registry
from reprise.gateway.session import utc_now
from reprise.replay import doorkeys, source, tsdb
from reprise.replay.attempts import AttemptStore, Outcome
from reprise.replay.clock import Clock
from reprise.replay.kube import SnapshotKube
from reprise.replay.metrics import Metrics
from reprise.replay.trace_index import TraceIndex
from reprise.replay.traces import Traces


@dataclass(frozen=True)
class Settings:
    """How to serve. `out` keeps attempts, kubeconfigs and audit trails, `cache` what is made of the snapshot.

    `begins_at` is the name of the time in the manifest's timeline at which a moving time begins, None for a
    time that stands still. `prometheus` is the program; None leaves metrics unanswered, with `no_metrics` as
    the reason that agents are told.
    """

    out: Path
    cache: Path
    host: str = "127.0.0.1"
    port: int = 8443
    attempts: int = 1
    limits: Budget = field(default_factory=lambda: Budget(3600, 1000))
    begins_at: str | None = None
    prometheus: Path | None = None
    no_metrics: str = "metrics are not served here"


@dataclass(frozen=True)
class Key:
    """What an agent is given for one attempt."""

    attempt: str
    kubeconfig: Path
    token: str


@dataclass(frozen=True)
class Ready:
    """What is served, once it is. `no_metrics` is empty when metrics are answered."""

    url: str
    ca: Path
    namespace: str
    now: dt.datetime
    keys: tuple[Key, ...]
    no_metrics: str


def make_clock(found: source.Source, begins_at: str | None) -> Clock:
    """Raises InvalidInput when the snapshot does not know the time that is to be begun at."""
    if begins_at is None:
        return Clock(found.end, found.end, moving=False)
    if begins_at not in found.timeline:
        known = ", ".join(found.timeline)
        raise errors.InvalidInput(f"expected one of the snapshot's times ({known}), found {begins_at!r}")
    return Clock(found.timeline[begins_at], found.end, moving=True)


@dataclass(frozen=True)
class Backends:
    """What stands in for the cluster."""

    clock: Clock
    objects: SnapshotKube
    metrics: Metrics
    traces: Traces

    def server(self, registry: Registry) -> server.Server:
        return server.Server(self.objects, registry, self.metrics, self.traces, self.clock)


@asynccontextmanager
async def backends(
    found: source.Source, clock: Clock, cache: Path, prometheus: Path | None, no_metrics: str
) -> AsyncIterator[Backends]:
    """Everything that is recorded, ready to be asked; see `Settings` for the parameters."""
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        index = TraceIndex(found, cache)
        stack.callback(index.close)
        base = None
        if prometheus is not None:
            base = await stack.enter_async_context(tsdb.serving(prometheus, found, cache, http))
        yield Backends(
            clock,
            SnapshotKube(found, clock),
            Metrics(found, clock, http, base, no_metrics),
            Traces(found, clock, index, http),
        )


async def run(
    root: Path, settings: Settings, stop: asyncio.Event, on_ready: Callable[[Ready], None]
) -> tuple[Outcome, ...]:
    """Serve the snapshot in the folder `root` until `stop` is set; returns how the attempts stand then.

    `on_ready` is called once the port is open and the kubeconfigs are written. Raises what reading the
    snapshot raises, InvalidInput when `out` belongs to another one, Conflict when the port cannot be had.
    """
    found = source.read(root)
    clock = make_clock(found, settings.begins_at)
    store = AttemptStore(settings.out / "attempts", found)
    tokens = _open_attempts(store, settings)
    tls = doorkeys.certificate(settings.out / "tls", settings.host, utc_now())
    reason = settings.no_metrics if settings.prometheus is None else ""
    async with backends(found, clock, settings.cache, settings.prometheus, reason) as recorded:
        registry = Registry(store, settings.out / "audit", objects=recorded.objects)
        app = recorded.server(registry).application()

        def opened(port: int) -> None:
            url = f"https://{_reachable(settings.host)}:{port}"
            keys = _write_keys(settings, url, tls.ca, tokens, found.namespace)
            on_ready(Ready(url, settings.out / "ca.crt", found.namespace, clock(), keys, reason))

        await _until(stop, registry, app, settings, tls, opened)
    return tuple(store.outcomes(settings.out / "audit"))


async def _until(
    stop: asyncio.Event,
    registry: Registry,
    app: web.Application,
    settings: Settings,
    tls: doorkeys.Certificate,
    opened: Callable[[int], None],
) -> None:
    async def serving() -> None:
        # Who is told of an open port may use it at once.
        await registry.wait_ready()
        await server.serve(app, settings.host, settings.port, tls.context, asyncio.Event(), opened)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(registry.run()), group.create_task(serving())]
            await stop.wait()
            for task in tasks:
                task.cancel()
    except ExceptionGroup as failed:
        for exc in failed.exceptions:
            if isinstance(exc, OSError):
                raise errors.Conflict(
                    f"expected to listen on {settings.host} port {settings.port}, found: {exc}; "
                    "choose another --port (0 for any)"
                ) from exc
        raise


def _write_keys(
    settings: Settings, url: str, ca: str, tokens: Mapping[str, str], namespace: str
) -> tuple[Key, ...]:
    (settings.out / "ca.crt").write_text(ca)
    keys = []
    for name, token in tokens.items():
        path = settings.out / f"{name}.kubeconfig"
        doorkeys.write_kubeconfig(path, url, ca, token, namespace)
        keys.append(Key(name, path, token))
    return tuple(keys)


def _open_attempts(store: AttemptStore, settings: Settings) -> dict[str, str]:
    """Tokens by attempt: those that are there, and as many more as are wanted."""
    names = {f"attempt-{number}" for number in range(1, settings.attempts + 1)} | set(store.names())
    tokens = {}
    for name in sorted(names, key=lambda name: (len(name), name)):
        path = settings.out / f"{name}.kubeconfig"
        token = doorkeys.token(path)
        store.ensure(name, token, settings.limits, utc_now())
        if not store.opens(name, token):
            raise errors.InvalidInput(
                f"expected the kubeconfig of {name} at {path}: its token is nowhere else; "
                "put it back, or name another folder with --out"
            )
        tokens[name] = token
    return tokens


def _reachable(host: str) -> str:
    host = "127.0.0.1" if host in ("0.0.0.0", "::", "") else host  # noqa: S104 - recognised, not bound
    return f"[{host}]" if ":" in host else host
