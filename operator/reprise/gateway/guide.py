"""What an agent is told: its task, where things are, how to answer, what it has left."""

from datetime import datetime

from aiohttp import web

from reprise.domain.budget import Budget
from reprise.gateway import harness, reply
from reprise.gateway.registry import Registry
from reprise.gateway.session import Session, rfc3339

_TEXT = """\
Something may be wrong with the application in the namespace "{namespace}".
Find the root causes: the Kubernetes objects that somebody would have to change to end the trouble, not
everything that suffers from it. If nothing is wrong, say so with an empty list.

Access is read-only. All of it needs the header "Authorization: Bearer <token>".
  Kubernetes API    this server. kubectl get, describe, logs, events, top and explain work
                    (no Secrets, no writes, no exec)
  Prometheus API    /prometheus/api/v1/ query, query_range, series, labels, label/<name>/values, alerts,
                    rules, metadata
  Traces            /jaeger/api/ services, services/<service>/operations, traces, traces/<id>, dependencies
  Alerts            /alerts: firing, pending and resolved
  Budgets           /attempt (JSON)
  MCP               /mcp: the same reads as typed tools (streamable HTTP)

Nothing older than {start} is shown. The time here is {now}.

Answer with POST /submit, Content-Type application/json:
  {{"entities": [{{"name": "{namespace}/Deployment/example"}}, {{"name": "Node/example"}}]}}
With kubectl: kubectl create --raw /submit -f answer.json
Names are namespace/Kind/name, or Kind/name for what has no namespace. A malformed answer is refused with the
reason and does not count; the first one accepted is final.

Optional headers on any request, kept for the record: X-Turn (a number), X-Justification (why you look there).
Totals of a harness: X-Tokens-In, X-Tokens-Out, X-Tokens-Cached, X-Cost-USD, or POST /usage
  {usage}
When the model's context is full and nothing more can be done: POST /outcome
  {outcome}

Left: {left}.
"""
_UNITS = {
    "requests": "requests",
    "wallClockSeconds": "s",
    "turns": "turns",
    "tokens": "tokens",
    "costUSD": "USD",
}


def answer(request: web.Request, session: Session, registry: Registry, now: datetime) -> web.Response:
    """GET /instructions as text, GET /attempt as JSON. `now` is the time that is shown."""
    left = session.left()
    if request.path.strip("/") == "instructions":
        return web.Response(
            text=_TEXT.format(
                namespace=session.attempt.application_namespace,
                start=rfc3339(session.view.window_start),
                now=rfc3339(now),
                usage=harness.USAGE_FORM,
                outcome=harness.OUTCOME_FORM,
                left=", ".join(f"{value:g} {_UNITS[name]}" for name, value in left.items()),
            )
        )
    return reply.as_json(
        {
            "attempt": session.attempt.uid,
            "phase": str(session.phase),
            "namespace": session.attempt.application_namespace,
            "namespaces": registry.namespaces(session.view),
            "window": {"start": rfc3339(session.view.window_start), "now": rfc3339(now)},
            "budgets": _budgets(session.attempt.limits),
            "left": left,
        }
    )


def _budgets(total: Budget) -> dict[str, float | int]:
    found = {
        "requests": total.requests,
        "wallClockSeconds": total.wall_clock_seconds,
        "turns": total.turns,
        "tokens": total.tokens,
        "costUSD": total.cost_usd,
    }
    return {name: value for name, value in found.items() if value is not None}
