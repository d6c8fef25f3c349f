"""`reprise gateway`: run the agent-facing server."""

import asyncio
import contextlib
import gc
import logging
import shutil
import ssl
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import click
import uvloop

from reprise.domain import errors
from reprise.gateway import jaeger, prometheus, server
from reprise.gateway.registry import Registry
from reprise.gateway.upstream import Upstream

if TYPE_CHECKING:
    from reprise.replay import serve

log = logging.getLogger("reprise.gateway")


@click.command()
@click.option("--host", default="0.0.0.0", show_default=True, help="Address to listen on.")  # noqa: S104
@click.option("--port", default=8443, show_default=True, type=click.IntRange(0, 65535))
@click.option(
    "--tls",
    "tls_directory",
    default="/tls",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Directory of tls.crt and tls.key; waited for.",
)
@click.option(
    "--audit",
    "audit_directory",
    default="/data/audit",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Directory of the audit trails.",
)
@click.option("--prometheus", "prometheus_url", envvar="PROMETHEUS_URL", default="")
@click.option("--jaeger", "jaeger_url", envvar="JAEGER_URL", default="")
@click.option(
    "--snapshot",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    default=None,
    help="Serve this snapshot instead of cluster, Prometheus and Jaeger; attempts stay the cluster's.",
)
@click.option("--kubeconfig", default=None, help="Outside of a cluster: which kubeconfig to use.")
@click.option(
    "--selector", default="", help="Serve only attempts with these labels (beside a deployed gateway)."
)
@click.option("-v", "--verbose", is_flag=True)
def gateway(
    host: str,
    port: int,
    tls_directory: Path,
    audit_directory: Path,
    prometheus_url: str,
    jaeger_url: str,
    snapshot: Path | None,
    kubeconfig: str | None,
    selector: str,
    verbose: bool,
) -> None:
    """Run the gateway in the foreground."""
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    if snapshot is None and not (prometheus_url and jaeger_url):
        raise click.UsageError("expected --prometheus and --jaeger, or --snapshot")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(
            run(
                host=host,
                port=port,
                tls_directory=tls_directory,
                audit_directory=audit_directory,
                prometheus_url=prometheus_url,
                jaeger_url=jaeger_url,
                snapshot=snapshot,
                kubeconfig=kubeconfig,
                selector=selector,
            )
        )


async def run(
    *,
    host: str,
    port: int,
    tls_directory: Path,
    audit_directory: Path,
    prometheus_url: str,
    jaeger_url: str,
    snapshot: Path | None = None,
    kubeconfig: str | None = None,
    selector: str = "",
    on_ready: Callable[[Registry], None] = lambda _: None,
) -> None:
    """Serve until cancelled. `on_ready` is called once attempts and namespaces are known and the port is
    open."""
    tls = await load_tls(tls_directory)
    async with await Upstream.reach(kubeconfig) as kube, contextlib.AsyncExitStack() as stack:
        if snapshot is None:
            http = await stack.enter_async_context(aiohttp.ClientSession())
            registry = Registry(kube, audit_directory, selector=selector)
            served = server.Server(
                kube,
                registry,
                prometheus.Prometheus(prometheus_url, http),
                jaeger.Jaeger(jaeger_url, http),
            )
        else:
            recorded = await stack.enter_async_context(_recorded(snapshot))
            registry = Registry(kube, audit_directory, selector=selector, objects=recorded.objects)
            served = recorded.server(registry)
        ready = asyncio.Event()
        opened: list[int] = []
        async with asyncio.TaskGroup() as group:
            group.create_task(registry.run())
            group.create_task(server.serve(served.application(), host, port, tls, ready, opened.append))
            await ready.wait()
            await registry.wait_ready()
            # What is here now stays: no collection need walk through it while a request waits.
            gc.collect()
            gc.freeze()
            log.info("serving on %s:%d", host, opened[0])
            on_ready(registry)


def _recorded(snapshot: Path) -> "contextlib.AbstractAsyncContextManager[serve.Backends]":
    """The snapshot's backends, its time standing still."""
    # Not in the image of the cluster's gateway.
    from reprise.replay import serve, source

    found = source.read(snapshot)
    program = shutil.which("prometheus")
    reason = "" if program else "metrics are not served here"
    cache = Path(tempfile.gettempdir()) / "replay"
    return serve.backends(
        found, serve.make_clock(found, None), cache, Path(program) if program else None, reason
    )


async def load_tls(directory: Path) -> ssl.SSLContext:
    """Wait for the certificate and load it. Raises InvalidInput when it cannot be used."""
    certificate, key = directory / "tls.crt", directory / "tls.key"
    told = False
    while not (certificate.is_file() and key.is_file()):
        if not told:
            log.info("waits for %s and %s", certificate, key)
            told = True
        # The kubelet puts files into a volume by renaming a link; the standard library cannot watch that.
        await asyncio.sleep(0.5)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
    except (ssl.SSLError, OSError) as exc:
        raise errors.InvalidInput(f"expected a certificate and its key in {directory}, found: {exc}") from exc
    return context
