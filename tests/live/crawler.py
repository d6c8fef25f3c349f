"""Reads everything that an agent can reach, in every way, and finds in which answers a word stands.

What an incident shows is read by the product's own crawl, with which every proof hunts. Beside it, here are
the ways to ask otherwise: forms, queries, verbs, schemas, watches, and what should not be there at all.
"""

import asyncio
import json
import ssl
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from reprise.proof.crawl import EVERY_SERIES, JSON, TABLE, Answer, Crawl, Question, Resource

Json = dict[str, Any]
PARTIAL = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
PROTOBUF = "application/vnd.kubernetes.protobuf"
ACCEPTS = (
    PARTIAL,
    "application/json;as=Table;v=v1beta1;g=meta.k8s.io",
    "application/json;as=PartialObjectMetadataList;v=v1beta1;g=meta.k8s.io",
    "application/json;as=Anything;v=v1;g=meta.k8s.io",
    "application/json;stream=watch",
    PROTOBUF,
    f"{PROTOBUF};as=Table;v=v1;g=meta.k8s.io",
    f"{PROTOBUF},application/json",
    "application/cbor",
    "application/cbor-seq",
    "application/yaml",
    "application/yaml;q=0.9, application/json;q=0.1",
    "text/html",
    "application/*",
    "*/*",
    "nonsense",
)
# NB: no selector here may hold a hidden word, or it is refused for that.
QUERIES: tuple[tuple[tuple[str, str], ...], ...] = (
    (("includeObject", "Object"),),
    (("pretty", "true"),),
    (("export", "true"), ("exact", "true")),
    (("limit", "2"), ("continue", "nonsense")),
    (("resourceVersion", "0"),),
    (("resourceVersion", "0"), ("resourceVersionMatch", "NotOlderThan")),
    (("resourceVersion", "1"), ("resourceVersionMatch", "Exact")),
    (("resourceVersion", "1"), ("watch", "true"), ("timeoutSeconds", "1")),
    (("fieldSelector", "metadata.namespace!=default"),),
    (("fieldSelector", "metadata.name=operator"),),
    (("labelSelector", "app.kubernetes.io/name in (operator,gateway,replay)"),),
    (("labelSelector", "!app"),),
    (("namespace", "kube-system"),),
)
# Without a word that is refused, what hidden things are there?
ROUNDABOUT = (
    EVERY_SERIES,
    'label_replace({__name__=~"kube_.+"}, "x", "$1", "namespace", "(.*)")',
    'count by (namespace, job, pod) ({__name__=~".+"})',
    'kube_pod_info{namespace=~"(re|ch).*-.*"}',
    '{__name__=~"(up|scrape_.+|prometheus_.+|process_.+|python_.+)"}',
    '{__name__=~"(apiserver|etcd|kubelet|workqueue|controller_runtime)_.+"}',
    'group by (service_name) ({service_name!=""})',
    'topk(50, count by (__name__) ({__name__=~".+"}))',
)
NOT_THERE = (
    "/",
    "/api/v1/secrets",
    "/api/v1/namespaces/kube-system/secrets",
    "/api/v1/namespaces/{hidden}/pods",
    "/api/v1/namespaces/{hidden}",
    "/api/v1/watch/pods",
    "/api/v1/componentstatuses",
    "/api/v1/nodes/{node}/proxy/",
    "/api/v1/nodes/{node}/proxy/configz",
    "/api/v1/nodes/{node}/proxy/pods",
    "/api/v1/nodes/{node}/proxy/metrics",
    "/api/v1/namespaces/observability/services/prometheus:9090/proxy/metrics",
    "/api/v1/namespaces/observability/services/jaeger:16686/proxy/",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "/apis/reprise.dev/v1alpha1/benchmarkruns",
    "/apis/reprise.dev/v1alpha1/agentattempts",
    "/apis/chaos-mesh.org/v1alpha1/networkchaos",
    "/apis/apiregistration.k8s.io/v1/apiservices",
    "/apis/nowhere.example/v1/things",
    "/apis/certificates.k8s.io/v1/certificatesigningrequests",
    "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
    "/apis/coordination.k8s.io/v1/leases",
    "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases",
    "/metrics",
    "/metrics/cadvisor",
    "/debug/pprof/",
    "/configz",
    "/flagz",
    "/statusz",
    "/livez",
    "/readyz",
    "/healthz",
    "/logs/",
    "/version",
    "/.well-known/openid-configuration",
    "/openid/v1/jwks",
    "/prometheus",
    "/prometheus/metrics",
    "/prometheus/graph",
    "/prometheus/federate",
    "/prometheus/api/v1/status/config",
    "/prometheus/api/v1/status/flags",
    "/prometheus/api/v1/status/tsdb",
    "/prometheus/api/v1/status/runtimeinfo",
    "/prometheus/api/v1/targets",
    "/prometheus/api/v1/targets/metadata",
    "/prometheus/api/v1/alertmanagers",
    "/prometheus/api/v1/query_exemplars",
    "/prometheus/api/v1/read",
    "/prometheus/api/v1/admin/tsdb/snapshot",
    "/prometheus/-/config",
    "/jaeger",
    "/jaeger/metrics",
    "/jaeger/api/none",
    "/jaeger/api/metrics/calls",
    "/jaeger/api/sampling",
    "/jaeger/api/v3/services",
)
WRITES = ("POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "MERGE")
SUBRESOURCES = (
    "", "/status", "/exec", "/attach", "/portforward", "/proxy", "/ephemeralcontainers", "/eviction",
    "/binding", "/resize", "/log",
)  # fmt: skip
MOST_OBJECTS = 60
MOST_PAGES = 5


@dataclass
class Crawler:
    """`found` holds every answer: (what was asked, its text with headers)."""

    server: str
    token: str
    ca_file: str
    # A namespace whose objects may be asked to change: every such question is a dry run, and refused.
    namespace: str
    found: list[tuple[str, str]] = field(default_factory=list)
    http: aiohttp.ClientSession = field(init=False)

    def everything(self) -> None:
        asyncio.run(self._everything())

    async def _everything(self) -> None:
        context = ssl.create_default_context(cafile=self.ca_file)
        async with aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {self.token}"},
            connector=aiohttp.TCPConnector(ssl=context, limit=16),
            timeout=aiohttp.ClientTimeout(total=600),
        ) as self.http:
            crawl = Crawl(self._ask, self._heard, log_lines=5000)
            await crawl.everything_of_an_incident()
            resources = await crawl.resources()
            for resource in resources:
                await self._resource(crawl, resource)
            await self._watches(resources)
            await self._schemas(crawl)
            await crawl.all(
                Question("/prometheus/api/v1/query", query=(("query", text),)) for text in ROUNDABOUT
            )
            await crawl.all(self._tools())
            await crawl.all(self._not_there())
            await crawl.all(self._writes())

    async def _ask(self, question: Question) -> Answer:
        headers = {"Accept": question.accept, "Accept-Encoding": "identity"}
        if question.body:
            headers["Content-Type"] = question.content_type
        async with self.http.request(
            question.method,
            self.server + question.path,
            params=list(question.query),
            headers=headers,
            data=question.body or None,
        ) as answer:
            head = "\n".join(f"{key}: {value}" for key, value in answer.headers.items())
            return Answer(answer.status, await answer.read(), head)

    def _heard(self, question: Question, answer: Answer) -> None:
        text = f"{answer.head}\n{answer.body.decode(errors='replace')}"
        self.found.append((f"{question} → {answer.status}", text))

    # -- the same otherwise ---------------------------------------------------------------------

    async def _resource(self, crawl: Crawl, resource: Resource) -> None:
        listed, *_ = await crawl.all(
            (
                Question(resource.base),
                *(Question(resource.base, TABLE, (("includeObject", i),)) for i in ("Metadata", "Object")),
                *(Question(resource.base, accept) for accept in ACCEPTS),
                *(Question(resource.base, query=query) for query in QUERIES),
            )
        )
        items = (listed.json() or {}).get("items", ())[:MOST_OBJECTS]
        paths = [resource.path(item) for item in items]
        await crawl.all(Question(path, accept) for path in paths for accept in (JSON, TABLE))
        await crawl.all(Question(path, accept) for path in paths[:1] for accept in ACCEPTS)
        token = ""
        for _ in range(MOST_PAGES):
            page = await crawl.one(
                Question(resource.base, query=(("limit", "2"), *((("continue", token),) if token else ())))
            )
            token = ((page.json() or {}).get("metadata") or {}).get("continue", "")
            if not token:
                break

    async def _watches(self, resources: list[Resource]) -> None:
        """A watch waits out its time, so all of them wait together."""
        asked = (("watch", "true"), ("timeoutSeconds", "1"), ("allowWatchBookmarks", "true"))
        initial = (*asked, ("sendInitialEvents", "true"), ("resourceVersionMatch", "NotOlderThan"))
        await Crawl(self._ask, self._heard, parallel=12).all(
            question
            for resource in resources
            if "watch" in resource.verbs
            for question in (
                Question(resource.base, query=asked),
                Question(resource.base, TABLE, asked),
                Question(resource.base, query=initial),
                Question(resource.base, PROTOBUF, asked),
            )
        )

    async def _schemas(self, crawl: Crawl) -> None:
        index, *_ = await crawl.all(
            (
                Question("/openapi/v3"),
                Question("/openapi/v2"),
                Question("/openapi/v2", "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"),
                *(Question(path, accept) for path in ("/api", "/apis") for accept in (AGGREGATED, PROTOBUF)),
            )
        )
        await crawl.all(Question(f"/openapi/v3/{name}") for name in (index.json() or {"paths": {}})["paths"])

    # -- what should not be there ---------------------------------------------------------------

    def _not_there(self) -> Iterator[Question]:
        for path in NOT_THERE:
            for hidden in ("reprise-system", "reprise-agents", "chaos-mesh") if "{hidden}" in path else ("",):
                yield Question(path.format(hidden=hidden, node="local-worker"))
        for selector in ("reprise.dev/run", "app.kubernetes.io/part-of=chaos-mesh"):
            yield Question("/api/v1/pods", query=(("labelSelector", selector),))
        for text in ('count({namespace="reprise-system"})', 'up{job=~"chaos-mesh.*"}'):
            yield Question("/prometheus/api/v1/query", query=(("query", text),))
        yield Question("/jaeger/api/traces", query=(("service", "reprise-operator"),))
        now = str(int(time.time()))
        yield Question("/prometheus/api/v1/query", query=(("query", "up offset 3d"), ("time", now)))

    def _writes(self) -> Iterator[Question]:
        base = f"/api/v1/namespaces/{self.namespace}"
        paths = [
            f"{base}/pods",
            *(f"{base}/pods/web{part}" for part in SUBRESOURCES),
            f"{base}/secrets",
            f"{base}/serviceaccounts/default/token",
            f"{base}/services/web/proxy/",
            base,
            f"{base}/finalize",
            f"/apis/apps/v1/namespaces/{self.namespace}/deployments/web",
            f"/apis/apps/v1/namespaces/{self.namespace}/deployments/web/scale",
            "/apis/authentication.k8s.io/v1/tokenreviews",
            "/apis/authorization.k8s.io/v1/subjectaccessreviews",
            "/apis/reprise.dev/v1alpha1/namespaces/default/agentattempts/x/status",
            "/prometheus/api/v1/admin/tsdb/delete_series",
            "/prometheus/-/reload",
            "/jaeger/api/traces",
            "/instructions",
            "/attempt",
            "/alerts",
        ]
        for path in paths:
            for method in WRITES:
                yield Question(path, query=(("dryRun", "All"),), method=method, body="{}")

    def _tools(self) -> Iterator[Question]:
        """The tools' own description, and calls that ask for all there is."""

        def message(method: str, **params: Any) -> Question:
            asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
            return Question("/mcp", f"{JSON}, text/event-stream", method="POST", body=json.dumps(asked))

        yield message("tools/list")
        for resource in ("namespaces", "pods", "configmaps", "events", "nodes", "rolebindings", "secrets"):
            asked = {"resource": resource, "namespace": "*", "max_bytes": 262144}
            yield message("tools/call", name="list_resources", arguments=asked)
        for name in ("events", "alerts", "recent_changes"):
            yield message("tools/call", name=name, arguments={"max_bytes": 262144})
        for hidden in ("reprise-system", "chaos-mesh"):
            asked = {"resource": "pods", "namespace": hidden}
            yield message("tools/call", name="list_resources", arguments=asked)

    # -- findings -------------------------------------------------------------------------------

    def mentions(self, words: Iterable[str]) -> list[str]:
        """Where a word stands, in any case: what was asked, and the text around it.

        A refusal may repeat the word that it was asked for: whoever asks so knows it.
        """
        hits = []
        lowered = [word.lower() for word in words]
        for asked, text in self.found:
            lower = text.lower()
            refused = not asked.endswith("→ 200") or "POST /mcp" in asked
            for word in lowered:
                if refused and word in asked.lower():
                    continue
                if (at := lower.find(word)) >= 0:
                    hits.append(f"{word!r} in {asked}: …{json.dumps(text[max(0, at - 80) : at + 80])}…")
        return hits
