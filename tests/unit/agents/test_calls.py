"""Where errors begin, as traces tell it."""

from reprise.agents.triage.calls import failures


def span(
    identity: str, service: str, parent: str = "", *, failed: bool = True, **tags: str
) -> dict[str, object]:
    return {
        "traceID": "t",
        "spanID": identity,
        "processID": service,
        "references": [{"refType": "CHILD_OF", "traceID": "t", "spanID": parent}] if parent else [],
        "tags": [
            *([{"key": "error", "value": True}] if failed else []),
            *({"key": key.replace("_", "."), "value": value} for key, value in tags.items()),
        ],
    }


def trace(*spans: dict[str, object]) -> dict[str, object]:
    return {
        "traceID": "t",
        "processes": {str(s["processID"]): {"serviceName": s["processID"]} for s in spans},
        "spans": list(spans),
    }


def test_errors_begin_at_the_deepest_failing_span() -> None:
    found = failures(
        [
            trace(
                span("a", "frontend"),
                span("b", "checkout", "a"),
                span("c", "checkout", "b", span_kind="client", server_address="payment"),
                span("d", "payment", "c"),
                span("e", "cart", "b", failed=False),
            )
        ]
    )
    assert dict(found.origins) == {"payment": 1}
    assert dict(found.peers) == {}


def test_a_peer_that_does_not_answer_is_named() -> None:
    found = failures(
        [
            trace(
                span("a", "frontend"),
                span("b", "frontend", "a", span_kind="client", server_address="ad:8080"),
            )
        ]
    )
    assert dict(found.origins) == {"frontend": 1}
    assert dict(found.peers) == {"ad": 1}
