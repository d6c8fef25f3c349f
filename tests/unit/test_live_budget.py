"""The live suite on a clock: what comes first, what is left out, and that it is said."""

import time

import pytest
from tests.live import budget

MODULES = [f"test_{letter}.py" for letter in "abcdefgh"]


def test_essential_modules_come_first_and_none_is_lost() -> None:
    found = budget.modules_in_order(["test_d.py", "test_b.py"], MODULES, day=1)
    assert found[:2] == ["test_b.py", "test_d.py"]
    assert sorted(found) == MODULES


def test_each_module_has_its_turn_before_the_others() -> None:
    last = {budget.modules_in_order([], MODULES, day)[-1] for day in range(60)}
    first = {budget.modules_in_order([], MODULES, day)[0] for day in range(60)}
    assert last == first == set(MODULES)


def test_what_would_begin_too_late_is_skipped(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(budget.UNTIL, str(time.time() - 1))
    with pytest.raises(pytest.skip.Exception, match="make test-live"):
        budget.admit(request.node)


def test_what_is_essential_runs_however_late(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(budget.UNTIL, str(time.time() - 1))
    request.node.add_marker(pytest.mark.essential)
    budget.admit(request.node)


@pytest.mark.parametrize("seconds_left", [None, 3600])
def test_with_time_left_everything_runs(
    seconds_left: int | None, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(budget.UNTIL, raising=False)
    if seconds_left:
        monkeypatch.setenv(budget.UNTIL, str(time.time() + seconds_left))
    budget.admit(request.node)
