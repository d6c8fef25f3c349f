"""`reprise gateway`: run the agent-facing server."""

import asyncio
import logging
import ssl
from collections.abc import Callable
from pathlib import Path

import aiohttp
import click

from reprise.domain import errors
from reprise.gateway import jaeger, prometheus, server
from reprise.gateway.registry import Registry
from reprise.gateway.upstream import Upstream

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
@click.option("--prometheus", "prometheus_url", envvar="PROMETHEUS_URL", required=True)
@click.option("--jaeger", "jaeger_url", envvar="JAEGER_URL", required=True)
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
    kubeconfig: str | None,
    selector: str,
    verbose: bool,
) -> None:
    """Run the gateway in the foreground."""
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    asyncio.run(
        run(
            host=host,
            port=port,
            tls_directory=tls_directory,
            audit_directory=audit_directory,
            prometheus_url=prometheus_url,
            jaeger_url=jaeger_url,
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
    kubeconfig: str | None = None,
    selector: str = "",
    on_ready: Callable[[Registry], None] = lambda _: None,
) -> None:
    """Serve until cancelled. `on_ready` is called once attempts and namespaces are known and the port is
    open."""
    tls = await load_tls(tls_directory)
    async with await Upstream.reach(kubeconfig) as kube, aiohttp.ClientSession() as http:
        registry = Registry(kube, audit_directory, selector=selector)
        app = server.Server(
            kube,
            registry,
            prometheus.Prometheus(prometheus_url, http),
            jaeger.Jaeger(jaeger_url, http),
        ).application()
        ready = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(registry.run())
            group.create_task(server.serve(app, host, port, tls, ready))
            await ready.wait()
            await registry.wait_ready()
            log.info("serving on %s:%d", host, port)
            on_ready(registry)


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
