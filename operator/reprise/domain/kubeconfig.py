"""The kubeconfig that an agent gets: one cluster, one token, nothing that names this product."""

import base64
from collections.abc import Mapping
from typing import Any, NamedTuple

_NAME = "incident"


class Access(NamedTuple):
    """What a kubeconfig of `build` holds: a URL, PEM text, a token."""

    server: str
    ca_pem: str
    token: str


def build(server: str, ca_pem: str, token: str, namespace: str) -> dict[str, Any]:
    """A kubeconfig as a JSON-ready mapping (JSON is YAML, kubectl reads it).

    `server` is a URL, `ca_pem` the PEM text of the certificate authority, `namespace` the default one.
    """
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": _NAME,
                "cluster": {
                    "server": server,
                    "certificate-authority-data": base64.b64encode(ca_pem.encode()).decode(),
                },
            }
        ],
        "users": [{"name": _NAME, "user": {"token": token}}],
        "contexts": [{"name": _NAME, "context": {"cluster": _NAME, "user": _NAME, "namespace": namespace}}],
        "current-context": _NAME,
    }


def read(config: Mapping[str, Any]) -> Access:
    """The inverse of `build`. Raises LookupError or ValueError for what was not built here."""
    cluster = config["clusters"][0]["cluster"]
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    return Access(cluster["server"], authority, config["users"][0]["user"]["token"])
