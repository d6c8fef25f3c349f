"""An attempt's trail in the formats of others: OpenTelemetry spans and an ATIF trajectory.

OTLP is the JSON form of `ExportTraceServiceRequest` (opentelemetry-proto 1.x): ids in hex, times in
nanoseconds as text, numbers of 64 bits as text. ATIF is version 1.7 of the Agent Trajectory Interchange
Format of the Harbor project (its RFC 0001), which every field used here has been in; 1.8 reads it, too.
"""

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reprise.domain.budget import Usage
from reprise.domain.trail import SUBMIT, Call, Trail

Json = dict[str, Any]
ATIF_VERSION = "ATIF-v1.7"
_SERVER, _CLIENT, _ERROR = 1, 3, 2


@dataclass(frozen=True)
class Attempt:
    """What an export says of the attempt beside its calls. `score` is None when it is unscored."""

    uid: str
    name: str
    agent: str
    product_version: str
    phase: str
    reason: str = ""
    score: float | None = None
    started_at: dt.datetime | None = None
    ended_at: dt.datetime | None = None
    submission: Sequence[str] | None = None


# -- OpenTelemetry ----------------------------------------------------------------------------------


def otlp(attempt: Attempt, trail: Trail) -> Json:
    """One trace: a root span for the attempt, and a span for each call. The same trail gives the same ids."""
    trace = hashlib.sha256(attempt.uid.encode()).hexdigest()[:32]
    root = _span_id(attempt.uid, 0)
    times = [moment for call in trail.calls for moment in (call.time, call.end)]
    begin = min([*times, *filter(None, [attempt.started_at])], default=None)
    end = max([*times, *filter(None, [attempt.ended_at])], default=None)
    usage = trail.usage
    spans: list[Json] = [
        {
            "traceId": trace,
            "spanId": root,
            "name": f"attempt {attempt.name}",
            "kind": _SERVER,
            "startTimeUnixNano": _nanos(begin),
            "endTimeUnixNano": _nanos(end),
            "attributes": _attributes(
                {
                    "gen_ai.operation.name": "invoke_agent",
                    "gen_ai.agent.name": attempt.agent,
                    "gen_ai.usage.input_tokens": usage.tokens_in or None,
                    "gen_ai.usage.output_tokens": usage.tokens_out or None,
                    "reprise.attempt.uid": attempt.uid,
                    "reprise.attempt.phase": attempt.phase,
                    "reprise.attempt.reason": attempt.reason or None,
                    "reprise.attempt.score": attempt.score,
                    "reprise.attempt.submission": attempt.submission,
                    "reprise.usage.turns": usage.turns or None,
                    "reprise.usage.cached_tokens": usage.tokens_cached or None,
                    "reprise.usage.cost_usd": usage.cost_usd or None,
                }
            ),
            "status": {},
        }
    ]
    spans += [_span(attempt.uid, trace, root, call) for call in trail.calls]
    scope = {"name": "reprise", "version": attempt.product_version}
    resource = {"attributes": _attributes({"service.name": attempt.agent, "service.namespace": "reprise"})}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": scope, "spans": spans}]}]}


def _span(uid: str, trace: str, root: str, call: Call) -> Json:
    asked = {f"reprise.argument.{name}": value for name, value in call.arguments.items()}
    return {
        "traceId": trace,
        "spanId": _span_id(uid, call.seq),
        "parentSpanId": root,
        "name": call.what,
        "kind": _CLIENT,
        "startTimeUnixNano": _nanos(call.time),
        "endTimeUnixNano": _nanos(call.end),
        "attributes": _attributes(
            {
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": call.tool,
                "url.path": call.path,
                "http.response.status_code": call.status,
                "http.response.body.size": call.bytes,
                "reprise.response.digest": call.digest or None,
                "reprise.seq": call.seq,
                "reprise.turn": call.turn or None,
                "reprise.justification": call.justification or None,
                "reprise.decision": "deny" if call.refused else "allow",
                **asked,
            }
        ),
        # A refusal is an answer to the agent, and an error of the call.
        "status": {"code": _ERROR, "message": call.refused} if call.refused or call.status >= 400 else {},
    }


def _span_id(uid: str, number: int) -> str:
    return hashlib.sha256(f"{uid} {number}".encode()).hexdigest()[:16]


