"""The pure parts of the measurements: a wrong figure looks like a right one."""

import asyncio
import datetime as dt
import json
from typing import Any

import pytest
from bench import capture, triage
from bench.connection import Connection, Place
from bench.table import percentile

from reprise.snapshot.request import RecordRequest

NOW = dt.datetime(2026, 11, 26, 12, 0, tzinfo=dt.UTC)
REQUEST = RecordRequest("run", "shop", 0, NOW - dt.timedelta(minutes=10), NOW)


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([7.0], 0.99, 7.0),
        ([1.0, 3.0], 0.50, 2.0),
        (list(range(101)), 0.50, 50.0),
        (list(range(101)), 0.99, 99.0),
        (list(range(101))[::-1], 0.99, 99.0),
    ],
)
def test_percentile(values: list[float], share: float, expected: float) -> None:
    assert percentile(values, share) == pytest.approx(expected)


def test_a_scenario_counts_once() -> None:
    found = [triage.Solved("b", 0.0, 10, 1.0), *[triage.Solved("a", 1.0, 20, 2.0)] * 3]
    text = triage.table(found)
    assert "| scenarios (snapshots) | 2 (4) |" in text
    assert "interval | 0.500 [0.000, 1.000] |" in text
    assert "| 1 of 2 [" in text
    assert text.index("`a` | 3 | 1.000 | 20") < text.index("`b` | 1 | 0.000 | 10")


def _line(
    kind: str = "MODIFIED", uid: str = "a", count: int = 1, at: int = 60, namespace: str = "shop"
) -> bytes:
    time = (NOW - dt.timedelta(seconds=at)).isoformat().replace("+00:00", "Z")
    event: dict[str, Any] = {
        "metadata": {"name": uid, "uid": uid, "namespace": namespace},
        "involvedObject": {"kind": "Pod"},
        "count": count,
        "lastTimestamp": time,
    }
    return json.dumps({"type": kind, "object": event}).encode() + b"\n"


def test_observed_events() -> None:
    lines = [
        _line("ADDED"),
        _line(count=2),
        _line(count=2),
        _line("DELETED", uid="gone"),
        _line("BOOKMARK", uid="mark"),
        _line(uid="early", at=601),
        _line(uid="late", at=-1),
        _line(uid="elsewhere", namespace="other"),
        _line(uid="reprise-operator"),
    ]
    assert capture.observed(iter(lines), REQUEST) == {("a", 1), ("a", 2)}


def test_held() -> None:
    source = {("a", 1), ("a", 2), ("b", 1)}
    assert capture.held(source, [("a", 1), ("a", 2), ("b", 1)]) == capture.Held(3, 3, 0, 0)
    assert capture.held(source, [("a", 1), ("a", 1), ("b", 1)]) == capture.Held(3, 3, 1, 1)


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 5\r\n\r\nhello",
        b"Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
        b"content-length:5\r\nX: y\r\n\r\nhello",
    ],
)
async def test_answers_are_read_to_their_end(head: bytes) -> None:
    """Two of them over one connection: what is left of the first would spoil the second."""
    answer = b"HTTP/1.1 200 OK\r\n" + head

    connection = Connection(Place("http://nowhere:1"))
    connection._reader = asyncio.StreamReader()
    connection._reader.feed_data(answer + answer)
    connection._writer = _Nothing()  # type: ignore[assignment]
    assert [(await connection.ask(b""))[1] for _ in range(2)] == [b"hello", b"hello"]


async def test_another_status_is_an_error() -> None:
    connection = Connection(Place("http://nowhere:1"))
    connection._reader = asyncio.StreamReader()
    connection._reader.feed_data(b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 4\r\n\r\nwait")
    connection._writer = _Nothing()  # type: ignore[assignment]
    with pytest.raises(RuntimeError, match=r"429.*wait"):
        await connection.ask(b"")


class _Nothing:
    def write(self, data: bytes) -> None:
        """Sent to nobody."""
