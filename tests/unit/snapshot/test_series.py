"""Raw series over remote read's wire format, and what becomes of them when Prometheus goes away."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import math
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.prometheus import FakePrometheus, serve

from reprise.adapters import prometheus, remote_read
from reprise.domain import errors
from reprise.snapshot import alerts, series
from reprise.snapshot.request import RecordRequest

START = dt.datetime(2026, 11, 21, 12, 0, 0, 500_400, tzinfo=dt.UTC)
FIRST = 1795262400501  # the first whole millisecond within the window
REQUEST = RecordRequest("uid", "shop", 7, START, START + dt.timedelta(minutes=4), patience_seconds=0.0)
PATIENT = dataclasses.replace(REQUEST, patience_seconds=20.0)
STALE = struct.unpack("<d", struct.pack("<Q", remote_read.STALE_BITS))[0]


@pytest.fixture
async def server() -> AsyncIterator[FakePrometheus]:
    async with serve(FakePrometheus()) as running:
        yield running


@pytest.fixture
async def client(server: FakePrometheus) -> AsyncIterator[prometheus.Prometheus]:
    async with prometheus.Prometheus(server.url) as made:
        yield made


def written(root: Path, name: str = series.FILE_NAME) -> list[Any]:
    return [json.loads(line) for line in (root / name).read_bytes().splitlines()]


async def test_samples_keep_their_times_values_and_ends(
    server: FakePrometheus, client: prometheus.Prometheus, tmp_path: Path
) -> None:
    values = [1.0, 1.5, math.nan, math.inf, -math.inf, STALE]
    samples = [(FIRST + n * 5003, value) for n, value in enumerate(values)]
    before, after = (FIRST - 1, 9.0), (FIRST + 239_999 + 1, 9.0)
    server.series = [({"__name__": "up", "job": "kubelet"}, [before, *samples, after])]

    taken = await series.take(client, tmp_path, REQUEST)

    assert written(tmp_path) == [
        {
            "metric": {"__name__": "up", "job": "kubelet"},
            "t": [FIRST, *[5003] * 5],
            "v": ["1", "1.5", "NaN", "+Inf", "-Inf", "stale"],
        }
    ]
    assert [(entry.path, entry.rows) for entry in taken.files] == [
        ("metrics/series.jsonl", 1),
        ("metrics/metadata.json", 0),
    ]
    assert taken.missing == []


async def test_what_an_agent_may_see_in_one_order(
    server: FakePrometheus, client: prometheus.Prometheus, tmp_path: Path
) -> None:
    shown = [
        {"__name__": "ALERTS", "alertname": "A", "alertstate": "firing"},
        {"__name__": "ALERTS_FOR_STATE", "alertname": "A"},
        {"__name__": "up", "instance": "a", "job": "kubelet"},
        {"__name__": "up", "job": "x", "namespace": "kube-system"},
        {"__name__": "up", "job": "x", "namespace": "shop"},
        {"__name__": "up", "job": "é"},
    ]
    hidden = [
        {"__name__": "up", "namespace": "reprise-system"},
        {"__name__": "up", "exported_namespace": "chaos-mesh"},
        {"__name__": "up", "pod": "reprise-operator-1"},
        {"__name__": "up", "label_reprise_dev_run": "x"},
        {"__name__": "kopf_queue", "job": "x"},
    ]
    server.series = [(labels, [(FIRST, 1.0)]) for labels in [*hidden, *reversed(shown)]]
    server.external_labels = {"cluster": "c1"}
    server.metadata = {"up": [{"type": "gauge"}], "a": [{"help": "of kopf"}]}

    await series.take(client, tmp_path, REQUEST)

    assert [line["metric"] for line in written(tmp_path)] == shown
    assert "kopf_queue" not in server.read, "what is hidden by its name is not even asked for"
    assert written(tmp_path, series.METADATA_NAME) == [{"up": [{"type": "gauge"}]}]


async def test_the_same_data_makes_the_same_bytes(
    server: FakePrometheus, client: prometheus.Prometheus, tmp_path: Path
) -> None:
    server.series = [({"__name__": "up", "n": str(n)}, [(FIRST, float(n))]) for n in range(9)]
    first = await series.take(client, tmp_path / "1", REQUEST)
    server.series.reverse()
    second = await series.take(client, tmp_path / "2", REQUEST)
    assert first.files == second.files


async def test_a_restart_is_waited_for(
    server: FakePrometheus, client: prometheus.Prometheus, tmp_path: Path
) -> None:
    server.series = [({"__name__": "up"}, [(FIRST, 1.0)])]
    server.down = {"read": 2, "label/__name__/values": 1, "metadata": 1}

    taken = await series.take(client, tmp_path, PATIENT)

    assert (len(written(tmp_path)), taken.missing) == (1, [])


async def test_what_comes_after_an_outage_is_one_gap(
    server: FakePrometheus, client: prometheus.Prometheus, tmp_path: Path
) -> None:
    server.series = [({"__name__": name}, [(FIRST, 1.0)]) for name in ("a", "b", "c")]
    server.stops_at = "b"

    taken = await series.take(client, tmp_path, REQUEST)

    assert [line["metric"]["__name__"] for line in written(tmp_path)] == ["a"]
    assert [(gap.signal, gap.what) for gap in taken.missing] == [
        ("metrics", "metrics from b on"),
        ("metrics", "metadata"),
    ]
    assert [entry.path for entry in taken.files] == ["metrics/series.jsonl"]


@pytest.mark.parametrize("path", ["read", "label/__name__/values", "status/config"])
async def test_nothing_at_all(
    server: FakePrometheus, client: prometheus.Prometheus, tmp_path: Path, path: str
) -> None:
    server.series = [({"__name__": "up"}, [(FIRST, 1.0)])]
    server.down = {path: 99}
    with pytest.raises(errors.Unreachable, match="503"):
        await series.take(client, tmp_path, REQUEST)


async def test_a_metric_that_is_refused_is_missing_alone(
    server: FakePrometheus, client: prometheus.Prometheus, tmp_path: Path
) -> None:
    server.series = [({"__name__": name}, [(FIRST, 1.0)]) for name in ("a", "b")]
    server.refused = {"a"}

    taken = await series.take(client, tmp_path, REQUEST)

    assert [line["metric"]["__name__"] for line in written(tmp_path)] == ["b"]
    assert [gap.what for gap in taken.missing] == ["a"]
    assert "sample limit" in taken.missing[0].why


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "-0"),
        (3.0, "3"),
        (0.1, "0.1"),
        (1e-6, "0.000001"),
        (9.5e-7, "9.5e-07"),
        (1e16, "10000000000000000"),
        (1.2345678901234567e20, "123456789012345670000"),
        (1e21, "1e+21"),
        (1e300, "1e+300"),
        (5e-324, "5e-324"),
        (1795262400.501, "1795262400.501"),
        (-2.5, "-2.5"),
    ],
)
def test_values_in_the_text_of_prometheus(value: float, text: str) -> None:
    assert remote_read.value_text(value) == text


@pytest.mark.parametrize("body", [b"", b"\xff\xff\xff", b"oops", b"\x04\x0cabcd"])
def test_what_is_no_answer_of_remote_read(body: bytes) -> None:
    with pytest.raises(errors.Unreachable, match="snappy"):
        remote_read.decode(body, {})


async def test_alerting_rules(server: FakePrometheus, client: prometheus.Prometheus, tmp_path: Path) -> None:
    visible = {"name": "ErrorRate", "labels": {}, "alerts": [{"labels": {"namespace": "reprise-system"}}]}
    server.rules = {
        "groups": [
            {"name": "requests", "file": "/etc/x.yaml", "interval": 5, "rules": [visible]},
            {"name": "ours", "rules": [{"name": "RepriseDown", "labels": {}}]},
        ]
    }
    files, missing = await alerts.take_rules(client, tmp_path, REQUEST)
    assert written(tmp_path, alerts.RULES_NAME) == [
        {
            "groups": [
                {
                    "name": "requests",
                    "interval": 5,
                    "rules": [{"name": "ErrorRate", "labels": {}, "alerts": []}],
                }
            ]
        }
    ]
    assert (files[0].rows, missing) == (1, [])


async def test_alerting_rules_that_cannot_be_had(
    server: FakePrometheus, client: prometheus.Prometheus, tmp_path: Path
) -> None:
    server.down = {"rules": 99}
    files, missing = await alerts.take_rules(client, tmp_path, REQUEST)
    assert (files, [gap.what for gap in missing]) == ([], ["alerting rules"])


def test_bytes_of_a_real_prometheus() -> None:
    """Prometheus 3.15.0 with the external label `cluster`, asked for `up` of a target that went and one that
    stayed."""
    body = (Path(__file__).parents[2] / "data/prometheus-3.15.0-remote-read-up.snappy").read_bytes()
    stayed, went = remote_read.decode(body, {"cluster": "c1"})
    assert dict(stayed.labels) == {"__name__": "up", "instance": "127.0.0.1:39090", "job": "self"}
    assert (len(stayed.times_ms), set(stayed.values)) == (14, {1.0})
    assert dict(went.labels) == {"__name__": "up", "instance": "127.0.0.1:39999", "job": "gone"}
    assert series.row(went)["t"] == [1795719443406, 2000, 2004, 1996, 2000, 2002, 1998, 2000]
    assert series.row(went)["v"] == ["0"] * 8
    assert ("cluster", "c1") in remote_read.decode(body, {})[0].labels


def test_staleness_markers_of_a_real_prometheus() -> None:
    """A recording rule of the cluster that at times gave nothing for one of its series."""
    body = (Path(__file__).parents[2] / "data/prometheus-3.15.0-remote-read-stale.snappy").read_bytes()
    first = remote_read.decode(body, {})[0]
    assert dict(first.labels)["service_name"] == "accounting"
    assert series.row(first) == {
        "metric": {
            "__name__": "service:cpu_usage_cores:rate",
            "namespace": "otel-demo",
            "service_name": "accounting",
        },
        "t": [1795719555768, 5000, 25000, 5000, 10000, 5000],
        "v": [
            "0.006284892790660986",
            "stale",
            "0.004873453474923776",
            "stale",
            "0.004574055197629547",
            "0.003794603704415234",
        ],
    }
