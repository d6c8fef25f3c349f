"""The tools over MCP: what each answers, and how it says what was asked wrongly."""

from typing import Any

import pytest
from tests.contract.gateway_fakes import Door
from tests.contract.gateway_mcp import gate, problem, text, town
from tests.contract.gateway_town import NOON

__all__ = ["gate", "town"]

pytestmark = pytest.mark.usefixtures("quick")

ANSWERS: list[tuple[str, dict[str, Any], list[str], list[str]]] = [
    ("list_resources", {"resource": "po"}, ["1 pods", "Name    Age", "cart-1  1h"], ["10.0.0.1"]),
    ("list_resources", {"resource": "Pod", "wide": True}, ["IP", "10.0.0.1"], []),
    ("list_resources", {"resource": "pods", "field_selector": "metadata.name=x"}, ["0 pods"], ["cart-1"]),
    ("list_resources", {"resource": "no"}, ["1 nodes in the cluster", "n1"], []),
    ("list_resources", {"resource": "events.events.k8s.io"}, ["events.events.k8s.io"], []),
    ("get_resource", {"resource": "deploy", "name": "cart"}, ["generation: 4", "configMapRef:"], []),
    ("get_resource", {"resource": "cm", "name": "settings", "format": "json"}, ['"a": "xxx'], []),
    (
        "describe_resource",
        {"resource": "pod", "name": "cart-1"},
        ["ReplicaSet/cart-rs <- Deployment/cart", "BackOff", "it failed", "exitCode: 137"],
        [],
    ),
    ("describe_resource", {"resource": "deploy", "name": "cart"}, ["MinimumReplicasUnavailable", "none"], []),
    ("logs", {"pod": "cart-1"}, ["4 lines", "GET /cart/1", "try 2"], []),
    ("logs", {"pod": "cart-1", "tail": 2}, ["1 lines", "try 2"], ["GET"]),  # the last one of two is hidden
    ("logs", {"pod": "cart-1", "grep": ["error"]}, ["2 of 2 matching lines of the 4", "try 1"], ["GET"]),
    ("logs", {"pod": "cart-1", "grep": ["error"], "ignore_case": False}, ["0 of 0 matching"], ["try"]),
    ("logs", {"pod": "cart-1", "grep": ["error"], "invert": True}, ["GET /cart/2"], ["try"]),
    ("logs", {"pod": "cart-1", "grep": ["(a+)+$"]}, ["0 of 0"], []),
    (
        "logs",
        {"pod": "cart-1", "dedupe": True},
        ["x2  2026-01-02T12:10:00", "x2  2026-01-02T12:10:01"],
        ["try 1"],
    ),
    ("events", {}, ["1 events", "BackOff", "otel-demo/Pod/cart-1", "x3"], []),
    ("events", {"since": f"{NOON}32:00Z"}, ["0 events"], ["BackOff"]),
    ("events", {"reason": "Killing"}, ["0 events"], ["BackOff"]),
    ("alerts", {}, ["1 alerts", "firing CartErrors", "too many errors", "expr: vector(1)"], []),
    ("alerts", {"state": "pending"}, ["0 alerts pending"], ["CartErrors"]),
    ("query_metrics", {"query": "up"}, ["1 samples", 'up{namespace="otel-demo", pod="cart-1"} 1'], []),
    (
        "query_metrics_range",
        {"query": "up", "step_seconds": 3600, "max_points": 3},
        ["decimated: up to 4 samples", "12:00:15.000Z 3 (0..3)", "12:00:35.000Z 0 (0..6)"],
        [],
    ),
    (
        "query_metrics_range",
        {"query": "up", "step_seconds": 3600},
        ["12:00:05.000Z 1\n"],
        ["decimated", ".."],
    ),
    ("search_traces", {"service": "frontend"}, ["2 of 2 traces", "abc1   9.0ms     4      3"], []),
    ("search_traces", {"service": "frontend", "errors_only": True}, ["1 of 2 traces", "abc1"], ["abc2"]),
    ("search_traces", {"service": "frontend", "limit": 2}, ["there may be more"], []),
    (
        "get_trace",
        {"trace_id": "abc1"},
        ["    cart do c [internal] +2.0ms 5.0ms  ERROR connection refused", "    currency do d"],
        [],
    ),
    ("get_trace", {"trace_id": "abc1", "format": "json"}, ['"spanID": "a"'], []),
    ("trace_errors", {"trace_id": "abc1"}, ["1 of 1 traces", "x1  cart do c: connection refused"], ["do d"]),
    ("trace_errors", {"service": "frontend"}, ["1 of 2 traces", "        cart do c"], []),
    (
        "topology_neighbours",
        {"entity": "otel-demo/Deployment/cart"},
        ["3 relations", "Deployment/cart --depends_on--> ConfigMap/settings"],
        ["Pod/cart-1"],
    ),
    ("topology_neighbours", {"entity": "Service/cart", "depth": 2}, ["(calls 5)", "ReplicaSet/cart-rs"], []),
    (
        "topology_path",
        {"source": "App/frontend", "target": "settings"},
        ["6 steps", "App/frontend --calls--> App/checkout  (calls 7)", "ConfigMap/settings"],
        ["Namespace/"],
    ),
    (
        "recent_changes",
        {},
        ["3 changes", "OOMKilled", "MinimumReplicasUnavailable (generation 4)", "settings  created"],
        [],
    ),
    ("recent_changes", {"resources": ["deploy"]}, ["1 changes", "Deployment/cart"], ["settings"]),
    ("recent_changes", {"limit": 1}, ["2 older ones left out", "settings"], ["OOMKilled"]),
    ("attempt", {}, ['"requests": 100', "Find the root causes", "with the tool `submit`"], []),
]


