"""What Chaos Mesh leaves in the application's namespace, as agents see it while the injector is hidden."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from reprise.domain import access, redaction

VIEW = redaction.View(datetime(2026, 11, 24, tzinfo=UTC))
VISIBLE = redaction.View(datetime(2026, 11, 24, tzinfo=UTC), injector_hidden=False)
# As found on a pod under pod-failure.
POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "quote-7ddcb97bd7-bzl7j",
        "namespace": "otel-demo",
        "annotations": {
            "chaos-mesh-xgihr-pod-failure-quote-normal-image": "localhost/otel-demo-lite:ffed138b7109",
            "team": "shop",
        },
        "managedFields": [{"manager": "chaos-controller-manager"}],
    },
    "spec": {"containers": [{"name": "quote", "image": "localhost/pause:c34648b6873a"}]},
}


def test_the_annotation_of_a_failed_pod_is_hidden_and_its_image_is_not() -> None:
    cleaned = redaction.clean(VIEW, POD)
    assert cleaned["metadata"]["annotations"] == {"team": "shop"}
    assert cleaned["spec"] == POD["spec"]
    text = json.dumps(cleaned)
    assert "chaos" not in text
    assert "xgihr" not in text


def test_who_may_see_the_injector_sees_the_annotation() -> None:
    assert len(redaction.clean(VISIBLE, POD)["metadata"]["annotations"]) == 2


def event(**involved: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "quote-1.2", "namespace": "otel-demo"},
        "involvedObject": {"namespace": "otel-demo", "name": "quote-1", **involved},
        "reason": "Updated",
        "message": "Successfully update ObservedGeneration and FailedMessage of resource",
        "lastTimestamp": "2026-11-24T01:00:00Z",
    }


@pytest.mark.parametrize(
    ("found", "hidden"),
    [
        (event(kind="PodNetworkChaos", apiVersion="chaos-mesh.org/v1alpha1"), True),
        (event(kind="Pod", apiVersion="v1"), False),
        ({**event(kind="Pod", apiVersion="v1"), "source": {"component": "chaos-daemon"}}, True),
    ],
)
def test_events_about_and_by_it_are_hidden(found: dict[str, Any], hidden: bool) -> None:
    assert redaction.hides(VIEW, "", "events", found) is hidden


@pytest.mark.parametrize("resource", ["podnetworkchaos", "networkchaos", "schedules"])
def test_its_objects_beside_the_application_are_not_served(resource: str) -> None:
    path = access.parse(("apis", "chaos-mesh.org", "v1alpha1", "namespaces", "otel-demo", resource))
    assert path is not None
    assert access.decide(path, "list", injector_hidden=True) is not None
    assert access.decide(path, "list", injector_hidden=False) is None


def test_its_images_are_hidden_on_nodes() -> None:
    names = ["localhost/chaos-daemon:1", "localhost/chaos-controller-manager:1", "localhost/pause:1"]
    node = {"metadata": {"name": "n"}, "status": {"images": [{"names": [name]} for name in names]}}
    assert redaction.clean(VIEW, node)["status"]["images"] == [{"names": ["localhost/pause:1"]}]
