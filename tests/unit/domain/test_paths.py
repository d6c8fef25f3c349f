"""Places inside objects."""

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from reprise.domain import errors, paths
from reprise.domain.paths import ABSENT, Item

CONTAINERS: dict[str, Any] = {
    "spec": {
        "containers": [
            {"name": "cart", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]},
            {"name": "sidecar"},
        ]
    },
    "data": {"demo.flagd.json": "{}"},
}
CART = ("spec", "containers", Item("name", "cart"))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ((*CART, "env", Item("name", "B"), "value"), "2"),
        ((*CART, "env", Item("name", "C")), ABSENT),
        (("spec", "containers", Item("name", "sidecar"), "env"), ABSENT),
        (("data", "demo.flagd.json"), "{}"),
        (("data", Item("name", "x")), ABSENT),
        ((), CONTAINERS),
    ],
)
def test_get(path: paths.Path, expected: Any) -> None:
    assert paths.get(CONTAINERS, path) == expected


def test_put_changes_a_copy_only() -> None:
    path = (*CART, "env", Item("name", "B"), "value")
    changed = paths.put(CONTAINERS, path, "3")
    assert paths.get(changed, path) == "3"
    assert paths.get(CONTAINERS, path) == "2"


def test_a_removed_entry_comes_back_in_its_place() -> None:
    path = (*CART, "env", Item("name", "A"))
    without = paths.put(CONTAINERS, path, ABSENT)
    assert [e["name"] for e in paths.get(without, path[:-1])] == ["B"]
    assert paths.put(without, path, {"name": "A", "value": "1"}, at=0) == CONTAINERS


@pytest.mark.parametrize(
    ("path", "value", "error", "message"),
    [
        ((), 1, errors.InvalidInput, "at least one segment"),
        (("spec", "none", "x"), 1, errors.NotFound, "'spec.none', found nothing"),
        (("data", Item("name", "x")), {"name": "x"}, errors.NotFound, "a list at 'data', found dict"),
        ((*CART, "env", Item("name", "A")), {"name": "Z"}, errors.InvalidInput, "name=A"),
    ],
)
def test_put_refuses(path: paths.Path, value: Any, error: type[errors.RepriseError], message: str) -> None:
    with pytest.raises(error, match=message):
        paths.put(CONTAINERS, path, value)


def test_text() -> None:
    assert paths.text((*CART, "image")) == "spec.containers[name=cart].image"
    assert paths.text(("data", "demo.flagd.json")) == 'data["demo.flagd.json"]'


segments = st.one_of(st.text(max_size=8), st.builds(Item, st.text(max_size=4), st.text(max_size=4)))


@given(st.lists(segments, max_size=5).map(tuple))
def test_json_round_trip(path: paths.Path) -> None:
    assert paths.from_json(paths.to_json(path)) == path
