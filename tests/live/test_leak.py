"""As the agent: read everything there is, and find nothing that gives the benchmark or its answer away."""

import base64
import json
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from tests.live.crawler import WRITES, Crawler
from tests.live.gateway_fixtures import deployed_gateway, gateway, shop
from tests.live.gateway_harness import Gateway

from reprise.domain import redaction

__all__ = ["gateway", "shop"]

# Beside the words that the gateway itself hunts for: words of the answer's own files, and of the machinery.
MACHINERY = (
    "agent-attempt",
    "rootcause",
    "before-image",
    "symptomobserved",
    "baselinehealthy",
    "faultinject",
    "fault_inject",
    "gateway-tls",
    "hidden_names",
)
pytestmark = pytest.mark.essential
_ENTITY = re.compile(r"[a-z0-9-]+/[A-Z][A-Za-z]+/[a-z0-9.-]+")


@dataclass(frozen=True)
class Bait:
    """Names that exist only in hidden places."""

    names: tuple[str, ...]


def make(gateway: Gateway, *objects: dict[str, Any]) -> None:
    manifest = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
    gateway.admin("apply", "-f", "-", stdin=json.dumps(manifest))


@pytest.fixture(scope="module")
def bait(gateway: Gateway, shop: str) -> Iterator[Bait]:
    """A plan with its truth, things in hidden namespaces, and what points at them from visible places."""
    tag = secrets.token_hex(4)
    truth = f"bait-truth-{tag}"
    plan = {"truth": {"rootCauses": [{"entity": f"otel-demo/NetworkPolicy/{truth}"}]}}
    now = "2099-01-01T00:00:00Z"

    def meta(name: str, namespace: str = "", **rest: Any) -> dict[str, Any]:
        return {"name": f"{name}-{tag}", **({"namespace": namespace} if namespace else {}), **rest}

    def config(namespace: str, name: str, data: dict[str, str], **rest: Any) -> dict[str, Any]:
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": meta(name, namespace, **rest),
            "data": data,
        }

    def event(name: str, namespace: str, involved: dict[str, str], source: str) -> dict[str, Any]:
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": meta(name, namespace),
            "involvedObject": involved,
            "reason": "Bait",
            "message": f"bait-event-{tag}",
            "type": "Normal",
            "source": {"component": source},
            "firstTimestamp": now,
            "lastTimestamp": now,
        }

    hidden = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        for name in ("reprise-system", "reprise-agents")
    ]
    make(gateway, *hidden)
    objects = [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": meta("run-bait", "reprise-system"),
            "stringData": {"plan": json.dumps(plan)},
        },
        config("reprise-system", "bait-hidden", {"truth": truth}),
        config("reprise-agents", "bait-hidden", {"truth": truth}),
        config(shop, "shown-config", {"x": f"see bait-config-{tag} in reprise-system", "y": "1"}),
        config(
            shop,
            "shown-meta",
            {"y": "1"},
            annotations={"kopf.dev/last-handled-configuration": f"bait-note-{tag}"},
            labels={"reprise.dev/run": f"bait-label-{tag}"},
            finalizers=[],
        ),
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": meta("bait-role"),
            "rules": [{"apiGroups": ["reprise.dev"], "resources": ["benchmarkruns"], "verbs": ["get"]}],
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": meta("bait-binding"),
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
            "subjects": [{"kind": "ServiceAccount", "name": "operator", "namespace": "reprise-system"}],
        },
        event("bait-of-run", "default", {"kind": "BenchmarkRun", "name": "r", "namespace": "default"}, "x"),
        event("bait-by-kopf", shop, {"kind": "Pod", "name": "web", "namespace": shop}, "kopf"),
        event(
            "bait-in-hidden",
            "reprise-system",
            {"kind": "Pod", "name": "o", "namespace": "reprise-system"},
            "k",
        ),
    ]
    make(gateway, *objects)
    names = (truth, *(f"bait-{word}-{tag}" for word in (
        "hidden", "event", "config", "note", "label", "role", "binding", "of-run", "by-kopf", "in-hidden",
    )), f"run-bait-{tag}")  # fmt: skip
    yield Bait(names)
    gateway.admin("delete", "--ignore-not-found", "-f", "-", stdin=json.dumps(
        {"apiVersion": "v1", "kind": "List", "items": objects}
    ))  # fmt: skip


def answers(gateway: Gateway) -> set[str]:
    """Uids of runs, and the entity ids in every stored plan: no agent may read them spelled like that."""
    found: set[str] = set()
    runs = json.loads(gateway.admin("get", "benchmarkruns", "-A", "-o", "json"))["items"]
    found |= {run["metadata"]["uid"] for run in runs}
    stored = json.loads(gateway.admin("get", "secrets", "-n", "reprise-system", "-o", "json"))["items"]
    for secret in stored:
        if secret["metadata"]["name"].startswith("run-"):
            for value in (secret.get("data") or {}).values():
                found |= set(_ENTITY.findall(base64.b64decode(value).decode(errors="replace")))
    return found


