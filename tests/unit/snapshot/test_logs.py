"""Raw logs: read in chunks over HTTP from a server that answers as a kubelet does."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.api_server import ApiServer, connect, serve

from reprise.snapshot import logs, manifest, tables
from reprise.snapshot.patience import Patience
from reprise.snapshot.request import RecordRequest

START = dt.datetime(2026, 11, 21, 12, 0, 0, 500_000, tzinfo=dt.UTC)
REQUEST = RecordRequest("uid", "shop", 7, baseline_at=START, recorded_at=START + dt.timedelta(minutes=4))
POD: dict[str, Any] = {
    "metadata": {"name": "cart-1", "namespace": "shop", "uid": "u"},
    "status": {"containerStatuses": [{"name": "cart", "restartCount": 0, "state": {"running": {}}}]},
}
T = b"2026-11-21T12:01:00.123456789Z "
LONG = b"x" * (10 << 20)


async def take(
    root: Path, log: bytes | int, **failing: int
) -> tuple[list[str], list[manifest.Missing], bytes]:
    """Bodies of the table's rows, gaps, and the raw file."""
    server = ApiServer(logs={("shop", "cart-1", "cart", False): log})
    server.failing = {"/api/v1/namespaces/shop/pods/cart-1/log": failing.get("times", 0)}
    async with serve(server) as url, connect(url) as api:
        with tables.TableWriter(root, logs.FILE_NAME, logs.COLUMNS) as table:
            entries, missing = await logs.take(api, root, REQUEST, [POD], Patience(), table)
    rows = tables.read_rows(root / logs.FILE_NAME)
    if not entries:
        return [row["Body"] for row in rows], missing, b""
    raw = (root / entries[0].path).read_bytes()
    assert (entries[0].size_bytes, entries[0].rows) == (len(raw), len(raw.splitlines()))
    return [row["Body"] for row in rows], missing, raw


@pytest.mark.parametrize(
    ("log", "kept"),
    [
        (T + b"a\n" + T + b"b\n", T + b"a\n" + T + b"b\n"),
        (T + b"asked Reprise-system\n" + T + b"b\n", T + b"b\n"),
        (b"2026-11-21T12:05:00.1Z late\n" + T + b"b\n", T + b"b\n"),
        (T + b"\xff\xfe\x00 binary\r\n", T + b"\xff\xfe\x00 binary\r\n"),
        (T + b"cut off", T + b"cut off"),
        (T + LONG + b"\n" + T + b"b\n", T + LONG + b"\n" + T + b"b\n"),
        (T + LONG + b" by kopf\n" + T + b"b\n", T + b"b\n"),
        (T + LONG[: (1 << 20) - len(T) - 3] + b"reprise\n" + T + b"b\n", T + b"b\n"),
        (b"", b""),
    ],
    ids=[
        "plain",
        "hidden",
        "late",
        "binary",
        "no end",
        "10 MB",
        "hidden at its end",
        "over an edge",
        "empty",
    ],
)
async def test_the_raw_file(log: bytes, kept: bytes, tmp_path: Path) -> None:
    _, _, raw = await take(tmp_path, log)
    assert raw == kept


async def test_the_table_cuts_what_no_reader_takes(tmp_path: Path) -> None:
    bodies, missing, _ = await take(tmp_path, T + LONG + b"\n" + T + b"b\n")
    assert [len(body) for body in bodies] == [logs.LINE_BYTES - len(T), 1]
    assert [gap.why for gap in missing] == ["1 lines are cut after 1048576 bytes in otel_logs_raw.tsv"]


async def test_binary_bytes_in_the_table(tmp_path: Path) -> None:
    bodies, _, _ = await take(tmp_path, T + b"\xff\ta\n")
    assert bodies == ["\ufffd\\ta"]


async def test_a_log_is_cut_at_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "LIMIT_BYTES", 60)
    _, missing, raw = await take(tmp_path, T + b"a\n" + T + b"b\n")
    assert raw == (T + b"a\n" + T + b"b\n")[:60]
    assert missing == [manifest.Missing("logs", "shop/cart-1/cart", "cut after 60 bytes")]


async def test_what_the_kubelet_says_is_no_line(tmp_path: Path) -> None:
    _, missing, raw = await take(tmp_path, b"unable to retrieve container logs for containerd://abc\n")
    assert raw == b""
    assert "unable to retrieve" in missing[0].why


async def test_a_node_that_is_away_for_a_moment(tmp_path: Path) -> None:
    bodies, missing, _ = await take(tmp_path, T + b"a\n", times=2)
    assert (bodies, missing) == (["a"], [])


async def test_a_log_that_is_gone_is_a_gap(tmp_path: Path) -> None:
    bodies, missing, _ = await take(tmp_path, 404)
    assert bodies == []
    assert [(gap.signal, gap.what) for gap in missing] == [("logs", "shop/cart-1/cart")]
    assert not json.dumps(missing[0].why).count("http://")
    assert not (tmp_path / "logs/shop/cart-1/cart.log").exists()


async def test_a_word_over_the_edges_of_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "CHUNK_BYTES", 3)
    bodies, _, raw = await take(tmp_path, T + b"a\n" + T + b"by benchmarkrun 1\n" + T + b"b\n")
    assert raw == T + b"a\n" + T + b"b\n"
    assert bodies == ["a", "b"]
