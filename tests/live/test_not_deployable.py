"""An application that never becomes available: the run says why, and nothing is injected."""

import json
from collections.abc import Callable, Iterator

import pytest
from tests.live.conftest import Kubectl, wait_finished

NAMESPACE = "undeployable"
OBJECTS = {
    "apiVersion": "v1",
    "kind": "List",
    "items": [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "operator", "namespace": NAMESPACE},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "reprise-application",
            },
            "subjects": [{"kind": "ServiceAccount", "name": "operator", "namespace": "reprise-system"}],
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "shop", "namespace": NAMESPACE},
            "spec": {
                "selector": {"matchLabels": {"app": "shop"}},
                "template": {
                    "metadata": {"labels": {"app": "shop"}},
                    "spec": {"containers": [{"name": "shop", "image": "localhost/no-such-image:1"}]},
                },
            },
        },
    ],
}


@pytest.fixture
def broken_application(kubectl: Kubectl) -> Iterator[None]:
    kubectl("apply", "-f", "-", stdin=json.dumps(OBJECTS))
    yield
    kubectl("delete", "namespace", NAMESPACE, "--wait=false")


@pytest.mark.usefixtures("broken_application")
def test_not_deployable_is_invalid_with_the_reason(kubectl: Kubectl, start_run: Callable[..., str]) -> None:
    name = start_run(
        "not-deployable",
        scenario="frontend-unreachable",
        application={"name": "used-as-it-is", "namespace": NAMESPACE},
        gates={"deployTimeoutSeconds": 30},
    )
    status = wait_finished(kubectl, name)
    assert (status["phase"], status["reason"]) == ("Invalid", "ApplicationNotAvailable")
    assert "Deployment shop" in status["message"]
    assert "Image" in status["message"] or "ErrImage" in status["message"]
    assert "injection" not in status
    assert kubectl("get", "networkpolicies", "-n", NAMESPACE, "-o", "name") == ""
    events = kubectl("get", "events", "-n", "default", "--field-selector", f"involvedObject.name={name}")
    assert "ApplicationNotAvailable" in events