@pytest.mark.parametrize(("tool", "arguments", "there", "not_there"), ANSWERS)
async def test_answers(
    gate: Door, tool: str, arguments: dict[str, Any], there: list[str], not_there: list[str]
) -> None:
    found = await text(gate, tool, **arguments)
    assert [words for words in there if words not in found] == [], found
    assert [words for words in not_there if words in found] == [], found


PROBLEMS: list[tuple[str, dict[str, Any], str]] = [
    ("list_resources", {}, "resource: Field required"),
    ("list_resources", {"resource": "pods", "verb": "delete"}, "list_resources takes: justification, cursor"),
    ("list_resources", {"resource": "pods", "namespace": "../x"}, "namespace"),
    ("list_resources", {"resource": "gadgets"}, "there are: configmaps, deployments.apps"),
    ("list_resources", {"resource": "pods", "cursor": "nonsense"}, "call again without it"),
    ("list_resources", {"resource": "pods", "max_bytes": 1}, "greater than or equal to 1024"),
    ("get_resource", {"resource": "pods", "name": "a/log"}, "name"),
    ("get_resource", {"resource": "pods", "name": "nope"}, 'pods "nope" not found'),
    ("get_resource", {"resource": "pods", "name": "a", "namespace": "*"}, "expected one namespace"),
    ("list_resources", {"resource": "pods", "namespace": "nope"}, "there are: otel-demo"),
    ("logs", {"pod": "nope"}, 'pods "nope" not found'),
    ("logs", {"pod": "cart-1", "container": "other"}, "not valid for pod"),
    ("logs", {"pod": "cart-1", "tail": 0}, "tail"),
    ("logs", {"pod": "cart-1", "since": "yesterday"}, "how long ago is written '15m'"),
    ("logs", {"pod": "cart-1", "invert": True}, "expected texts in `grep`"),
    ("query_metrics", {"query": "up{"}, "parse error"),
    ("query_metrics", {"query": "up offset 9000h"}, "the window begins at"),
    ("query_metrics_range", {"query": "up", "step_seconds": 1}, "step_seconds: expected at least"),
    ("query_metrics_range", {"query": "up", "start": "1s", "end": "9h"}, "expected a time before the end"),
    ("get_trace", {"trace_id": "xyz"}, "trace_id"),
    ("get_trace", {"trace_id": "dead"}, "trace not found"),
    ("trace_errors", {}, "either trace_id or service, found none"),
    ("trace_errors", {"trace_id": "abc1", "service": "a"}, "found both"),
    ("topology_neighbours", {"entity": "cart"}, "there are"),
    ("topology_path", {"source": "Pod/x", "target": "Node/n1"}, "source: expected one node"),
    ("submit", {}, "entities: Field required"),
    ("submit", {"entities": ["otel-demo/Gadget/a"]}, "nothing was stored, the attempt goes on"),
]


@pytest.mark.parametrize(("tool", "arguments", "words"), PROBLEMS)
async def test_errors_say_what_to_change(
    gate: Door, tool: str, arguments: dict[str, Any], words: str
) -> None:
    assert words in await problem(gate, tool, **arguments)
