"""What an agent can come upon."""

import pytest
from tests.fakes.kube import FakeKube
from tests.unit.faults import shop

from reprise.domain.entities import EntityId
from reprise.proof import door

NAMESPACE = shop.NAMESPACE


@pytest.fixture
def through(monkeypatch: pytest.MonkeyPatch) -> FakeKube:
    async def kinds(_: object) -> dict[str, tuple[str, bool]]:
        return {"Service": ("v1", True), "ConfigMap": ("v1", True)}

    monkeypatch.setattr(door, "kinds", kinds)
    caller = shop.deployment(
        "checkout",
        env=[
            {"name": "PAYMENT_ADDR", "value": "payment:8080"},
            {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "payment-key", "key": "key"}}},
            {"name": "FLAGS", "valueFrom": {"configMapKeyRef": {"name": "flagd-config", "key": "a"}}},
        ],
        command=["wait-for", "kafka", "9092"],
    )
    return FakeKube(caller, shop.flags())


@pytest.mark.parametrize(
    ("entity", "reachable"),
    [
        (EntityId(NAMESPACE, "ConfigMap", "flagd-config"), True),
        (EntityId(NAMESPACE, "ConfigMap", "gone"), False),
        (EntityId(NAMESPACE, "Secret", "payment-key"), True),
        (EntityId(NAMESPACE, "Secret", "flagd-config"), False),  # a ConfigMap's name
        (EntityId("elsewhere", "Secret", "payment-key"), False),
        (EntityId(NAMESPACE, "Service", "payment"), True),  # deleted, and its caller holds its name
        (EntityId(NAMESPACE, "Service", "kafka"), True),
        (EntityId(NAMESPACE, "Service", "checkout"), False),  # a container's name is no call
        (EntityId("elsewhere", "Service", "payment"), False),
        (EntityId(NAMESPACE, "Ingress", "payment"), False),
    ],
)
async def test_unreachable(through: FakeKube, entity: EntityId, reachable: bool) -> None:
    found = await door.unreachable(through, NAMESPACE, [entity])
    assert found == (() if reachable else (str(entity),))
