"""What of a log is answered, and in which words there is none."""

from pathlib import Path
from typing import Any

import pytest
from tests.support import snapshot_v2 as snapshots

from reprise.replay import logs
from reprise.replay.answers import Failure
from reprise.replay.clock import Clock

FROZEN = Clock(snapshots.RECORDED, snapshots.RECORDED, moving=False)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return snapshots.build(tmp_path_factory.mktemp("snapshot"))


async def read(root: Path, pod: Any, clock: Clock = FROZEN, **query: str) -> tuple[int, str]:
    async with logs.stream(root, pod, query, clock) as answer:
        return answer.status, (await answer.read()).decode()


def says(first: int, last: int) -> str:
    return "".join(f"cart says {n}\n" for n in range(first, last))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, says(0, 600)),
        ({"container": "cart"}, says(0, 600)),
        ({"tailLines": "2"}, says(598, 600)),
        ({"tailLines": "0"}, ""),
        ({"tailLines": "5000"}, says(0, 600)),
        ({"sinceTime": snapshots.text(snapshots.at(1794))}, says(598, 600)),
        ({"sinceTime": snapshots.text(snapshots.at(-9))}, says(0, 600)),
        ({"sinceTime": snapshots.text(snapshots.at(9999))}, ""),
        # The last lines are counted first, then the time.
        ({"tailLines": "3", "sinceTime": snapshots.text(snapshots.at(1796))}, says(599, 600)),
        ({"sinceSeconds": "4"}, says(599, 600)),
        ({"limitBytes": "15"}, "cart says 0\ncar"),
        ({"tailLines": "1", "timestamps": "true"}, snapshots.log_lines("cart")[-1] + "\n"),
        ({"follow": "true", "tailLines": "1"}, says(599, 600)),
    ],
)
async def test_what_is_asked_for(root: Path, query: dict[str, str], expected: str) -> None:
    assert await read(root, snapshots.CART, **query) == (200, expected)


async def test_moving_time_shows_no_line_of_later(root: Path) -> None:
    clock = Clock(snapshots.BASELINE, snapshots.RECORDED, moving=True, monotonic=lambda: 0.0)
    assert await read(root, snapshots.CART, clock) == (200, says(0, 1))
    assert await read(root, snapshots.CART, clock, tailLines="5") == (200, says(0, 1))


async def test_a_followed_log_goes_on_with_time(root: Path) -> None:
    ticks = iter(range(0, 10_000, 600))
    clock = Clock(snapshots.BASELINE, snapshots.RECORDED, moving=True, monotonic=lambda: float(next(ticks)))
    assert await read(root, snapshots.CART, clock, follow="true", limitBytes="40") == (200, says(0, 4)[:40])


async def test_the_previous_container(root: Path) -> None:
    assert (await read(root, snapshots.AD, previous="true"))[1].startswith("old ad says 0\n")
    # Waits to be started again: the log is that of the one that ended.
    assert (await read(root, snapshots.AD))[1].startswith("ad says 0\n")


@pytest.mark.parametrize(
    ("pod", "query", "message"),
    [
        (
            snapshots.CHECKOUT,
            {},
            "a container name must be specified for pod checkout-1, choose one of: [checkout sidecar]",
        ),
        (snapshots.CART, {"container": "x"}, "container x is not valid for pod cart-1"),
        (
            snapshots.CART,
            {"previous": "true"},
            'previous terminated container "cart" in pod "cart-1" not found',
        ),
        (
            snapshots.EMAIL,
            {},
            'container "email" in pod "email-1" is waiting to start: trying and failing to pull image',
        ),
        (
            snapshots.CART,
            {"tailLines": "-1"},
            'PodLogOptions "cart-1" is invalid: tailLines: Invalid value: -1: '
            "must be greater than or equal to 0",
        ),
    ],
)
def test_words_of_the_server(root: Path, pod: Any, query: dict[str, str], message: str) -> None:
    with pytest.raises(Failure) as failed:
        logs.stream(root, pod, query, FROZEN)
    assert str(failed.value) == message


async def test_a_pod_without_a_node_has_nothing_to_say(root: Path) -> None:
    assert await read(root, snapshots.SHIPPING) == (204, "")


async def test_a_log_that_was_not_recorded(root: Path) -> None:
    assert await read(root, snapshots.QUOTE) == (
        200,
        "unable to retrieve container logs for containerd://aaa",
    )
