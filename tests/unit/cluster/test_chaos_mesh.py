"""What `reprise up` makes for Chaos Mesh."""

import base64
import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from reprise.cluster import chaos_mesh

NOW = dt.datetime(2026, 11, 24, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def data() -> dict[str, str]:
    return chaos_mesh.make_certificates(NOW)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("webhook.crt", "chaos-mesh-controller-manager.chaos-mesh.svc"),
        ("daemon.crt", "chaos-daemon.chaos-mesh.org"),
        ("client.crt", "controller-manager.chaos-mesh.org"),
    ],
)
def test_certificates_carry_the_names_that_are_asked_for(data: dict[str, str], file: str, name: str) -> None:
    leaf, authority = (
        x509.load_pem_x509_certificate(base64.b64decode(data[one])) for one in (file, "ca.crt")
    )
    leaf.verify_directly_issued_by(authority)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [name]


def test_webhooks_see_nothing_but_new_experiments(data: dict[str, str]) -> None:
    found: list[Any] = chaos_mesh.webhooks(data)
    hooks = [hook for configuration in found for hook in configuration["webhooks"]]
    assert {configuration["kind"] for configuration in found} == {
        "MutatingWebhookConfiguration",
        "ValidatingWebhookConfiguration",
    }
    for hook in hooks:
        [rule] = hook["rules"]
        assert rule["apiGroups"] == ["chaos-mesh.org"], hook["name"]
        assert rule["operations"] == ["CREATE"], hook["name"]
        assert hook["clientConfig"]["caBundle"] == data["ca.crt"]
    paths = {hook["clientConfig"]["service"]["path"] for hook in hooks}
    assert "/validate-chaos-mesh-org-v1alpha1-schedule" in paths
    assert len(paths) == len(hooks)


def test_other_certificates_are_other_pods(data: dict[str, str]) -> None:
    workload = {"kind": "DaemonSet", "spec": {"template": {"spec": {}}}}
    [first] = chaos_mesh.stamped([workload], data)
    [again] = chaos_mesh.stamped([workload], data)
    [other] = chaos_mesh.stamped([workload], chaos_mesh.make_certificates(NOW))
    assert first == again
    assert first != other
    assert workload == {"kind": "DaemonSet", "spec": {"template": {"spec": {}}}}
    service = {"kind": "Service", "spec": {}}
    assert chaos_mesh.stamped([service], data) == [service]


def test_only_crds_are_taken_from_the_chart(tmp_path: Path) -> None:
    text = "# comment\n---\nkind: CustomResourceDefinition\nmetadata: {name: a}\n---\n---\nkind: Secret\n"
    assert chaos_mesh.parse(text) == [{"kind": "CustomResourceDefinition", "metadata": {"name": "a"}}]
