"""Objects at a moment: as listed at the end, or as they were while time goes by."""

import datetime as dt
import json
from pathlib import Path

import pytest
from tests.support import snapshot_v2 as snapshots

from reprise.domain import errors
from reprise.replay import ages
from reprise.replay.clock import Clock
from reprise.replay.collection import Collection
from reprise.replay.history import History

PODS = "core~v1~pods.jsonl"


class Seconds:
    """A monotonic clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return snapshots.build(tmp_path / "snapshot")


def moving(seconds: Seconds) -> Clock:
    return Clock(snapshots.BASELINE, snapshots.RECORDED, moving=True, monotonic=seconds)


def names(found: Collection) -> list[str]:
    return [key for key, _ in found.entries()]


def test_frozen_time_shows_the_last_list(root: Path) -> None:
    found = Collection(root, PODS, Clock(snapshots.RECORDED, snapshots.RECORDED, moving=False))
    assert names(found) == [
        "kube-system/coredns-1",
        "otel-demo/ad-1",
        "otel-demo/cart-1",
        "otel-demo/checkout-1",
        "otel-demo/email-1",
        "otel-demo/shipping-1",
    ]
    assert found.revision == "300"
    assert [key for key, _ in found.entries("kube-system")] == ["kube-system/coredns-1"]
    assert [key for key, _ in found.entries(after="otel-demo/cart-1")] == names(found)[3:]


def test_moving_time_goes_through_what_happened(root: Path) -> None:
    seconds = Seconds()
    found = Collection(root, PODS, moving(seconds))
    assert "otel-demo/quote-1" in names(found)
    assert "otel-demo/ad-1" not in names(found)
    assert found.revision == "100"
    first = found.state
    seconds.now = 1210
    assert "otel-demo/ad-1" in names(found)
    assert found.revision == "210"
    assert found.state != first
    cart = found.find("otel-demo", "cart-1")
    assert cart is not None
    assert "tier" in cart.object["metadata"]["labels"]
    seconds.now = 1380
    cart = found.find("otel-demo", "cart-1")
    assert cart is not None
    assert "tier" not in cart.object["metadata"]["labels"]
    seconds.now = 10_000
    assert "otel-demo/quote-1" not in names(found)
    assert names(found) == sorted(names(found))


def test_what_comes_again_under_its_name_is_another_object(root: Path) -> None:
    path = root / "history" / PODS
    last = json.loads(path.read_text().splitlines()[-1])
    again = {**last, "type": "ADDED", "time": snapshots.text(snapshots.at(1510)), "resourceVersion": "231"}
    path.write_text(path.read_text() + snapshots.dump(again) + "\n")
    history = History(path)
    assert history.before(len(history.records) - 1) is None
    assert history.before(len(history.records) - 2) is not None
    seconds = Seconds()
    found = Collection(root, PODS, moving(seconds))
    seconds.now = 1510
    assert "otel-demo/quote-1" in names(found)


def test_ages_go_on_with_moving_time(root: Path) -> None:
    seconds = Seconds()
    found = Collection(root, PODS, moving(seconds))
    entry = found.find("otel-demo", "cart-1")
    assert entry is not None
    assert found.row(entry, "Metadata")["cells"][4] == "60m"
    seconds.now = 600
    assert found.row(entry, "Metadata")["cells"][4] == "70m"


def test_a_row_carries_what_was_asked_for(root: Path) -> None:
    found = Collection(root, PODS, Clock(snapshots.RECORDED, snapshots.RECORDED, moving=False))
    entry = found.find("otel-demo", "cart-1")
    assert entry is not None
    assert "spec" not in found.row(entry, "Metadata")["object"]
    assert "spec" in found.row(entry, "Object")["object"]


@pytest.mark.parametrize("name", ["objects", "history"])
def test_a_broken_file_is_named(root: Path, name: str) -> None:
    path = root / name / PODS
    path.write_bytes(path.read_bytes() + b'{"half')
    with pytest.raises(errors.Corrupt, match=f"{name}/{PODS}"):
        Collection(root, PODS, moving(Seconds()))


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-5, "<invalid>"),
        (-1, "0s"),
        (119, "119s"),
        (120, "2m"),
        (190, "3m10s"),
        (3600, "60m"),
        (3 * 3600, "3h"),
        (3 * 3600 + 60, "3h1m"),
        (30 * 3600, "30h"),
        (51 * 3600, "2d3h"),
        (20 * 86400, "20d"),
        (800 * 86400, "2y70d"),
        (9 * 365 * 86400, "9y"),
    ],
)
def test_ages_read_like_the_servers(seconds: float, expected: str) -> None:
    assert ages.human(seconds) == expected


async def test_the_clock_waits_only_for_what_comes() -> None:
    seconds = Seconds()
    clock = moving(seconds)
    assert not await clock.reach(snapshots.RECORDED + dt.timedelta(seconds=1))
    seconds.now = 60
    assert await clock.reach(snapshots.at(60))
    frozen = Clock(snapshots.RECORDED, snapshots.RECORDED, moving=False)
    assert frozen() == snapshots.RECORDED
