"""Reads everything that an agent can reach, and finds in which answers a word stands."""

import json
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import requests

Json = dict[str, Any]
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
PARTIAL = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
MAX_OBJECTS = 60
MAX_SERVICES = 40


@dataclass
class Crawler:
    """`found` holds every answer: (what was asked, its text with headers)."""

    server: str
    token: str
    ca_file: str
    found: list[tuple[str, str]] = field(default_factory=list)
    watched: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._http = requests.Session()
        # Else an authority from the environment would take the place of ours.
        self._http.trust_env = False
        self._http.verify = self.ca_file
        self._http.headers["Authorization"] = f"Bearer {self.token}"

    def get(self, path: str, accept: str = "application/json", **query: str) -> Any:
        """One answer, kept; decoded when it is JSON and a success, else None."""
        answer = self._http.get(
            self.server + path, params=query, headers={"Accept": accept}, timeout=60, stream=False
        )
        headers = "\n".join(f"{key}: {value}" for key, value in answer.headers.items())
        self.found.append(
            (f"{path} {query or ''} [{accept[:60]}] → {answer.status_code}", headers + answer.text)
        )
        if answer.status_code != 200:
            return None
        try:
            return answer.json()
        except ValueError:
            return None

    def everything(self) -> None:
        """Kubernetes in every form, schemas, logs, metrics, traces, and the answers to what is refused."""
        self.kubernetes()
        self.prometheus()
        self.jaeger()
        for path in ("/alerts", "/instructions", "/attempt", "/healthz", "/version"):
            self.get(path)
        self.refused()

    # -- Kubernetes -----------------------------------------------------------------------------

    def kubernetes(self) -> None:
        for path in ("/api", "/apis"):
            self.get(path)
            self.get(path, AGGREGATED)
        for prefix, resource in self.resources():
            self.resource(prefix, resource)
        # A watch waits out its time, so all of them wait together.
        with ThreadPoolExecutor(12) as pool:
            list(pool.map(self.watch, self.watched))
        index = self.get("/openapi/v3") or {"paths": {}}
        for name in index["paths"]:
            self.get(f"/openapi/v3/{name}")
        self.get("/openapi/v2")

    def resources(self) -> Iterator[tuple[str, Json]]:
        versions = ["/api/v1"]
        for group in (self.get("/apis") or {"groups": []})["groups"]:
            self.get(f"/apis/{group['name']}")
            versions += [f"/apis/{version['groupVersion']}" for version in group["versions"]]
        for prefix in versions:
            for resource in (self.get(prefix) or {"resources": []})["resources"]:
                if "list" in resource["verbs"] and "/" not in resource["name"]:
                    yield prefix, resource

    def watch(self, base: str) -> None:
        asked = {"watch": "true", "timeoutSeconds": "1", "allowWatchBookmarks": "true"}
        for accept in ("application/json", TABLE):
            self.get(base, accept, **asked)
        self.get(base, **asked, sendInitialEvents="true", resourceVersionMatch="NotOlderThan")

    def resource(self, prefix: str, resource: Json) -> None:
        base = f"{prefix}/{resource['name']}"
        listed = self.get(base)
        for include in ("None", "Metadata", "Object"):
            self.get(base, TABLE, includeObject=include)
        self.get(base, PARTIAL)
        self.get(base, limit="1")
        if "watch" in resource["verbs"]:
            self.watched.append(base)
        for item in (listed or {}).get("items", ())[:MAX_OBJECTS]:
            meta = item["metadata"]
            inside = f"/namespaces/{meta['namespace']}" if meta.get("namespace") else ""
            one = f"{prefix}{inside}/{resource['name']}/{quote(meta['name'], safe='')}"
            self.get(one)
            self.get(one, TABLE)
            if resource["name"] == "pods" and prefix == "/api/v1":
                self.logs(one, item)

    def logs(self, pod_path: str, pod: Json) -> None:
        for container in pod["spec"].get("initContainers", []) + pod["spec"]["containers"]:
            for previous in ("false", "true"):
                self.get(
                    f"{pod_path}/log", "*/*", container=container["name"], previous=previous, tailLines="5000"
                )

    # -- metrics and traces ---------------------------------------------------------------------

    def prometheus(self) -> None:
        api = "/prometheus/api/v1"
        for path in ("alerts", "rules", "metadata"):
            self.get(f"{api}/{path}")
        for label in (self.get(f"{api}/labels") or {"data": []})["data"]:
            self.get(f"{api}/label/{label}/values")
        every = '{__name__=~".+"}'
        self.get(f"{api}/series", **{"match[]": every})
        self.get(f"{api}/query", query=every)
        self.get(f"{api}/query", query='label_replace({__name__=~"kube_.+"}, "x", "$1", "namespace", "(.*)")')
        self.get(f"{api}/query", query='count by (namespace, job, pod) ({__name__=~".+"})')
        now = time.time()
        self.get(f"{api}/query_range", query="ALERTS", start=str(now - 86400), end=str(now), step="60")

    def jaeger(self) -> None:
        api = "/jaeger/api"
        for service in ((self.get(f"{api}/services") or {}).get("data") or [])[:MAX_SERVICES]:
            self.get(f"{api}/services/{quote(service, safe='')}/operations")
            self.get(f"{api}/operations", service=service)
            self.get(f"{api}/traces", service=service, limit="30", start="0", lookback="custom")
        self.get(f"{api}/dependencies", endTs=str(int(time.time() * 1000)), lookback="86400000")

    # -- what is refused ------------------------------------------------------------------------

    def refused(self) -> None:
        for path in (
            "/api/v1/secrets",
            "/api/v1/namespaces/kube-system/secrets",
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
            "/apis/nowhere.example/v1/things",
            "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
            "/api/v1/nodes/any/proxy/configz",
            "/metrics",
            "/logs/",
            "/prometheus/api/v1/status/config",
            "/prometheus/api/v1/targets",
            "/jaeger/api/none",
        ):
            self.get(path)

    # -- findings -------------------------------------------------------------------------------

    def mentions(self, words: Iterable[str]) -> list[str]:
        """Where a word stands, in any case: what was asked, and the text around it."""
        hits = []
        lowered = [word.lower() for word in words]
        for asked, text in self.found:
            lower = text.lower()
            for word in lowered:
                if (at := lower.find(word)) >= 0:
                    hits.append(f"{word!r} in {asked}: …{json.dumps(text[max(0, at - 80) : at + 80])}…")
        return hits
