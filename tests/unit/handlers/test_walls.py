"""The walls around agents and around the servers they talk to, as manifests, images and Jobs have them."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.handlers.test_agent_job import STIRRUP, a_world, secret, started

from reprise.domain.run_status import Phase
from reprise.handlers.runtime import AGENTS_NAMESPACE, ATTEMPT_LABEL

ROOT = Path(__file__).parents[3]
KEY = "sk-the-key-of-the-model"
_COPY = re.compile(r"^COPY ([^-].*) \S+$", re.M)


def documents(path: str) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all((ROOT / "manifests" / path).read_text()) if one]


@pytest.mark.parametrize("image", ["agent", "agent-shell"])
def test_images_of_agents_hold_the_agents_and_no_answer(image: str) -> None:
    folder = ROOT / "images" / image
    copied = {
        source for line in _COPY.findall((folder / "Containerfile").read_text()) for source in line.split()
    }
    listed = folder / "image.yaml"
    inputs = set(yaml.safe_load(listed.read_text())["inputs"] if listed.is_file() else ())
    package = {"operator/reprise/__init__.py", "operator/reprise/agents"}
    assert copied | inputs
    # `operator/` is the folder of the inputs in the build's context.
    assert copied | inputs <= package | {"operator/", "requirements.txt", "bin/"}
    assert inputs == (package if "operator/" in copied else set())


def test_agents_reach_the_gateway_and_nothing_else() -> None:
    (policy,) = documents("operator/agents.yaml")
    assert policy["metadata"]["namespace"] == AGENTS_NAMESPACE
    assert policy["spec"]["podSelector"] == {}
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in policy["spec"]
    (rule,) = policy["spec"]["egress"]
    (peer,) = rule["to"]
    assert rule["ports"] == [{"protocol": "TCP", "port": 8443}]
    assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "reprise-system"}
    (expression,) = peer["podSelector"]["matchExpressions"]
    assert expression == {"key": "app.kubernetes.io/name", "operator": "In", "values": ["gateway", "replay"]}


def test_the_server_of_a_snapshot_sees_attempts_and_nothing_of_the_cluster() -> None:
    bound = [
        (one["kind"], one["roleRef"]["name"])
        for one in documents("gateway/rbac.yaml")
        if any(subject["name"] == "replay" for subject in one.get("subjects", ()))
    ]
    assert bound == [("ClusterRoleBinding", "reprise-replay")]
    (role,) = [one for one in documents("gateway/rbac.yaml") if one["metadata"]["name"] == "reprise-replay"][
        :1
    ]
    assert {
        (tuple(rule["apiGroups"]), tuple(rule["resources"]), tuple(rule["verbs"])) for rule in role["rules"]
    } == {
        (("reprise.dev",), ("agentattempts",), ("get", "list", "watch")),
        (("reprise.dev",), ("agentattempts/status",), ("patch",)),
    }


def test_rights_are_the_same_whatever_the_incident() -> None:
    """Rights that were bound where something is broken would say where."""
    bindings = [one for one in documents("gateway/rbac.yaml") if one["kind"].endswith("Binding")]
    homes = {one["metadata"].get("namespace", "") for one in bindings}
    assert homes == {"", "kube-node-lease"}


async def test_the_models_key_lies_in_the_attempts_secret_alone() -> None:
    encoded = base64.b64encode(KEY.encode()).decode()
    world = await started(STIRRUP, objects=(secret("model", **{"api-key": encoded}),))
    assert world.run().status.phase is Phase.ATTEMPTING
    holding = {
        (item["kind"], item["metadata"]["namespace"])
        for item in world.objects().values()
        if KEY in json.dumps(item) or encoded in json.dumps(item)
    }
    assert holding == {("Secret", "default"), ("Secret", AGENTS_NAMESPACE)}
    (policy,) = world.of_kind("NetworkPolicy", AGENTS_NAMESPACE)
    assert set(policy["spec"]["podSelector"]["matchLabels"]) == {ATTEMPT_LABEL}, "of this attempt alone"


def test_the_world_can_hold_a_key() -> None:
    """Else finding it nowhere would mean nothing."""
    assert KEY in json.dumps([*a_world(secret("x", key=KEY)).objects().values()])
