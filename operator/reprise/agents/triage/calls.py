"""Where errors begin, as the traces tell it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from reprise.agents.protocol import Json

# Attributes in which client spans name their peer, the present conventions of OpenTelemetry first.
_PEER = ("server.address", "net.peer.name", "peer.service", "http.host", "rpc.service")


@dataclass(frozen=True)
class Failures:
    """Counts of traces with errors.

    `origins`: by service, those in which nothing below it failed. `peers`: by host, those in which a call to
    it failed and nobody there has answered.
    """

    origins: Counter[str] = field(default_factory=Counter)
    peers: Counter[str] = field(default_factory=Counter)


def failures(traces: Iterable[Json]) -> Failures:
    """Count, a trace once a service, the deepest spans that failed."""
    found = Failures()
    for trace in traces:
        services = {key: process["serviceName"] for key, process in trace["processes"].items()}
        failed = [span for span in trace["spans"] if _failed(span)]
        above = {_parent(span) for span in failed}
        answered = {_parent(span) for span in trace["spans"]}
        deepest = [span for span in failed if span["spanID"] not in above]
        for service in {services[span["processID"]] for span in deepest}:
            found.origins[service] += 1
        for host in {
            host for span in deepest if span["spanID"] not in answered and (host := _peer(span)) is not None
        }:
            found.peers[host] += 1
    return found


def _tags(span: Json) -> dict[str, object]:
    return {tag["key"]: tag["value"] for tag in span.get("tags") or ()}


def _failed(span: Json) -> bool:
    tags = _tags(span)
    return tags.get("error") in (True, "true") or tags.get("otel.status_code") == "ERROR"


def _parent(span: Json) -> str:
    for ref in span.get("references") or ():
        if ref.get("refType") == "CHILD_OF":
            return str(ref["spanID"])
    return ""


def _peer(span: Json) -> str | None:
    """The host that a failed client span called, without its port and domain."""
    tags = _tags(span)
    if tags.get("span.kind") not in ("client", "producer"):
        return None
    for key in _PEER:
        value = tags.get(key)
        if isinstance(value, str) and value:
            return value.rpartition("/")[2].partition(":")[0].partition(".")[0]
    return None
