"""Exports, read by the formats' own readers."""

import dataclasses
import datetime as dt
import json
from pathlib import Path

import atif
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from tests.unit.attempts.trails import START, a_day

from reprise.domain import exports
from reprise.domain.trail import Trail

ATTEMPT = exports.Attempt(
    uid="uid-1",
    name="netpol-1",
    agent="external",
    product_version="0.1.0",
    phase="Scored",
    reason="Submitted",
    score=0.5,
    started_at=START,
    ended_at=START + dt.timedelta(seconds=30),
    submission=["otel-demo/Pod/cart-1"],
)


def spans(attempt: exports.Attempt, trail: Trail) -> ExportTraceServiceRequest:
    document = json.loads(json.dumps(exports.otlp(attempt, trail)))
    # The one place where OTLP/JSON is not protobuf's JSON: ids are in hex, not in base64.
    for span in document["resourceSpans"][0]["scopeSpans"][0]["spans"]:
        assert len(bytes.fromhex(span.pop("traceId"))) == 16
        assert len(bytes.fromhex(span.pop("spanId"))) == 8
    read = ExportTraceServiceRequest()
    for span in document["resourceSpans"][0]["scopeSpans"][0]["spans"]:
        span.pop("parentSpanId", None)
    json_format.ParseDict(document, read)
    return read


def test_spans_are_what_a_collector_reads(tmp_path: Path) -> None:
    read = spans(ATTEMPT, a_day(tmp_path))
    (scope,) = read.resource_spans[0].scope_spans
    root, *calls = scope.spans
    assert [span.name for span in calls][1] == "list pods otel-demo"
    assert len(calls) == 5
    assert all(root.start_time_unix_nano <= span.start_time_unix_nano for span in calls)
    assert all(
        span.start_time_unix_nano < span.end_time_unix_nano <= root.end_time_unix_nano for span in calls
    )
    assert calls[0].start_time_unix_nano == (int(START.timestamp()) + 1) * 10**9
    refused = calls[2]
    assert (refused.status.code, refused.status.message) == (Status.STATUS_CODE_ERROR, "not allowed here")
    found = {item.key: item.value for item in calls[3].attributes}
    assert found["http.response.body.size"].int_value == 70_000
    said = {item.key: item.value for item in root.attributes}
    assert said["gen_ai.usage.input_tokens"].int_value == 300
    assert said["reprise.attempt.score"].double_value == 0.5
    assert [item.string_value for item in said["reprise.attempt.submission"].array_value.values] == [
        "otel-demo/Pod/cart-1"
    ]


def test_all_calls_hang_on_one_root_and_ids_are_the_same_again(tmp_path: Path) -> None:
    document = exports.otlp(ATTEMPT, a_day(tmp_path))
    root, *calls = document["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert {span["parentSpanId"] for span in calls} == {root["spanId"]}
    assert {span["traceId"] for span in calls} == {root["traceId"]}
    assert len({span["spanId"] for span in [root, *calls]}) == 6
    assert exports.otlp(ATTEMPT, a_day(tmp_path / "again")) == document


def test_an_attempt_that_nobody_came_to_is_exported_too() -> None:
    nobody = dataclasses.replace(
        ATTEMPT, phase="InfraFailed", score=None, started_at=None, ended_at=None, submission=None
    )
    assert len(spans(nobody, Trail()).resource_spans[0].scope_spans[0].spans) == 1
    made = atif.Trajectory.model_validate(exports.atif(nobody, Trail(), "find it"))
    assert made.extra is not None
    assert (made.extra["score"], made.extra["submission"]) == (None, None)


def test_a_trajectory_is_what_the_formats_own_models_take(tmp_path: Path) -> None:
    trail = a_day(tmp_path)
    made = atif.Trajectory.model_validate(json.loads(json.dumps(exports.atif(ATTEMPT, trail, "find it"))))
    assert made.schema_version == "ATIF-v1.7"
    task, before, first, second = made.steps
    assert (task.source, task.message, before.message, first.message) == (
        "user",
        "find it",
        "",
        "who is there",
    )
    assert first.tool_calls is not None
    assert first.observation is not None
    assert [call.tool_call_id for call in first.tool_calls] == [
        result.source_call_id for result in first.observation.results
    ]
    assert first.observation.results[1].content == "403, 1500 bytes: not allowed here"
    assert second.tool_calls is not None
    assert second.tool_calls[-1].arguments == {"entities": ["otel-demo/Pod/cart-1"]}


def test_what_each_step_used_adds_up_to_the_totals(tmp_path: Path) -> None:
    made = atif.Trajectory.model_validate(exports.atif(ATTEMPT, a_day(tmp_path), "find it"))
    metrics = [step.metrics for step in made.steps if step.metrics]
    assert made.final_metrics is not None
    assert [item.prompt_tokens for item in metrics] == [100, 200]
    assert sum(item.prompt_tokens or 0 for item in metrics) == made.final_metrics.total_prompt_tokens
    assert sum(item.completion_tokens or 0 for item in metrics) == made.final_metrics.total_completion_tokens
    assert sum(item.cached_tokens or 0 for item in metrics) == made.final_metrics.total_cached_tokens
    assert round(sum(item.cost_usd or 0 for item in metrics), 9) == made.final_metrics.total_cost_usd