def _nanos(moment: dt.datetime | None) -> str:
    if moment is None:
        return "0"
    # NB: a float has not enough digits for nanoseconds since 1970.
    whole = moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    return str(((whole.days * 86400 + whole.seconds) * 10**6 + whole.microseconds) * 1000)


def _attributes(values: Mapping[str, Any]) -> list[Json]:
    return [{"key": key, "value": _value(value)} for key, value in values.items() if value is not None]


def _value(value: Any) -> Json:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case str():
            return {"stringValue": value}
        case Sequence():
            return {"arrayValue": {"values": [_value(item) for item in value]}}
        case _:
            return {"stringValue": str(value)}


# -- ATIF -------------------------------------------------------------------------------------------


def task(namespace: str) -> str:
    """What the agent is asked, in a sentence; the whole text is the gateway's GET /instructions."""
    where = f' in the namespace "{namespace}"' if namespace else ""
    return f"Something may be wrong with the application{where}. Find the root causes (GET /instructions)."


def atif(attempt: Attempt, trail: Trail, instructions: str) -> Json:
    """The task as the first step, then one step for each turn with its calls.

    What the agent's model said is not known at the door: messages are its justifications. Contents are not
    kept either; an observation says how large the answer was, and its digest.
    """
    steps: list[Json] = [{"step_id": 1, "source": "user", "message": instructions}]
    before = Usage()
    for turn, calls in trail.turns():
        total = before
        for call in calls:
            total = total.grown(call.usage) if call.usage else total
        steps.append(_step(len(steps) + 1, turn, calls, _metrics(before, total)))
        before = total
    usage = trail.usage
    submitted = list(attempt.submission) if attempt.submission is not None else None
    return {
        "schema_version": ATIF_VERSION,
        "session_id": attempt.uid,
        "trajectory_id": attempt.uid,
        "agent": {"name": attempt.agent, "version": "unknown"},
        "steps": steps,
        "notes": "Recorded at the gateway: calls and the sizes and digests of their answers, "
        "without the model's own messages.",
        "final_metrics": {
            **_totals(usage),
            "total_steps": len(steps),
            "extra": {"turns": usage.turns, "requests": len(trail.calls)},
        },
        "extra": {
            "attempt": attempt.name,
            "phase": attempt.phase,
            "reason": attempt.reason,
            "score": attempt.score,
            "submission": submitted,
            "recorded_by": f"reprise {attempt.product_version}",
        },
    }


def _step(number: int, turn: str, calls: Sequence[Call], metrics: Json) -> Json:
    said = list(dict.fromkeys(call.justification for call in calls if call.justification))
    return {
        "step_id": number,
        "timestamp": calls[0].time.isoformat().replace("+00:00", "Z"),
        "source": "agent",
        "message": "\n".join(said),
        "tool_calls": [
            {
                "tool_call_id": f"call-{call.seq}",
                "function_name": call.tool or "http",
                "arguments": {
                    "verb": call.verb,
                    "resource": call.resource,
                    "path": call.path,
                    "query": dict(call.arguments),
                }
                if call.tool != SUBMIT
                else dict(call.arguments),
            }
            for call in calls
        ],
        "observation": {
            "results": [
                {
                    "source_call_id": f"call-{call.seq}",
                    "content": f"{call.status}, {call.bytes} bytes"
                    + (f": {call.refused}" if call.refused else ""),
                    "extra": {
                        "status": call.status,
                        "bytes": call.bytes,
                        "digest": call.digest,
                        "duration_seconds": call.duration_seconds,
                        "decision": "deny" if call.refused else "allow",
                    },
                }
                for call in calls
            ]
        },
        **({"metrics": metrics} if metrics else {}),
        **({"extra": {"turn": turn}} if turn else {}),
    }


def _metrics(before: Usage, after: Usage) -> Json:
    """What one step used: reports are totals."""
    found = {
        "prompt_tokens": after.tokens_in - before.tokens_in,
        "completion_tokens": after.tokens_out - before.tokens_out,
        "cached_tokens": after.tokens_cached - before.tokens_cached,
        "cost_usd": round(after.cost_usd - before.cost_usd, 9),
    }
    return {name: value for name, value in found.items() if value}


def _totals(usage: Usage) -> Json:
    found = {
        "total_prompt_tokens": usage.tokens_in,
        "total_completion_tokens": usage.tokens_out,
        "total_cached_tokens": usage.tokens_cached,
        "total_cost_usd": usage.cost_usd,
    }
    return {name: value for name, value in found.items() if value}
