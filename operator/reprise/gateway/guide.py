"""What an agent is told: its task, where things are, how to answer, what it has left."""

from aiohttp import web

from reprise.gateway import reply
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

Nothing older than {start} is shown.

Answer with POST /submit, Content-Type application/json:
  {{"entities": [{{"name": "{namespace}/Deployment/example"}}, {{"name": "Node/example"}}]}}
With kubectl: kubectl create --raw /submit -f answer.json
Names are namespace/Kind/name, or Kind/name for what has no namespace. A malformed answer is refused with the
reason and does not count; the first one accepted is final.

Optional headers on any request, kept for the record: X-Turn (a number), X-Justification (why you look there).

Left: {requests} requests, {seconds:.0f} s.
"""


def answer(request: web.Request, session: Session, registry: Registry) -> web.Response:
    """GET /instructions as text, GET /attempt as JSON."""
    left = session.left()
    if request.path.strip("/") == "instructions":
        return web.Response(
            text=_TEXT.format(
                namespace=session.attempt.application_namespace,
                start=rfc3339(session.view.window_start),
                requests=left["requests"],
                seconds=left["wallClockSeconds"],
            )
        )
    total = session.attempt.limits
    return reply.as_json(
        {
            "attempt": session.attempt.uid,
            "phase": str(session.phase),
            "namespace": session.attempt.application_namespace,
            "namespaces": registry.namespaces(session.view),
            "window": {"start": rfc3339(session.view.window_start)},
            "budgets": {"requests": total.requests, "wallClockSeconds": total.wall_clock_seconds},
            "left": left,
        }
    )
