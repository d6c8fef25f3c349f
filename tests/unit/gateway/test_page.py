"""Lists and Tables taken apart, and objects that are judged once: all as if each were read alone."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.domain.access import ApiPath
from reprise.domain.redaction import View
from reprise.gateway import judged, page, shape

START = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
VIEW = View(START)
VIEWS = (VIEW, View(START, injector_hidden=False), View(START + timedelta(hours=1)))
PATHS = (
    ApiPath("", "v1", "", "pods", "", ""),
    ApiPath("", "v1", "", "events", "", ""),
    ApiPath("", "v1", "", "persistentvolumes", "", ""),
)
PODS = PATHS[0]
INCLUDES = ("None", "Metadata", "Object")
Json = dict[str, Any]

WORDS = st.sampled_from(
    [
        "reprise",
        "Kopf.dev/x",
        "\u212aopf",
        "a chaos-mesh b",
        "<none>",
        "otel-demo",
        "chaos-mesh",
        'a"},{"b',
        "",
    ]
)
LEAVES = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=8) | WORDS
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=10,
)
TIMES = st.sampled_from(["2026-01-02T11:59:00Z", "2026-01-02T12:30:00Z", "2026-01-02T13:30:00Z"])
META = st.fixed_dictionaries(
    {},
    optional={
        "name": WORDS,
        "namespace": st.sampled_from(["otel-demo", "reprise-system", "chaos-mesh"]),
        "labels": st.dictionaries(WORDS, WORDS, max_size=2),
        "managedFields": st.just([{"manager": "kopf", "fieldsV1": {"f:rows": {}}}]),
        "creationTimestamp": TIMES,
    },
)
OBJECTS = st.fixed_dictionaries(
    {"metadata": META}, optional={"lastTimestamp": TIMES, "spec": VALUES, "rows": VALUES, "items": VALUES}
)
ROWS = st.fixed_dictionaries(
    {"cells": st.lists(LEAVES, max_size=3)},
    optional={
        "object": OBJECTS,
        "conditions": st.lists(st.dictionaries(WORDS, WORDS, max_size=2), max_size=2),
    },
)


def escaped(text: str) -> str:
    """JSON of the same value in which every letter inside of texts is an escape."""
    found, inside, skip = [], False, 0
    for at, char in enumerate(text):
        if skip:
            skip -= 1
        elif char == "\\":
            skip = 5 if text[at + 1] == "u" else 1
        elif char == '"':
            inside = not inside
        elif inside:
            char = f"\\u{ord(char):04x}"
        found.append(char)
    return "".join(found)


WRITERS = st.sampled_from(
    [
        lambda value: json.dumps(value),
        lambda value: json.dumps(value, ensure_ascii=False, indent=1),
        lambda value: escaped(json.dumps(value)),
    ]
)


def loads(found: list[bytes]) -> list[Any]:
    return [json.loads(one) for one in found]


@given(st.lists(ROWS, max_size=4), WRITERS)
def test_rows_are_those_of_each_row_alone(rows: list[Json], write: Any) -> None:
    body = write({"kind": "Table", "metadata": {}, "columnDefinitions": [], "rows": rows}).encode()
    memory = judged.Judged(3000)
    for _ in range(2):
        for view in VIEWS:
            for path in PATHS:
                for include in INCLUDES:
                    alone = [shape.as_row(view, path, row, include) for row in rows]
                    judge = memory.judge(view, path, f"row {include}")
                    shown = page.read_table(body).shown(view, judge)
                    assert loads(shown) == loads([row for row in alone if row is not None])


@given(st.lists(OBJECTS, max_size=4), WRITERS)
def test_items_are_those_of_each_object_alone(items: list[Json], write: Any) -> None:
    body = write({"kind": "PodList", "items": items, "metadata": {}}).encode()
    memory = judged.Judged(3000)
    for _ in range(2):
        for view in VIEWS:
            for path in PATHS:
                for form, encode in (("object", shape.as_object), ("partial", shape.as_partial)):
                    alone = [encode(view, path, item) for item in items]
                    shown = page.read_objects(body).shown(memory.judge(view, path, form))
                    assert loads(shown) == loads([item for item in alone if item is not None])


def raw(**meta: Any) -> bytes:
    return json.dumps({"metadata": {"name": "a", "uid": "u", "resourceVersion": "1", **meta}}).encode()


def test_an_object_is_judged_by_its_bytes_and_not_by_its_version() -> None:
    judge = judged.Judged().judge(VIEW, PODS, "object")
    assert judge(raw(namespace="otel-demo")) is not None
    assert judge(raw(namespace="reprise-system")) is None
    assert judge(raw(namespace="otel-demo")) is not None
    assert loads([judge(raw(labels={"by": "kopf"})) or b""])[0]["metadata"]["labels"] == {}


def test_nothing_is_read_a_second_time(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = judged.Judged()
    first = memory.judge(VIEW, PODS, "object")(raw())
    monkeypatch.setattr(judged, "decode", None)
    assert memory.judge(View(START), PODS, "object")(raw()) == first
    with pytest.raises(TypeError):
        memory.judge(VIEWS[1], PODS, "object")(raw())
    with pytest.raises(TypeError):
        memory.judge(VIEW, PATHS[1], "object")(raw())
    with pytest.raises(TypeError):
        memory.judge(VIEW, PODS, "partial")(raw())


def test_what_is_kept_is_bounded_and_what_is_used_stays() -> None:
    memory = judged.Judged(20_000)
    judge = memory.judge(VIEW, PODS, "object")
    for number in range(500):
        judge(raw(name="used"))
        judge(raw(name=f"pod-{number}"))
        judge(raw(name=f"hidden-{number}", namespace="reprise-system"))
        assert memory.bytes <= 20_000
    assert memory.knows(judge, raw(name="used"))
    assert not memory.knows(judge, raw(name="pod-0"))
    large = raw(name="large", text="x" * 4000)
    assert judge(large) is not None
    assert not memory.knows(judge, large)


def test_an_empty_list_of_the_api_server() -> None:
    """Go writes null for a list that was never made."""
    assert page.read_objects(b'{"kind":"PodList","items":null}').shown(lambda _: b"") == []
    table = page.read_table(b'{"kind":"Table","columnDefinitions":null,"rows":null}\n')
    assert table.shown(VIEW, lambda _: b"") == []
    assert json.loads(page.encode(table, "rows", [], "")) == {
        "kind": "Table",
        "metadata": {},
        "columnDefinitions": None,
        "rows": [],
    }


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"items":[{}',
        b'{"items":[{}]}}',
        b'{"items":[{"a"}]}',
        b'{"items":[{}],"items":7}',
        b"\xff",
    ],
)
def test_what_is_no_list_is_refused(body: bytes) -> None:
    judge = judged.Judged().judge(VIEW, PODS, "object")
    with pytest.raises(ValueError, match="found something else"):
        page.read_objects(body).shown(judge)
