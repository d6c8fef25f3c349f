"""Prometheus and Jaeger: time in bounds, hidden names out."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.domain import errors, telemetry
from reprise.domain.redaction import View
from reprise.gateway import jaeger, prometheus, promql

START = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
NOW = START + timedelta(minutes=20)
VIEW = View(START)
EARLY, LATE = "2026-01-02T11:00:00Z", "2026-01-02T12:10:00Z"


def sent(endpoint: str, **given: str) -> dict[str, str]:
    return dict(prometheus.bounded(VIEW, list(given.items()), endpoint, NOW))


@pytest.mark.parametrize(
    ("endpoint", "given", "expected"),
    [
        ("query", {"query": "up"}, {"query": "up"}),
        ("query", {"query": "up", "time": LATE}, {"query": "up", "time": "2026-01-02T12:10:00.000Z"}),
        ("query", {"query": "up", "time": EARLY}, {"query": "up", "time": "2026-01-02T12:00:00.000Z"}),
        ("query", {"query": "up", "time": "1767355800"}, {"query": "up", "time": "2026-01-02T12:10:00.000Z"}),
        (
            "query_range",
            {"query": "up", "start": EARLY, "end": LATE, "step": "5"},
            {
                "query": "up",
                "start": "2026-01-02T12:00:00.000Z",
                "end": "2026-01-02T12:10:00.000Z",
                "step": "5",
            },
        ),
        ("labels", {}, {"start": "2026-01-02T12:00:00.000Z", "end": "2026-01-02T12:20:00.000Z"}),
        (
            "label/pod/values",
            {"end": EARLY},
            {"start": "2026-01-02T12:00:00.000Z", "end": "2026-01-02T12:00:00.000Z"},
        ),
        ("alerts", {}, {}),
    ],
)
def test_times_are_clamped_to_the_window(
    endpoint: str, given: dict[str, str], expected: dict[str, str]
) -> None:
    assert sent(endpoint, **given) == expected


@pytest.mark.parametrize(
    "given",
    [
        {"query": 'kube_pod_info{namespace="reprise-system"}'},
        {"query": "kopf_x"},
        {"query": "up", "time": "yesterday"},
        {"query": "up", "time": "nan"},
    ],
)
def test_bad_questions_are_refused(given: dict[str, str]) -> None:
    with pytest.raises(errors.InvalidInput):
        sent("query", **given)


REACH = [
    # query, minutes into the window, allowed
    ("rate(x[5m])", 0, True),
    ("rate(x[6m])", 0, False),
    ("rate(x[20m])", 20, True),
    ("rate(x[21m])", 20, False),
    ("rate(x[1h30m])", 20, False),
    ("rate(x[1200])", 20, True),
    ("rate(x[1201])", 20, False),
    ("x offset 21m", 20, False),
    ("x offset -21m", 20, True),
    ("x OFFSET 1d", 20, False),
    ("rate(x[10m] offset 11m)", 20, False),
    ("max_over_time(rate(x[10m])[11m:])", 20, False),
    ("max_over_time(rate(x[5m])[10m:1m])", 20, True),
    ("x @ 1767351600", 20, False),
    ("x @ 1767355800", 20, True),
    ("x @ start()", 20, True),
    ("rate(x[20m] @ 1767355200)", 20, False),
    ("rate(x[5m] @ 1767355200)", 20, True),
    ("x @ $when", 20, False),
    ('x{a="[9d] offset 9d @ 1"}', 0, True),
    ("x # [9d]\n", 0, True),
    ("rate(x[$__range])", 20, False),
    ("x offset $a", 20, False),
    ("rate(x[5m * 9000])", 20, False),
    ("x offset 1e4", 20, False),
    ("x offset 0x1000", 20, False),
    ("x offset 1_000_000", 20, False),
    ("x offset 600", 20, True),
    ("x # a comment ends here\r offset 9d", 20, False),
    ("x # [9d]\r\n", 20, True),
    ("x" * 20_000, 20, False),
]


@pytest.mark.parametrize(("query", "minutes", "allowed"), REACH, ids=[row[0] for row in REACH])
def test_how_far_a_query_may_look_back(query: str, minutes: int, allowed: bool) -> None:
    begin = START + timedelta(minutes=minutes)
    if allowed:
        promql.check_reach(query, begin, START)
    else:
        with pytest.raises(errors.InvalidInput):
            promql.check_reach(query, begin, START)


GOOD, BAD = {"namespace": "otel-demo", "pod": "cart"}, {"namespace": "reprise-system", "pod": "gateway"}


@pytest.mark.parametrize(
    ("endpoint", "data", "expected"),
    [
        (
            "query",
            {"resultType": "vector", "result": [{"metric": GOOD}, {"metric": BAD}]},
            {"resultType": "vector", "result": [{"metric": GOOD}]},
        ),
        ("query", {"resultType": "scalar", "result": [1, "2"]}, {"resultType": "scalar", "result": [1, "2"]}),
        ("series", [GOOD, BAD, {"exported_namespace": "chaos-mesh"}], [GOOD]),
        ("labels", ["pod", "label_reprise_dev_run"], ["pod", "label_reprise_dev_run"][:1]),
        ("label/namespace/values", ["chaos-mesh", "otel-demo", "reprise-agents"], ["otel-demo"]),
        ("label/__name__/values", ["up", "kopf_queue", "reprise_runs"], ["up"]),
        ("metadata", {"up": [{"help": "x"}], "a": [{"help": "of kopf"}]}, {"up": [{"help": "x"}]}),
        ("alerts", {"alerts": [{"labels": GOOD}, {"labels": BAD}]}, {"alerts": [{"labels": GOOD}]}),
        (
            "rules",
            {
                "groups": [
                    {"name": "a", "file": "/f", "rules": [{"name": "R", "alerts": [{"labels": BAD}]}]},
                    {"name": "b", "rules": [{"name": "RepriseDown"}]},
                    {"name": "of-reprise", "rules": [{"name": "S"}]},
                ]
            },
            {
                "groups": [
                    {"name": "a", "interval": None, "rules": [{"name": "R", "alerts": []}]},
                    {"name": "", "interval": None, "rules": [{"name": "S"}]},
                ]
            },
        ),
    ],
)
def test_answers_lose_what_is_hidden(endpoint: str, data: Any, expected: Any) -> None:
    given = {"status": "success", "data": data, "warnings": ["reprise"]}
    found = json.loads(prometheus.filtered(VIEW, endpoint, json.dumps(given).encode()))
    assert found == {"status": "success", "data": expected}


def test_alerts_are_merged_from_what_is_active_and_what_was() -> None:
    active = {
        "state": "firing",
        "labels": {"alertname": "A"},
        "annotations": {"summary": "s"},
        "activeAt": LATE,
    }
    rules = {"data": {"groups": [{"rules": [{"name": "A", "query": "x > 1", "alerts": [active]}]}]}}

    def series(name: str, state: str, *times: float) -> dict[str, Any]:
        metric = {"__name__": "ALERTS", "alertname": name, "alertstate": state}
        return {"metric": metric, "values": [[START.timestamp() + t, "1"] for t in times]}

    history = {
        "data": {
            "result": [
                series("A", "firing", 100, 200),
                series("B", "pending", 10, 20),
                series("B", "firing", 30, 40),
                series("C", "pending", 10),
            ]
        }
    }
    found = promql.merge_alerts(rules, history, NOW, step_seconds=5)
    assert found == [
        {
            "state": "firing",
            "labels": {"alertname": "A"},
            "annotations": {"summary": "s"},
            "activeAt": LATE,
            "expr": "x > 1",
        },
        {
            "state": "resolved",
            "labels": {"alertname": "B"},
            "annotations": {},
            "activeAt": "2026-01-02T12:00:10Z",
            "resolvedAt": "2026-01-02T12:00:45Z",
        },
    ]


LOW, HIGH = int(START.timestamp() * 1e6), int(NOW.timestamp() * 1e6)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"service": "cart"}, {"service": "cart", "start": LOW, "end": HIGH, "limit": 20}),
        ({"start": str(LOW - 5), "end": str(HIGH + 5)}, {"start": LOW, "end": HIGH, "limit": 20}),
        ({"start": str(LOW + 5), "limit": "9999"}, {"start": LOW + 5, "end": HIGH, "limit": 500}),
        ({"lookback": "1d", "other": "x"}, {"start": LOW, "end": HIGH, "limit": 20}),
        ({"end": "1"}, {"start": LOW, "end": LOW, "limit": 20}),
    ],
)
def test_searches_for_traces_stay_in_the_window(given: dict[str, str], expected: dict[str, Any]) -> None:
    assert dict(jaeger.search(VIEW, given, NOW)) == {key: str(value) for key, value in expected.items()}


def test_searches_with_odd_numbers_are_refused_with_every_reason() -> None:
    with pytest.raises(errors.InvalidInput) as caught:
        jaeger.search(VIEW, {"start": "-1", "limit": "many"}, NOW)
    assert [problem.partition(":")[0] for problem in caught.value.problems] == ["start", "limit"]


def test_traces_before_the_window_and_of_hidden_services_are_left_out() -> None:
    def trace(trace_id: str, service: str, begin: int) -> dict[str, Any]:
        return {
            "traceID": trace_id,
            "spans": [{"startTime": begin}, {"startTime": begin + 10}],
            "processes": {"p1": {"serviceName": service}},
        }

    traces = [trace("a", "cart", LOW), trace("b", "cart", LOW - 1), trace("c", "reprise-operator", LOW)]
    assert [one["traceID"] for one in _jaeger(traces)] == ["a"]
    assert _jaeger(["cart", "reprise-operator"]) == ["cart"]
    assert _jaeger(None) is None
    assert _jaeger([{"traceID": "no span began"}, {"traceID": "d", "spans": []}]) == [
        {"traceID": "no span began"}
    ]


def _jaeger(data: Any) -> Any:
    """`data` of what is shown of an answer with `data`."""
    body, count = jaeger.filtered(VIEW, json.dumps({"data": data, "total": 99}).encode())
    shown = json.loads(body)
    assert shown["total"] == count == len(shown["data"] or ())
    return shown["data"]


@pytest.mark.parametrize("where", ["metric", "trace"])
def test_a_word_is_found_however_its_letters_are_written(where: str) -> None:
    escaped = "\\u0072eprise"
    if where == "trace":
        span = f'{{"startTime": {LOW}, "operationName": "{escaped}"}}'
        shown, _ = jaeger.filtered(VIEW, f'{{"data": [{{"spans": [{span}]}}]}}'.encode())
        assert json.loads(shown)["data"] == []
    else:
        series = f'{{"metric": {{"pod": "{escaped}"}}, "values": []}}'
        data = f'{{"resultType": "matrix", "result": [{series}]}}'
        shown = prometheus.filtered(VIEW, "query_range", f'{{"status": "success", "data": {data}}}'.encode())
        assert json.loads(shown)["data"]["result"] == []


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"data": 7}', b'{"data": {"resultType": "matrix"}}']
)
def test_what_is_no_answer_is_nobodys_fault_but_the_systems(body: bytes) -> None:
    with pytest.raises(errors.Unreachable):
        prometheus.filtered(VIEW, "query_range", body)
    with pytest.raises(errors.Unreachable):
        jaeger.filtered(VIEW, body)


def test_samples_pass_as_they_were_written() -> None:
    values = '[[1767355800.5,"NaN"],[1767355805,"1e-07"],[1767355810,"+Inf"]]'
    histogram = '[1767355800,{"count":"3","buckets":[[0,"0.5","1","3"]]}]'
    rows = f'[{{"metric":{{"pod":"a"}},"values":{values}}},{{"metric":{{}},"histograms":[{histogram}]}}]'
    body = f'{{"status":"success","data":{{"resultType":"matrix","result":{rows}}}}}'
    assert prometheus.filtered(VIEW, "query_range", body.encode()).decode() == body


TEXTS = st.lists(
    st.sampled_from(
        ["cart", "Reprise", "chaos-mesh", "chaos", "-mesh", "ko", "pf", "é", '"', "\\", "\\u006b", " "]
    ),
    max_size=3,
).map("".join)
SERIES = st.fixed_dictionaries(
    {"metric": st.dictionaries(TEXTS, TEXTS, max_size=2), "values": st.just([[1, "1"]])}
)
TRACES = st.fixed_dictionaries(
    {
        "traceID": TEXTS,
        "spans": st.lists(
            st.fixed_dictionaries({"startTime": st.sampled_from([LOW - 1, LOW, LOW + 1]), "name": TEXTS}),
            max_size=2,
        ),
    }
)


@given(rows=st.lists(SERIES, max_size=4), ascii_only=st.booleans())
def test_series_are_left_out_as_if_they_were_read(rows: list[Any], ascii_only: bool) -> None:
    document = {"status": "success", "data": {"resultType": "matrix", "result": rows}}
    body = json.dumps(document, ensure_ascii=ascii_only).encode()
    shown = json.loads(prometheus.filtered(VIEW, "query_range", body))["data"]["result"]
    assert shown == [row for row in rows if not telemetry.hides(VIEW, row["metric"])]


@given(traces=st.lists(TRACES, max_size=4), ascii_only=st.booleans())
def test_traces_are_left_out_as_if_they_were_read(traces: list[Any], ascii_only: bool) -> None:
    body = json.dumps({"data": traces}, ensure_ascii=ascii_only).encode()
    shown = json.loads(jaeger.filtered(VIEW, body)[0])["data"]
    assert shown == [trace for trace in traces if not telemetry.hides_trace(VIEW, trace)]
