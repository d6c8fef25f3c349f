"""The gateway's certificate: made once, by the operator, when it is missing."""

import asyncio
import base64
import datetime as dt

from reprise.adapters import x509
from reprise.adapters.kube import Kube
from reprise.domain import errors
from reprise.domain.entities import ObjectRef
from reprise.handlers.runtime import SYSTEM_NAMESPACE

SECRET = ObjectRef("v1", "Secret", SYSTEM_NAMESPACE, "gateway-tls")
_NAMES = ("gateway", "gateway.reprise-system", "gateway.reprise-system.svc", "localhost")
_DAYS = 825


async def ensure(kube: Kube) -> None:
    """Make the Secret when it does not exist. Raises NotFound when the namespace is not there yet."""
    if await kube.get(SECRET) is not None:
        return
    service = await kube.get(ObjectRef("v1", "Service", SYSTEM_NAMESPACE, "gateway"))
    addresses = ["127.0.0.1"]
    if service is not None and service["spec"].get("clusterIP") not in (None, "None"):
        addresses.append(service["spec"]["clusterIP"])
    data = await asyncio.to_thread(make, tuple(addresses), dt.datetime.now(dt.UTC))
    manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET.name, "namespace": SECRET.namespace},
        "type": "kubernetes.io/tls",
        "data": {key: base64.b64encode(value).decode() for key, value in data.items()},
    }
    try:
        await kube.create(manifest)
    except errors.Conflict:
        return  # another process was faster


def make(addresses: tuple[str, ...], now: dt.datetime) -> dict[str, bytes]:
    """`tls.crt`, `tls.key` and `ca.crt` as PEM. The authority's key is thrown away: it signs once."""
    authority = x509.Authority("gateway-ca", now, _DAYS)
    pair = authority.issue("gateway", _NAMES, addresses)
    return {"tls.crt": pair.certificate, "tls.key": pair.key, "ca.crt": authority.certificate()}