@pytest.fixture(scope="module", params=["beside the cluster", "deployed"])
def crawled(
    request: pytest.FixtureRequest,
    gateway: Gateway,
    shop: str,
    bait: Bait,
    kubeconfig: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Crawler:
    """Everything read once: past the rules alone, and past the rules with the rights that they are given."""
    door = gateway
    if request.param == "deployed":
        door = deployed_gateway(tmp_path_factory.mktemp("deployed"), gateway, kubeconfig)
    agent = door.agent(shop)
    crawler = Crawler(agent.server, agent.token, str(agent.ca_file), shop)
    crawler.everything()
    return crawler


def test_the_crawler_has_really_read_things(
    crawled: Crawler, gateway: Gateway, shop: str, record_property: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else finding nothing would mean nothing."""
    succeeded = [asked for asked, _ in crawled.found if asked.endswith("→ 200")]
    record_property("asked", len(crawled.found))
    record_property("read", len(succeeded))
    with capsys.disabled():
        print(f"\nleak hunt at the door: {len(crawled.found)} questions, {len(succeeded)} read")
    assert len(succeeded) > 300
    for part in ("/log", "watch", "openapi/v3/api/v1", "as=Table", "as=PartialObjectMetadata"):
        assert any(part in asked for asked in succeeded), part
    if gateway.has_telemetry:
        for part in ("/label/pod/values", "/api/v1/series", "/jaeger/api/traces", "/alerts"):
            assert any(part in asked for asked in succeeded), part
        assert crawled.mentions(["kube_pod_info"])
    for word in ("coredns", "shown-config-", shop, "kube-scheduler", "node.kubernetes.io"):
        assert crawled.mentions([word]), word
    # 401 and 429 would be the end of the attempt, and nothing behind it was asked.
    assert not [asked for asked, _ in crawled.found if asked.endswith(("→ 401", "→ 429", "→ 500", "→ 503"))]


def test_every_form_but_json_is_refused(crawled: Crawler) -> None:
    """What cannot be filtered is not given, however it is asked for."""
    kubernetes = [
        (asked, text)
        for asked, text in crawled.found
        if asked.startswith(("GET /api", "GET /openapi")) and asked.endswith("→ 200")
    ]
    for form in ("protobuf,applicat", "application/*]", "*/*]", "v=v1;g=meta.k8s.io"):
        assert any(form in asked for asked, _ in kubernetes), form
    for asked, text in kubernetes:
        head = text.partition("\n\n")[0].lower()
        assert "content-type: application/json" in head or ("/log?" in asked and "text/plain" in head), asked
        assert "k8s\x00" not in text, asked
    for form in ("application/cbor]", "application/yaml]", "protobuf]"):
        given = [asked for asked, _ in crawled.found if form in asked]
        assert given, form
        assert not [asked for asked in given if asked.endswith("→ 200")], form


def test_no_verb_but_reading_gets_anywhere(crawled: Crawler) -> None:
    asked = [asked for asked, _ in crawled.found if asked.split()[0] in WRITES and "/mcp" not in asked]
    assert len(asked) > 200
    # 400: a body that is no form, where a form may be asked with. 401 and 429 would say nothing of the verb.
    assert [one for one in asked if one.rpartition(" ")[2] not in ("400", "403", "404", "405")] == []


def test_nothing_names_the_product_or_the_injector(crawled: Crawler) -> None:
    words = (*redaction.PRODUCT_WORDS, *redaction.INJECTOR_WORDS, *MACHINERY)
    assert crawled.mentions(words) == []


def test_nothing_comes_from_hidden_places(crawled: Crawler, bait: Bait) -> None:
    assert crawled.mentions(bait.names) == []


def test_no_answer_of_any_run_is_reachable(crawled: Crawler, gateway: Gateway) -> None:
    assert crawled.mentions(answers(gateway)) == []


def test_fields_that_tell_who_wrote_what_are_gone(crawled: Crawler) -> None:
    kubernetes = [(asked, text) for asked, text in crawled.found if "openapi" not in asked]
    hits = [
        asked
        for asked, text in kubernetes
        if '"managedFields":' in text or '"kubectl.kubernetes.io/last-applied-configuration":' in text
    ]
    assert hits == []


def test_no_secret_value_is_reachable(crawled: Crawler) -> None:
    assert crawled.mentions(["hunter2", base64.b64encode(b"hunter2").decode()]) == []
