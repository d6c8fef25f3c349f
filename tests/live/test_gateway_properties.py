"""For any question: what passes the gateway is a part of what the API server says itself, and nothing hidden.

The API server is asked as a ServiceAccount that may read everything on the gateway's list, by the path and
the parameters that the agent gave to the gateway.
"""

import json
import os
import secrets
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st
from tests.fuzz import oracle
from tests.live.crawler import PARTIAL, TABLE
from tests.live.gateway_fixtures import gateway, shop
from tests.live.gateway_harness import Agent, Gateway

from reprise.domain import access

__all__ = ["gateway", "shop"]

Json = dict[str, Any]
EXAMPLES = int(os.environ.get("REPRISE_EXAMPLES") or 80)
HIDDEN = frozenset({"reprise-system", "reprise-agents", "chaos-mesh"})
# Where an object may be told of that the API server does not list any more, or not yet.
MOVING = frozenset({"events", "leases", "pods", "nodes", "endpoints", "endpointslices"})
SECONDS = 30


@dataclass(frozen=True)
class Question:
    method: str
    path: str
    accept: str
    query: tuple[tuple[str, str], ...]

    @property
    def is_watch(self) -> bool:
        return ("watch", "true") in self.query


@dataclass(frozen=True)
class Reader:
    """The API server, as somebody who may read what the gateway's list names, of every namespace."""

    server: str
    token: str
    ca_file: str

    def ask(self, question: Question) -> requests.Response:
        return _get(self.server, self.token, self.ca_file, question)


def _get(server: str, token: str, ca_file: str, question: Question) -> requests.Response:
    with requests.Session() as http:
        http.trust_env = False
        return http.request(
            question.method,
            server + question.path,
            params=list(question.query),
            headers={"Authorization": f"Bearer {token}", "Accept": question.accept},
            verify=ca_file,
            timeout=SECONDS,
        )


@pytest.fixture(scope="module")
def agent(gateway: Gateway, shop: str) -> Agent:
    return gateway.agent(shop)


@pytest.fixture(scope="module")
def reader(gateway: Gateway, kubeconfig: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """A ServiceAccount bound to a role that holds the allow-list, and nothing else."""
    name = f"reader-{secrets.token_hex(4)}"
    meta = {"name": name, "labels": {"door-test": "true"}}
    rules = [
        {"apiGroups": [group], "resources": list(resources), "verbs": sorted(access.READS)}
        for group, resources in access.READABLE.items()
    ]
    subject = {"kind": "ServiceAccount", "name": name, "namespace": "default"}
    rbac = "rbac.authorization.k8s.io"
    objects: list[Json] = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {**meta, "namespace": "default"}},
        {"apiVersion": f"{rbac}/v1", "kind": "ClusterRole", "metadata": meta, "rules": rules},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": meta,
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": name},
            "subjects": [subject],
        },
    ]
    manifest = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    gateway.admin("apply", "-f", "-", stdin=manifest)
    try:
        token = gateway.admin("create", "token", name, "-n", "default", "--duration=1h").strip()
        ca_file: Path = tmp_path_factory.mktemp("reader") / "ca.crt"
        ca_file.write_text(gateway.admin("get", "configmap", "kube-root-ca.crt", "-n", "default",
                                         "-o", "jsonpath={.data.ca\\.crt}"))  # fmt: skip
        server = gateway.admin("config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}")
        yield Reader(server, token, str(ca_file))
    finally:
        gateway.admin("delete", "--ignore-not-found", "-f", "-", stdin=manifest)


@dataclass(frozen=True)
class World:
    """What there is to ask for: (group, version, resource, namespaced), namespaces, names by resource."""

    resources: tuple[tuple[str, str, str, bool], ...]
    namespaces: tuple[str, ...]
    names: dict[tuple[str, str], list[tuple[str, str]]]


