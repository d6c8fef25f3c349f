"""What an object tells of its own past."""

from typing import Any

import pytest

from reprise.domain import changes

T1, T2, T3 = (f"2026-01-02T12:0{n}:00Z" for n in range(1, 4))
META = {"name": "cart", "namespace": "shop", "creationTimestamp": T1}
ROWS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("created", {"metadata": META}, ["12:01 created"]),
    (
        "created by an owner, and going",
        {
            "metadata": {
                **META,
                "deletionTimestamp": T2,
                "ownerReferences": [{"kind": "ReplicaSet", "name": "cart-1"}],
            }
        },
        ["12:01 created by ReplicaSet/cart-1", "12:02 is being deleted"],
    ),
    (
        "a condition that was updated without a transition",
        {
            "metadata": {**META, "generation": 3},
            "status": {
                "conditions": [
                    {
                        "type": "Progressing",
                        "status": "True",
                        "reason": "ReplicaSetUpdated",
                        "lastTransitionTime": T1,
                        "lastUpdateTime": T2,
                    }
                ]
            },
        },
        [
            "12:01 created",
            "12:01 condition Progressing=True, ReplicaSetUpdated (generation 3)",
            "12:02 condition Progressing=True, ReplicaSetUpdated (generation 3)",
        ],
    ),
    (
        "containers",
        {
            "metadata": META,
            "status": {
                "containerStatuses": [
                    {
                        "name": "cart",
                        "restartCount": 1,
                        "state": {"running": {"startedAt": T3}},
                        "lastState": {"terminated": {"exitCode": 1, "startedAt": T1, "finishedAt": T2}},
                    }
                ]
            },
        },
        [
            "12:01 created",
            "12:03 container cart started (restarts 1)",
            "12:02 container cart ended: exit code 1, no reason given",
        ],
    ),
    (
        "a taint",
        {"metadata": META, "spec": {"taints": [{"key": "k", "effect": "NoSchedule", "timeAdded": T2}]}},
        ["12:01 created", "12:02 taint k:NoSchedule"],
    ),
    (
        "times that are none",
        {"metadata": {"name": "x", "creationTimestamp": None, "deletionTimestamp": "now"}},
        [],
    ),
    (
        "who wrote what is not read",
        {"metadata": {**META, "managedFields": [{"manager": "kubectl", "time": T3}]}},
        ["12:01 created"],
    ),
]


@pytest.mark.parametrize(("obj", "expected"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_changes(obj: dict[str, Any], expected: list[str]) -> None:
    told = [f"{one.time:%H:%M} {one.what}" for one in changes.of({"kind": "Pod", **obj})]
    assert told == expected


def test_they_name_the_entity() -> None:
    (one,) = changes.of({"kind": "Pod", "metadata": META})
    assert str(one.entity) == "shop/Pod/cart"
