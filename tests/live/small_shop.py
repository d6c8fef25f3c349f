"""A shop of seven tiny servers and one client, to try faults by their effect in a namespace of its own.

The servers are Python's own web server in the application's image. `client` asks each of them again and
again and prints what it got, one JSON object a line, so that a fault is judged by what a user of
the shop would see.
"""

import json
from typing import Any

from reprise.adapters.kube import Kube
from reprise.domain.entities import ObjectRef

Json = dict[str, Any]

FLAGS = {
    "flags": {
        "paymentFailure": {
            "state": "ENABLED",
            "variants": {"100%": 1, "off": 0},
            "defaultVariant": "off",
        }
    }
}
# name -> what the shell does before the server starts in /tmp/site
SERVERS = {
    "frontend": "echo fine > index.html",
    "checkout": "echo fine > index.html",
    "product-catalog": "echo fine > index.html",
    "shipping": "echo fine > index.html",
    "ad": "echo fine > index.html",
    "cart": 'echo "$VALKEY_ADDR" > index.html',
    "flagd": "cp /etc/flags/demo.flagd.json index.html",
}
_CLIENT = """
import json, sys, time, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
while True:
    seen = {}
    for name in sys.argv[1:]:
        try:
            seen[name] = opener.open(f"http://{name}:8080/", timeout=1).read().decode().strip()
        except OSError as error:
            seen[name] = f"error: {error}"
    print(json.dumps(seen), flush=True)
    time.sleep(0.3)
"""


async def image(kube: Kube) -> str:
    """The application's image: the one that runs, else one that a worker has."""
    running = await kube.get(ObjectRef("apps/v1", "Deployment", "otel-demo", "frontend"))
    if running is not None:
        return str(running["spec"]["template"]["spec"]["containers"][0]["image"])
    for node in await kube.list_objects("v1", "Node"):
        for entry in node["status"].get("images", ()) if not node["spec"].get("taints") else ():
            for name in entry.get("names") or ():
                if "otel-demo-lite" in name and "@" not in name:
                    return str(name)
    raise AssertionError("expected the image otel-demo-lite on a node; run `reprise up`")


def _deployment(name: str, namespace: str, container: Json, volumes: list[Json]) -> Json:
    labels = {"app.kubernetes.io/name": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "terminationGracePeriodSeconds": 2,
                    "containers": [{"name": name, "resources": {"limits": {"memory": "200Mi"}}, **container}],
                    "volumes": volumes,
                },
            },
        },
    }


def manifests(namespace: str, image_name: str) -> list[Json]:
    """Everything of the shop but its namespace."""
    made: list[Json] = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "flagd-config", "namespace": namespace},
            "data": {"demo.flagd.json": json.dumps(FLAGS, indent=2) + "\n"},
        },
        _deployment(
            "client",
            namespace,
            {"image": image_name, "command": ["python3", "-c", _CLIENT, *SERVERS]},
            [],
        ),
    ]
    for name, preparation in SERVERS.items():
        container: Json = {
            "image": image_name,
            "command": [
                "sh",
                "-c",
                f"mkdir -p /tmp/site && cd /tmp/site && {preparation} && exec python3 -m http.server 8080",
            ],
            "ports": [{"name": "service", "containerPort": 8080}],
            "env": [{"name": "FIRST", "value": "1"}, {"name": "VALKEY_ADDR", "value": "valkey-cart:6379"}],
            "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
        }
        volumes: list[Json] = []
        if name == "flagd":
            container["volumeMounts"] = [{"name": "flags", "mountPath": "/etc/flags"}]
            volumes = [{"name": "flags", "configMap": {"name": "flagd-config"}}]
        made.append(_deployment(name, namespace, container, volumes))
        made.append(
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": name, "namespace": namespace},
                "spec": {
                    "selector": {"app.kubernetes.io/name": name},
                    "ports": [{"name": "tcp-service", "port": 8080, "targetPort": 8080}],
                },
            }
        )
    return made


def healthy(seen: Json) -> bool:
    """Whether the client got what every server gives when nothing is wrong."""
    return (
        all(
            seen.get(name) == "fine" for name in ("frontend", "checkout", "product-catalog", "shipping", "ad")
        )
        and seen.get("cart") == "valkey-cart:6379"
        and variant(seen) == "off"
    )


def variant(seen: Json) -> str:
    """The variant of the payment flag that flagd serves; "" when it serves nothing."""
    try:
        return str(json.loads(seen["flagd"])["flags"]["paymentFailure"]["defaultVariant"])
    except (ValueError, KeyError):
        return ""