@pytest.fixture(scope="module")
def world(reader: Reader, shop: str) -> World:
    found: list[tuple[str, str, str, bool]] = []
    names: dict[tuple[str, str], list[tuple[str, str]]] = {}
    groups = reader.ask(Question("GET", "/apis", "application/json", ())).json()["groups"]
    versions = {"": ["v1"], **{group["name"]: [v["version"] for v in group["versions"]] for group in groups}}
    for group in sorted(access.READABLE):
        for version in versions.get(group, ()):
            prefix = f"/apis/{group}/{version}" if group else "/api/v1"
            served = reader.ask(Question("GET", prefix, "application/json", ())).json()["resources"]
            for one in served:
                if one["name"] in access.READABLE[group]:
                    found.append((group, version, one["name"], one["namespaced"]))
                    listed = reader.ask(
                        Question("GET", f"{prefix}/{one['name']}", "application/json", (("limit", "40"),))
                    ).json()
                    metas = [item["metadata"] for item in listed.get("items") or ()]
                    names[group, one["name"]] = [(m.get("namespace", ""), m["name"]) for m in metas]
    namespaces = (shop, "kube-system", "kube-node-lease", "default", *sorted(HIDDEN), "no-such-namespace")
    return World(tuple(found), namespaces, names)


SELECTORS = {
    "labelSelector": (
        "app=web", "app!=web", "k8s-app", "!k8s-app", "k8s-app in (kube-dns,x)", "reprise.dev/run", "a=,",
    ),
    "fieldSelector": (
        "metadata.name=web", "metadata.namespace!=kube-system", "metadata.namespace=reprise-system",
        "status.phase=Running", "type=Warning", "involvedObject.namespace=chaos-mesh", "nonsense",
        "spec.nodeName!=x",
    ),
    "limit": ("1", "2", "7", "500", "-1", "x", "0", "9" * 30),
    "continue": ("x", "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiJhXHUwMDAwIn0"),
    "resourceVersion": ("0", "1", "x", "00000000000000000000001"),
    "resourceVersionMatch": ("NotOlderThan", "Exact", "x"),
    "includeObject": ("None", "Metadata", "Object"),
    "pretty": ("true",),
    "dryRun": ("All",),
}  # fmt: skip
ACCEPTS = (
    "application/json",
    TABLE,
    f"{TABLE},application/json",
    PARTIAL,
    PARTIAL.replace("List", ""),
    "*/*",
    "application/vnd.kubernetes.protobuf",
    "application/yaml",
    "application/vnd.kubernetes.protobuf,application/json",
)


@st.composite
def questions(draw: st.DrawFn, world: World) -> Question:
    group, version, resource, namespaced = draw(st.sampled_from(world.resources))
    base = f"/apis/{group}/{version}" if group else f"/api/{version}"
    names = world.names[group, resource]
    form = draw(
        st.sampled_from(("list", "list", "namespace", "namespace", "name", "name", "watch", "write", "sub"))
    )
    namespace, name = draw(st.sampled_from(names)) if names else ("", "nothing")
    if form in ("list", "namespace", "watch") and namespaced and form != "list":
        namespace = draw(st.sampled_from(world.namespaces))
    path = (
        f"{base}/namespaces/{namespace}/{resource}" if namespaced and form != "list" else f"{base}/{resource}"
    )
    if form in ("name", "sub", "write"):
        path += f"/{name}"
    if form == "sub":
        path += draw(
            st.sampled_from(
                ("/status", "/scale", "/log", "/proxy", "/exec", "/token", "/..", "//", "/%2e%2e")
            )
        )
    method = (
        draw(st.sampled_from(("POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")))
        if form == "write"
        else "GET"
    )
    query = [
        (key, draw(st.sampled_from(SELECTORS[key])))
        for key in draw(st.lists(st.sampled_from(sorted(SELECTORS)), max_size=3, unique=True))
    ]
    if form == "watch":
        query += [("watch", "true"), ("timeoutSeconds", "1")]
    return Question(method, path, draw(st.sampled_from(ACCEPTS)), tuple(query))


def lines(body: str) -> list[Json]:
    return [json.loads(line) for line in body.splitlines() if line]


def objects(document: Json) -> list[Json]:
    """The objects of an answer in any form; a row of a Table gives its object with its cells."""
    if document.get("kind") == "Table":
        return [{**(row.get("object") or {}), "cells": row["cells"]} for row in document.get("rows") or ()]
    if "items" in document:
        return document["items"] or []
    return [document]


def identity(obj: Json) -> tuple[str, str, str]:
    meta = obj.get("metadata") or {}
    return meta.get("namespace", ""), meta.get("name", ""), meta.get("uid", "")


def is_part(part: Any, whole: Any) -> bool:
    """Whether every value of `part` stands at its place in `whole`; lists may have lost elements."""
    match part, whole:
        case dict(), dict():
            return all(key in whole and is_part(value, whole[key]) for key, value in part.items())
        case list(), list():
            rest = iter(whole)
            return all(any(is_part(one, other) for other in rest) for one in part)
        case _:
            return bool(part == whole)


