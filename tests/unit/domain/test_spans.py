"""Traces read as trees, and where their errors begin."""

from typing import Any

import pytest

from reprise.domain import spans


def wired(name: str, parent: str = "", at: int = 0, **tags: Any) -> dict[str, Any]:
    return {
        "spanID": name,
        "operationName": f"do {name}",
        "references": [{"refType": "CHILD_OF", "spanID": parent}] if parent else [],
        "startTime": at,
        "duration": 10,
        "tags": [{"key": key.replace("__", "."), "value": item} for key, item in tags.items()],
        "logs": [],
        "processID": "p1",
    }


def trace(*given: dict[str, Any]) -> spans.Trace:
    return spans.parse({"traceID": "t", "spans": list(given), "processes": {"p1": {"serviceName": "cart"}}})


def shape(found: spans.Trace) -> list[tuple[int, str]]:
    return [(depth, span.span_id) for root in found.roots for depth, span in root.walk()]


TREES: list[tuple[str, list[dict[str, Any]], list[tuple[int, str]]]] = [
    (
        "children by their start",
        [wired("c", "a", 2), wired("b", "a", 1), wired("a")],
        [(0, "a"), (1, "b"), (1, "c")],
    ),
    ("a parent that never came", [wired("b", "gone")], [(0, "b")]),
    ("a span that is its own parent", [wired("a", "a")], [(0, "a")]),
    ("a circle", [wired("a", "b"), wired("b", "a"), wired("c", "a")], [(0, "a"), (0, "b"), (0, "c")]),
    ("nothing", [], []),
]


@pytest.mark.parametrize(("given", "expected"), [row[1:] for row in TREES], ids=[row[0] for row in TREES])
def test_trees(given: list[dict[str, Any]], expected: list[tuple[int, str]]) -> None:
    assert shape(trace(*given)) == expected


def test_a_chain_of_ten_thousand_is_no_trouble() -> None:
    chain = [wired(str(n), str(n - 1) if n else "", n, error=True) for n in range(10_000)]
    (origin,) = spans.origins(trace(*chain))
    assert (origin.span.span_id, len(origin.path)) == ("9999", 10_000)


def test_an_error_begins_where_none_is_below_it() -> None:
    found = trace(
        wired("a", error=True),
        wired("b", "a", 1, otel__status_code="ERROR"),
        wired("c", "b", 2),
        wired("d", "c", 3, error="true"),
        wired("e", "a", 4, error=True),
        wired("f", "a", 5, error="false"),
    )
    told = [(origin.span.span_id, [span.span_id for span in origin.path]) for origin in spans.origins(found)]
    assert told == [("d", ["a", "b", "c", "d"]), ("e", ["a", "e"])]


def test_groups_are_by_what_is_said_the_most_frequent_first() -> None:
    found = trace(
        wired("a", error=True, exception__message="x"),
        wired("b", at=1, error=True, exception__message="x"),
        wired("c", at=2, error=True),
    )
    # Three roots of their own operations: the operation is part of the key.
    assert [len(group) for _, group in spans.grouped(spans.origins(found))] == [1, 1, 1]
    same = [{**wired(name, at=n, error=True), "operationName": "get"} for n, name in enumerate("ab")]
    ((key, group),) = spans.grouped(spans.origins(trace(*same)))
    assert (key, len(group)) == (("cart", "get", ""), 2)


@pytest.mark.parametrize(
    ("tags", "fields", "words"),
    [
        ({"otel__status_description": "refused  by\npeer", "http__status_code": 500}, {}, "refused by peer"),
        ({}, {"exception.message": "boom"}, "boom"),
        ({"http__status_code": 503}, {}, "http.status_code=503"),
        ({"rpc__grpc__status_code": 14}, {"exception.type": "X"}, "rpc.grpc.status_code=14"),
        ({"otel__status_description": ""}, {}, ""),
    ],
)
def test_trouble_is_in_the_spans_own_words(tags: dict[str, Any], fields: dict[str, Any], words: str) -> None:
    given = wired("a", **tags)
    given["logs"] = [{"fields": [{"key": key, "value": item} for key, item in fields.items()]}]
    (span,) = trace(given).spans()
    assert span.trouble == words


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({}, "UNSET"),
        ({"error": True}, "ERROR"),
        ({"error": "true"}, "ERROR"),
        ({"error": False}, "UNSET"),
        ({"otel.status_code": "ERROR"}, "ERROR"),
        ({"otel.status_code": "error", "error": False}, "ERROR"),
        ({"otel.status_code": "OK", "error": True}, "OK"),
    ],
)
def test_the_status_that_was_set_wins(tags: dict[str, object], expected: str) -> None:
    assert spans.status_of(tags) == expected


@pytest.mark.parametrize(
    ("references", "expected"),
    [
        (None, ""),
        ([{"refType": "CHILD_OF", "spanID": "b"}], "b"),
        ([{"refType": "FOLLOWS_FROM", "traceID": "t", "spanID": "a"}], ""),
        (
            [
                {"refType": "CHILD_OF", "traceID": "other", "spanID": "a"},
                {"refType": "CHILD_OF", "traceID": "t", "spanID": "b"},
            ],
            "b",
        ),
    ],
)
def test_a_parent_is_of_the_same_trace(references: object, expected: str) -> None:
    assert spans.parent_of({"traceID": "t", "references": references}) == expected
