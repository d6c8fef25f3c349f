"""Reach a Service through the API server, for a process outside of the cluster that has only a kubeconfig."""

import os
import ssl
from dataclasses import dataclass
from pathlib import Path

from kubernetes.aio import client, config

from reprise.domain import errors

_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


@dataclass(frozen=True)
class Proxy:
    """The API server as an HTTP proxy: what every request needs."""

    server: str
    headers: dict[str, str]
    ssl_context: ssl.SSLContext | None

    def url(self, namespace: str, service: str, port: int) -> str:
        """The base URL of a plain-HTTP Service."""
        return f"{self.server}/api/v1/namespaces/{namespace}/services/{service}:{port}/proxy"


def in_cluster() -> bool:
    """Whether this process runs in a pod that may call the API server: Services have addresses there."""
    return _SERVICE_ACCOUNT.exists()


async def connect() -> Proxy:
    """By the kubeconfig of KUBECONFIG. Raises InvalidInput when it cannot be used."""
    configuration = client.Configuration()
    try:
        named = os.environ.get("KUBECONFIG") or None  # as in kube.py: read now, not at import
        await config.load_kube_config(config_file=named, client_configuration=configuration)
        context = None
        if configuration.host.startswith("https"):
            context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
            if configuration.cert_file:
                context.load_cert_chain(configuration.cert_file, configuration.key_file)
            if not configuration.verify_ssl:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
    except (config.ConfigException, OSError, TypeError) as exc:
        raise errors.InvalidInput(f"expected a usable kubeconfig, found: {exc}; set KUBECONFIG") from exc
    token = await configuration.get_api_key_with_prefix("BearerToken")
    headers = {"Authorization": token} if token else {}
    return Proxy(configuration.host.rstrip("/"), headers, context)
