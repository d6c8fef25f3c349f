"""The pinned Prometheus over the samples of a snapshot. Skipped where `reprise up` has not built it."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.support import snapshot_v2 as snapshots
from tests.support.replaying import Running, replaying

from reprise.cluster import paths
from reprise.domain import errors
from reprise.replay import source, tsdb

# Found before tests are cut off from the home folder.
_BUILT = sorted(paths.cache_dir().glob("go/prometheus-*/prometheus"))
pytestmark = pytest.mark.skipif(not _BUILT, reason="no Prometheus was built")
QUERY = "/prometheus/api/v1/query"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return snapshots.build(tmp_path_factory.mktemp("snapshot"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
async def replay(root: Path, cache: Path, tmp_path: Path) -> AsyncIterator[Running]:
    async with replaying(root, tmp_path / "out", cache=cache, prometheus=_BUILT[-1]) as running:
        yield running


def values(document: Any) -> dict[str, str]:
    assert document["status"] == "success", document
    return {row["metric"]["job"]: row["value"][1] for row in document["data"]["result"]}


async def test_up_at_the_end_of_the_recording(replay: Running) -> None:
    status, document = await replay.ask(f"{QUERY}?query=up")
    assert (status, values(document)) == (200, {"cart": "1"})
    (row,) = document["data"]["result"]
    assert row["value"][0] == snapshots.RECORDED.timestamp()


@pytest.mark.parametrize(
    ("seconds", "jobs"),
    [
        (1294, {"cart", "quote"}),
        # The last sample is a staleness marker: without it, `quote` would be seen for five more minutes.
        (1296, {"cart"}),
    ],
)
async def test_a_series_ends_with_its_marker(replay: Running, seconds: int, jobs: set[str]) -> None:
    time = snapshots.text(snapshots.at(seconds))
    _, document = await replay.ask(f"{QUERY}?query=up&time={time}")
    assert set(values(document)) == jobs


async def test_samples_are_the_recorded_ones(replay: Running) -> None:
    _, document = await replay.ask(f"{QUERY}?query=latency_seconds[10s]")
    (row,) = document["data"]["result"]
    end = snapshots.RECORDED.timestamp()
    assert row["values"] == [[end - 5, "NaN"]]
    assert row["metric"]["le"] == "+Inf"
    _, document = await replay.ask(f'{QUERY}?query=count_over_time(up{{job="cart"}}[30m])')
    # A range has its end but not its beginning, where the first sample is.
    assert values(document) == {"cart": str(1800 // snapshots.SCRAPE_SECONDS - 1)}


async def test_no_query_looks_beyond_the_recording(replay: Running) -> None:
    _, document = await replay.ask(f"{QUERY}?query=up&time=2030-01-01T00:00:00Z")
    assert document["data"]["result"][0]["value"][0] == snapshots.RECORDED.timestamp()
    start, end = snapshots.text(snapshots.at(0)), "2030-01-01T00:00:00Z"
    _, document = await replay.ask(f"/prometheus/api/v1/series?match[]=up&start={start}&end={end}")
    assert {row["job"] for row in document["data"]} == {"cart", "quote"}
    _, document = await replay.ask("/prometheus/api/v1/label/job/values")
    assert document["data"] == ["cart", "quote"]


async def test_alerts_are_the_recorded_ones(replay: Running) -> None:
    _, (alert,) = await replay.ask("/alerts")
    assert (alert["state"], alert["labels"]["alertname"]) == ("firing", "AdDown")
    assert alert["annotations"] == {"summary": "ad is down"}
    assert alert["activeAt"] == snapshots.text(snapshots.at(1320))


@pytest.mark.parametrize(("begins_at", "states"), [("injectedAt", []), ("symptomAt", ["firing"])])
async def test_alerts_at_an_earlier_moment(
    root: Path, cache: Path, tmp_path: Path, begins_at: str, states: list[str]
) -> None:
    async with replaying(
        root, tmp_path / "out", cache=cache, prometheus=_BUILT[-1], begins_at=begins_at
    ) as running:
        _, document = await running.ask("/prometheus/api/v1/alerts")
        assert [alert["state"] for alert in document["data"]["alerts"]] == states
        _, rules = await running.ask("/prometheus/api/v1/rules")
        assert rules["data"]["groups"][0]["rules"][0]["state"] == (states or ["inactive"])[0]


async def test_the_second_start_loads_nothing(root: Path, cache: Path, tmp_path: Path) -> None:
    """The samples are gone, and still there."""
    async with replaying(root, tmp_path / "a", cache=cache, prometheus=_BUILT[-1]):
        pass
    before = sorted(os.listdir(cache))
    emptied = snapshots.build(tmp_path / "emptied")
    (emptied / "metrics" / "series.jsonl").unlink()
    async with replaying(emptied, tmp_path / "b", cache=cache, prometheus=_BUILT[-1]) as running:
        assert values((await running.ask(f"{QUERY}?query=up"))[1]) == {"cart": "1"}
    assert sorted(os.listdir(cache)) == before


async def test_a_broken_file_leaves_nothing_half_made(tmp_path: Path) -> None:
    root = snapshots.build(tmp_path / "snapshot")
    with (root / "metrics" / "series.jsonl").open("a") as out:
        out.write('{"metric":{"__name__":"x"},"t":[1],"v":[]}\n')
    with pytest.raises(errors.Corrupt, match=r"series\.jsonl"):
        async with replaying(root, tmp_path / "out", prometheus=_BUILT[-1]):
            pass
    assert not [name for name in os.listdir(tmp_path / "cache") if not name.endswith((".lock", ".sqlite"))]


async def test_a_program_that_is_no_prometheus(root: Path, tmp_path: Path) -> None:
    with pytest.raises(errors.ToolFailed):
        async with replaying(root, tmp_path / "out", prometheus=Path(sys.executable)):
            pass


async def test_it_is_over_with_the_replay(root: Path, cache: Path) -> None:
    async with aiohttp.ClientSession() as http:
        async with (
            tsdb.serving(_BUILT[-1], source.read(root), cache, http) as url,
            http.get(f"{url}/-/ready") as ok,
        ):
            assert ok.status == 200
        with pytest.raises(aiohttp.ClientConnectorError):
            await http.get(f"{url}/-/ready")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children of a killed parent")
async def test_it_dies_with_a_parent_that_is_killed(root: Path, cache: Path) -> None:
    """A process of its own starts it, says its address, and is killed."""
    code = """
import asyncio, aiohttp, sys
from pathlib import Path
from reprise.replay import source, tsdb

async def main():
    binary, root, cache = map(Path, sys.argv[1:])
    async with aiohttp.ClientSession() as http:
        async with tsdb.serving(binary, source.read(root), cache, http) as url:
            print(url, flush=True)
            await asyncio.Event().wait()

asyncio.run(main())
"""
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        code,
        *map(str, (_BUILT[-1], root, cache)),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=asyncio.subprocess.PIPE,
    )
    assert parent.stdout is not None
    url = (await parent.stdout.readline()).decode().strip()
    parent.send_signal(signal.SIGKILL)
    await parent.wait()
    async with aiohttp.ClientSession() as http, asyncio.timeout(10):
        while True:
            try:
                async with http.get(f"{url}/-/ready") as answer:
                    await answer.read()
            except aiohttp.ClientError:
                break
