"""`reprise operator`: the operator in the foreground, in its image as well as on a developer's machine."""

import asyncio
import logging
import socket
from typing import Any, cast

import click
import kopf

from reprise.cli.default_cluster import use_default_kubeconfig
from reprise.handlers.registration import Operator
from reprise.handlers.runtime import Settings


@click.command()
@click.option(
    "--liveness", default="", metavar="URL", help="Serve /healthz here, as in http://0.0.0.0:8080/healthz."
)
@click.option("-v", "--verbose", is_flag=True, help="Log what kopf does, too.")
def operator(liveness: str, verbose: bool) -> None:
    """Run the operator until it is stopped.

    Out of the cluster it uses KUBECONFIG, else the kubeconfig that `reprise up` wrote, and reaches Prometheus
    and Jaeger through the API server.
    """
    use_default_kubeconfig()
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(asctime)s %(levelname)-7s %(name)s %(message)s",
    )
    if not verbose:
        # kopf logs every handler call: with a timer that is a line a second and run.
        logging.getLogger("kopf").setLevel(logging.WARNING)
        logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    registry = kopf.OperatorRegistry()
    settings = Settings.from_environment()
    Operator(settings).register(registry)
    asyncio.run(
        kopf.operator(
            registry=registry,
            clusterwide=True,
            standalone=True,
            # kopf would ask for the name of the user; in a container there is none.
            identity=cast(Any, socket.gethostname()),
            liveness_endpoint=liveness or None,
        )
    )
