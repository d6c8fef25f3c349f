"""Rules, alerts and metadata come from files; samples are written as Prometheus reads them."""

import math
import struct
from pathlib import Path

import aiohttp
import cramjam
import pytest
from tests.support import snapshot_v2 as snapshots
from tests.support.fetching import ask

from reprise.adapters import remote_write
from reprise.replay import metrics, source
from reprise.replay.clock import Clock


def test_alerts_of_an_earlier_moment_come_from_their_series() -> None:
    labels = {"alertname": "AdDown", "namespace": "otel-demo"}
    series = [
        {"metric": {"__name__": "ALERTS", "alertstate": "pending", **labels}, "value": [0, "1"]},
        {"metric": {"__name__": "ALERTS_FOR_STATE", **labels}, "value": [0, "1767356520"]},
    ]
    (group,) = metrics.active(snapshots.rules(), series)["groups"]
    (rule,) = group["rules"]
    assert rule["state"] == "pending"
    (alert,) = rule["alerts"]
    assert alert["state"] == "pending"
    assert alert["activeAt"].startswith("2026-01-02T12:22:00")
    assert alert["annotations"] == {"summary": "ad is down"}
    quiet = metrics.active(snapshots.rules(), [])["groups"][0]["rules"][0]
    assert (quiet["state"], quiet["alerts"]) == ("inactive", [])


@pytest.mark.parametrize(
    ("given", "count"),
    [
        ({}, 1),
        ({"type": ["alert"]}, 1),
        ({"type": ["record"]}, 0),
        ({"rule_name[]": ["AdDown"]}, 1),
        ({"rule_name[]": ["x"]}, 0),
        ({"rule_group[]": ["x"]}, 0),
    ],
)
def test_rules_are_selected(given: dict[str, list[str]], count: int) -> None:
    assert len(metrics.rules(snapshots.rules()["groups"], given)) == count


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"a": [1, 2], "b": [3]}),
        ({"metric": ["b"]}, {"b": [3]}),
        ({"limit": ["1"]}, {"a": [1, 2]}),
        ({"limit_per_metric": ["1"]}, {"a": [1], "b": [3]}),
    ],
)
def test_metadata_is_selected(given: dict[str, list[str]], expected: object) -> None:
    assert metrics.metadata({"a": [1, 2], "b": [3]}, given) == expected


async def test_without_a_prometheus_the_reason_is_told(tmp_path: Path) -> None:
    found = source.read(snapshots.build(tmp_path))
    clock = Clock(snapshots.RECORDED, snapshots.RECORDED, moving=False)
    async with aiohttp.ClientSession() as http:
        made = metrics.Metrics(found, clock, http, None, "there is none")
        status, document = await ask(made, "query", [("query", "up")])
        assert (status, document["error"]) == (503, "there is none")
        status, document = await ask(made, "alerts", [])
        assert [alert["state"] for alert in document["data"]["alerts"]] == ["firing"]
        assert (await ask(made, "metadata", [("limit", "x")]))[0] == 400


def test_a_write_request_is_protobuf_in_snappy() -> None:
    samples = [(1_700_000_000_000, "1.5"), (1_700_000_005_000, "stale"), (1_700_000_010_000, "NaN")]
    part = remote_write.series({"job": "a", "__name__": "up"}, samples)
    body = bytes(cramjam.snappy.decompress_raw(remote_write.compress([part])))
    assert body == part
    # Labels in the order of their names: Prometheus refuses others.
    assert body.index(b"__name__") < body.index(b"job")
    assert struct.pack("<d", 1.5) in body
    assert struct.pack("<Q", 0x7FF0000000000002) in body
    assert struct.pack("<Q", 0x7FF8000000000001) in body
    # 1700000000000 as a varint
    assert b"\x10\x80\xd0\x95\xff\xbc1" in body


@pytest.mark.parametrize(("value", "expected"), [("+Inf", math.inf), ("-Inf", -math.inf), ("1e+21", 1e21)])
def test_values_in_prometheus_words(value: str, expected: float) -> None:
    assert struct.pack("<d", expected) in remote_write.series({}, [(0, value)])
