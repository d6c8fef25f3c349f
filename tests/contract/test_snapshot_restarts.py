"""The real Jaeger and the real Prometheus, killed while a snapshot is taken: waited for, or a stated gap.

Skipped where `reprise up` has not built them.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.support import jaegers
from tests.support import snapshot_v2 as snapshots

from reprise.adapters import jaeger, prometheus, remote_read
from reprise.cluster import paths
from reprise.replay import source, tsdb
from reprise.snapshot import series, trace_store
from reprise.snapshot.request import RecordRequest

_PROMETHEUS = sorted(paths.cache_dir().glob("go/prometheus-*/prometheus"))
REQUEST = RecordRequest(
    "uid",
    snapshots.NAMESPACE,
    7,
    baseline_at=snapshots.BASELINE,
    recorded_at=snapshots.RECORDED,
    patience_seconds=60,
)


def ids(root: Path) -> list[str]:
    lines = (root / trace_store.FILE_NAME).read_text().splitlines()
    return [json.loads(line)["traceID"].zfill(32) for line in lines]


class Interrupted(jaeger.Jaeger):
    """Calls `between` once, after the first traces were read."""

    between: Any = None

    async def ui_traces(self, trace_ids: Any) -> Any:
        found = await super().ui_traces(trace_ids)
        if self.between is not None:
            between, self.between = self.between, None
            await between()
        return found


@pytest.mark.skipif(not jaegers.BUILT, reason="no Jaeger was built")
@pytest.mark.parametrize("comes_back", [True, False])
async def test_jaeger_dies_while_it_is_read(tmp_path: Path, comes_back: bool) -> None:
    """Its storage is its memory: back again, it answers with nothing, and no error tells so."""
    made = snapshots.traces()
    patience = REQUEST if comes_back else RecordRequest(**{**vars(REQUEST), "patience_seconds": 0.0})
    async with aiohttp.ClientSession() as http, jaegers.running(tmp_path) as server:
        await server.take(made, http)

        async def restart() -> None:
            await server.kill()
            if comes_back:
                await server.start()

        async with Interrupted(server.url) as client:
            whole = await trace_store.take(client, tmp_path / "whole", patience)
            client.between = restart
            taken = await trace_store.take(client, tmp_path / "taken", patience)
    assert (ids(tmp_path / "whole"), whole.missing) == ([one["traceID"].zfill(32) for one in made], [])
    assert ids(tmp_path / "taken") == ids(tmp_path / "whole")[:1]
    gaps = [gap.what for gap in taken.missing if gap.signal == "traces"]
    if comes_back:
        assert gaps == ["traces that Jaeger lost"]
    else:
        assert any(" to 2026-01-02T12:30:00" in gap for gap in gaps), gaps


@pytest.fixture
async def block(tmp_path: Path) -> AsyncIterator[Path]:
    """The samples of a snapshot as Prometheus stores them."""
    found = source.read(snapshots.build(tmp_path / "snapshot"))
    async with aiohttp.ClientSession() as http:
        yield await tsdb._ensure(_PROMETHEUS[-1], found, tmp_path / "cache", http)


class Server:
    """A Prometheus over its own disk, which a kill does not take away."""

    def __init__(self, folder: Path, data: Path) -> None:
        self._folder, self._data = folder, data
        (self.port,) = jaegers.free_ports(1)
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        (self._folder / "prometheus.yml").write_text("storage: {tsdb: {retention: {time: 100y}}}\n")
        self._process = await asyncio.create_subprocess_exec(
            _PROMETHEUS[-1],
            f"--config.file={self._folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self._data}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )

    async def kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


class Cut(prometheus.Prometheus):
    """Calls `between` once, after the first series were read."""

    between: Any = None

    async def read_raw(self, *given: Any) -> list[remote_read.RawSeries]:
        found = await super().read_raw(*given)
        if self.between is not None:
            between, self.between = self.between, None
            await between()
        return found


@pytest.mark.skipif(not _PROMETHEUS, reason="no Prometheus was built")
@pytest.mark.parametrize("comes_back", [True, False])
async def test_prometheus_dies_while_it_is_read(tmp_path: Path, block: Path, comes_back: bool) -> None:
    patience = REQUEST if comes_back else RecordRequest(**{**vars(REQUEST), "patience_seconds": 0.0})
    server = Server(tmp_path, block)

    async def restart() -> None:
        await server.kill()
        if comes_back:
            await server.start()  # it answers later: the reader has to wait

    async with AsyncExitStack() as stack:
        stack.push_async_callback(server.kill)
        await server.start()
        client = await stack.enter_async_context(Cut(f"http://127.0.0.1:{server.port}"))
        whole = await series.take(client, tmp_path / "whole", REQUEST)
        client.between = restart
        taken = await series.take(client, tmp_path / "taken", patience)
    files = [
        (folder / "metrics/series.jsonl").read_bytes() for folder in (tmp_path / "whole", tmp_path / "taken")
    ]
    assert [gap for gap in whole.missing if gap.what != "metadata"] == []
    if comes_back:
        assert files[0] == files[1]
        assert taken.missing == whole.missing
    else:
        assert files[0].startswith(files[1])
        assert len(files[1]) < len(files[0])
        assert any(gap.what.endswith(" on") for gap in taken.missing), taken.missing