def check_status(answer: requests.Response) -> None:
    """A refusal in the API's own words."""
    document = answer.json()
    assert document["kind"] == "Status"
    assert document["apiVersion"] == "v1"
    assert document["status"] == "Failure"
    assert document["code"] == answer.status_code
    assert document["reason"]
    assert document["message"]


def check_objects(question: Question, shown: list[Json], whole: dict[tuple[str, str, str], Json]) -> None:
    """Each object shown is there, and says nothing that it does not say itself."""
    for one in shown:
        if "cells" not in one or one.get("metadata"):
            oracle.check_metadata(one.get("metadata") or {})
            assert identity(one)[0] not in HIDDEN
        if not identity(one)[2]:
            continue  # a Table without objects, or a bookmark
        known = whole.get(identity(one))
        if known is None:
            # It has come, or gone, between the two answers.
            assert question.path.split("/")[-1] in MOVING or question.is_watch, identity(one)
            continue
        same = one["metadata"].get("resourceVersion") == known["metadata"].get("resourceVersion")
        named = {key: item for key, item in one.items() if key not in ("kind", "apiVersion", "cells")}
        assert not same or is_part(named, known), f"{named} is no part of {known}"


def check(question: Question, agent: Agent, reader: Reader) -> int:
    """Ask both. Returns the gateway's status."""
    answer = _get(agent.server, agent.token, str(agent.ca_file), question)
    note(f"{answer.status_code} {answer.text[:500]}")
    if question.method == "HEAD":
        assert answer.status_code >= 400
        return answer.status_code
    if answer.status_code != 200:
        assert answer.status_code in (400, 403, 404, 405, 406, 410, 413, 422, 429), answer.text
        check_status(answer)
        # What the agent itself has said may be said back to it.
        asked = f"{question.path} {question.query}"
        for word in (*oracle.WORDS, *oracle.INJECTOR):
            assert word not in answer.text.lower() or word in asked, answer.text
        return answer.status_code
    assert question.method == "GET"
    assert not set(question.path.split("/")) & {"secrets", "proxy", "exec", "token"}
    oracle.check_words(answer.text, injector_hidden=True)
    assert "remainingItemCount" not in answer.text
    if question.path.endswith("/log"):
        return 200
    documents = [event["object"] for event in lines(answer.text)] if question.is_watch else [answer.json()]
    shown = [one for document in documents if document.get("kind") != "Status" for one in objects(document)]
    # The gateway pages over what is hidden, so the whole is compared and not the page.
    selectors = tuple(pair for pair in question.query if pair[0].endswith("Selector"))
    direct = reader.ask(Question("GET", question.path, "application/json", selectors))
    assert direct.status_code == 200, direct.text
    check_objects(question, shown, {identity(one): one for one in objects(direct.json())})
    return 200


def test_what_passes_is_a_part_of_what_there_is(agent: Agent, reader: Reader, world: World) -> None:
    statuses: list[int] = []

    # Derandomised: the same questions each time, and the one that fails is printed and shrunk.
    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        deadline=None,
        database=None,
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    @given(questions(world))
    def holds(question: Question) -> None:
        note(str(question))
        statuses.append(check(question, agent, reader))

    holds()
    print(f"{len(world.resources)} resources; answers: {sorted(Counter(statuses).items())}")
    # Else agreement would mean little.
    assert statuses.count(200) >= EXAMPLES // 6
    assert len(set(statuses)) >= 4


def test_the_comparison_sees_what_was_made_up() -> None:
    """Else agreement would mean nothing."""
    meta = {"name": "a", "namespace": "b", "uid": "u", "resourceVersion": "1"}
    one = {"metadata": meta, "spec": {"x": [1, 2, 3], "y": {"z": 1}}}
    whole = {identity(one): one}
    question = Question("GET", "/api/v1/configmaps", "application/json", ())
    check_objects(question, [{"metadata": meta, "spec": {"x": [1, 3]}}], whole)
    for wrong in (
        {"metadata": meta, "spec": {"x": [1, 4]}},
        {"metadata": meta, "spec": {"y": {"z": 2}}},
        {"metadata": {**meta, "name": "c"}},
        {"metadata": {**meta, "managedFields": []}},
    ):
        with pytest.raises(AssertionError):
            check_objects(question, [wrong], whole)
