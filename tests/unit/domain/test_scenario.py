"""Which scenarios a filter lets through."""

import pytest

from reprise.domain.scenario import Difficulty, Fault, Scenario


def scenario(*mechanisms: str) -> Scenario:
    faults = tuple(Fault(name, "Deployment", "cart") for name in mechanisms)
    return Scenario("name", "Title", "Symptom", Difficulty.EASY, ("a", "b"), "shop", faults, ())


@pytest.mark.parametrize(
    ("tags", "mechanisms", "matches"),
    [
        ((), (), True),
        (("a",), (), True),
        (("a", "b"), (), True),
        (("a", "c"), (), False),
        ((), ("one",), True),
        ((), ("three", "two"), True),
        ((), ("three",), False),
        (("a",), ("three",), False),
        (("c",), ("one",), False),
    ],
)
def test_matches(tags: tuple[str, ...], mechanisms: tuple[str, ...], matches: bool) -> None:
    assert scenario("one", "two").matches(tags, mechanisms) is matches


def test_a_control_uses_no_mechanism() -> None:
    assert scenario().matches()
    assert not scenario().matches(mechanisms=("one",))
