"""Neighbours and paths in a small topology."""

import pytest

from reprise.domain import errors
from reprise.domain.topology import Graph
from reprise.domain.topology_walk import Walk

EVERYWHERE = frozenset({"Namespace"})


@pytest.fixture
def walk() -> Walk:
    graph = Graph()
    for kind, name in (
        ("Namespace", "shop"),
        ("App", "web"),
        ("App", "cart"),
        ("Service", "cart"),
        ("Pod", "cart-1"),
        ("ConfigMap", "flags"),
        ("ConfigMap", "lonely"),
    ):
        node = graph.node(kind, name)
        if kind != "App":
            graph.edge("Namespace/shop", "contains", node)
    graph.edge("App/web", "calls", "Service/cart", count=3)
    graph.edge("App/cart", "is_alias", "Service/cart")
    graph.edge("Service/cart", "contains", "Pod/cart-1")
    graph.edge("Pod/cart-1", "depends_on", "ConfigMap/flags")
    return Walk(graph.to_json())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Pod/cart-1", "Pod/cart-1"),
        ("shop/Pod/cart-1", "Pod/cart-1"),
        (" pod/CART-1 ", "Pod/cart-1"),
        ("flags", "ConfigMap/flags"),
    ],
)
def test_find(walk: Walk, text: str, found: str) -> None:
    assert walk.find(text) == found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cart", "there are App/cart, Service/cart"),
        ("Deployment/cart", "there are App/cart, Pod/cart-1, Service/cart"),
        ("nope", "nothing has such a name"),
        ("", "expected one node"),
    ],
)
def test_what_is_not_one_node_is_refused_with_what_is_near(walk: Walk, text: str, words: str) -> None:
    with pytest.raises(errors.InvalidInput, match=words):
        walk.find(text)


def steps(walk: Walk, start: str, depth: int) -> list[tuple[int, str]]:
    return [(distance, step.there) for distance, step in walk.neighbours(start, depth, EVERYWHERE)]


def test_neighbours(walk: Walk) -> None:
    assert sorted(steps(walk, "Pod/cart-1", 1)) == [
        (1, "ConfigMap/flags"),
        (1, "Namespace/shop"),
        (1, "Service/cart"),
    ]
    # Beyond the namespace there is everything, which is nothing.
    assert "ConfigMap/lonely" not in [there for _, there in steps(walk, "Pod/cart-1", 3)]
    assert (2, "App/web") in steps(walk, "Pod/cart-1", 2)


def test_paths(walk: Walk) -> None:
    found = walk.path("App/web", "ConfigMap/flags", EVERYWHERE)
    assert found is not None
    assert [(step.there, step.forward) for step in found] == [
        ("Service/cart", True),
        ("Pod/cart-1", True),
        ("ConfigMap/flags", True),
    ]
    back = walk.path("ConfigMap/flags", "App/web", EVERYWHERE)
    assert back is not None
    assert [step.forward for step in back] == [False, False, False]
    assert walk.path("App/web", "App/web", EVERYWHERE) == []
    assert walk.path("App/web", "ConfigMap/lonely", EVERYWHERE) is None
    assert walk.path("Namespace/shop", "ConfigMap/lonely", EVERYWHERE) is not None
