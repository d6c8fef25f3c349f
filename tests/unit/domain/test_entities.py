"""Entity ids: one row a spelling."""

import pytest

from reprise.domain import errors
from reprise.domain.entities import EntityId, ObjectRef


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("otel-demo/Service/ad", EntityId("otel-demo", "Service", "ad")),
        (" otel-demo/Service/ad \n", EntityId("otel-demo", "Service", "ad")),
        ("Node/local-worker", EntityId("", "Node", "local-worker")),
        ("ClusterRole/system:node", EntityId("", "ClusterRole", "system:node")),
    ],
)
def test_reads_an_id_and_writes_it_back(text: str, expected: EntityId) -> None:
    assert EntityId.parse(text) == expected
    assert EntityId.parse(str(expected)) == expected


@pytest.mark.parametrize(
    "text",
    ["", "ad", "a/b/c/d", "ns//ad", "ns/Service/", "ns/Serv ice/ad", "ns/Service/ad\nx", "ns\n/Service/ad"],
)
def test_says_what_it_expected(text: str) -> None:
    with pytest.raises(errors.InvalidInput, match="expected 'namespace/Kind/name'"):
        EntityId.parse(text)


def test_a_reference_names_its_entity() -> None:
    assert str(ObjectRef("v1", "Service", "otel-demo", "ad")) == "otel-demo/Service/ad"
    assert str(ObjectRef("v1", "Node", "", "local-worker")) == "Node/local-worker"
