"""Whose connections there are, and which go."""

from types import SimpleNamespace
from typing import Any

from reprise.gateway import connections


def request(connection: object) -> Any:
    return SimpleNamespace(protocol=connection, transport=None)


def test_of_those_nobody_has_spoken_on_the_oldest_go() -> None:
    made = connections.Connections(lambda: ["a"])
    opened: list[Any] = [object() for _ in range(connections.MAX_UNKNOWN + 10)]
    # The oldest of all has spoken.
    assert made.admit(request(opened[0]), "a")
    assert made.excess(opened) == opened[1:10]
    assert made.excess(opened[10:]) == []


def test_an_attempt_has_only_so_many_and_closed_ones_do_not_count() -> None:
    made = connections.Connections(lambda: ["a", "b"])
    opened: list[Any] = [object() for _ in range(connections.MAX_OF_ATTEMPT)]
    assert all(made.admit(request(one), "a") for one in opened)
    new = object()
    assert not made.admit(request(new), "a")
    # Those that it has go on, and nobody else is held to its number.
    assert made.admit(request(opened[0]), "a")
    assert made.admit(request(new), "b")
    made.excess(opened[1:])
    assert made.admit(request(object()), "a")


def test_a_connection_may_be_of_one_attempt_after_another() -> None:
    made = connections.Connections(lambda: ["a", "b"])
    one = object()
    for uid in ("a", "b", "a"):
        assert made.admit(request(one), uid)
    opened: list[Any] = [object() for _ in range(connections.MAX_OF_ATTEMPT)]
    assert [made.admit(request(other), "b") for other in opened] == [True] * len(opened)
