"""Targets `request`, `submit`, `mcp` and `bodies`: what an agent sends, through the whole gateway."""

import functools
import re
from urllib.parse import unquote_to_bytes

from tests.contract.gateway_fakes import TOKEN
from tests.fuzz import oracle
from tests.fuzz.stage import HIDDEN, MARK, Stage

# Written down again by hand: what the API server may be asked at all.
_GROUP = {
    "apps", "autoscaling", "batch", "coordination.k8s.io", "discovery.k8s.io", "events.k8s.io",
    "metrics.k8s.io", "networking.k8s.io", "policy", "rbac.authorization.k8s.io", "scheduling.k8s.io",
    "security.istio.io", "storage.k8s.io", "admissionregistration.k8s.io", "authorization.k8s.io",
    "authentication.k8s.io",
}  # fmt: skip
_SECRET = re.compile(
    r"/(secrets|customresourcedefinitions|mutatingwebhook\w*|validatingwebhook\w*|exec|proxy|attach|portforward|ephemeralcontainers|token|eviction|binding|status|scale)(/|$)"
)
_PLAIN = re.compile(r"(/[A-Za-z0-9]([-A-Za-z0-9.:_]*[A-Za-z0-9])?)+")
_HEAD = b"Host: door\r\nAuthorization: Bearer " + TOKEN.encode() + b"\r\n"


@functools.cache
def stage() -> Stage:
    return Stage()


def request_target(data: bytes) -> None:
    """The first byte says how much of the request is written for the input: all but the target, all but the
    headers, or nothing."""
    kind, rest = data[:1], data[1:]
    if kind < b"\x60":
        line, _, headers = rest.partition(b"\n")
        raw = b"GET /" + re.sub(rb"[\x00-\x20\x7f-\xff]", b"", line) + b" HTTP/1.1\r\n" + _HEAD
        _check(raw + _lines(headers) + b"\r\n")
    elif kind < b"\xc0":
        _check(_lines(rest.partition(b"\n")[0]) + _HEAD + _lines(rest.partition(b"\n")[2]) + b"\r\n")
    else:
        _check(rest)


def _lines(text: bytes) -> bytes:
    return b"".join(line + b"\r\n" for line in text.split(b"\n") if line)


def submit_target(data: bytes) -> None:
    _post("/submit", data)


def mcp_target(data: bytes) -> None:
    _post("/mcp", data, "Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2025-06-18\r\n")


_BODIES = (
    ("/usage", "application/json"),
    ("/outcome", "application/json"),
    ("/prometheus/api/v1/query", "application/x-www-form-urlencoded"),
    ("/prometheus/api/v1/query_range", "application/x-www-form-urlencoded"),
    ("/prometheus/api/v1/series", "multipart/form-data; boundary=x"),
    ("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "application/json"),
    ("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "application/vnd.kubernetes.protobuf"),
    ("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", "application/json"),
    ("/apis/authentication.k8s.io/v1/selfsubjectreviews", "application/vnd.kubernetes.protobuf"),
)


def bodies_target(data: bytes) -> None:
    path, kind = _BODIES[data[0] % len(_BODIES)] if data else _BODIES[0]
    _post(path, data[1:], content_type=kind)


def _post(path: str, body: bytes, headers: str = "", content_type: str = "application/json") -> None:
    head = f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode()
    answer = _check(f"POST {path} HTTP/1.1\r\n".encode() + _HEAD + head + body)
    if not answer.startswith(b"HTTP/1.1 "):
        raise AssertionError(f"no answer to {body[:300]!r}")


def _check(raw: bytes) -> bytes:
    """Send, and look at what came back and at what was asked behind."""
    found = stage()
    answer = found.exchange(raw)
    if found.failures.texts:
        raise AssertionError(f"{raw[:500]!r}: {found.failures.texts[0]}")
    said = {raw.lower(), unquote_to_bytes(raw).lower()}
    low = answer.lower()
    if MARK.encode() in low:
        raise oracle.Leak(f"{raw[:500]!r}: {_around(low, MARK.encode())!r}")
    for word in (*oracle.WORDS, *oracle.INJECTOR):
        # What an agent itself has said may be said back to it: with backslashes, cut or quoted.
        if word.encode() in low and not any(_may_echo(text, word) for text in said):
            raise oracle.Leak(f"{raw[:500]!r}: {_around(low, word.encode())!r}")
    if b"HTTP/1.1 500" in answer:
        raise AssertionError(f"{raw[:500]!r}: {answer[:500]!r}")
    for path, query in found.behind.asked:
        _check_asked(path)
        for name, value in query:
            if name in ("labelSelector", "fieldSelector", "query", "match[]"):
                oracle.check_words(value, injector_hidden=True)
    return answer


def _may_echo(text: bytes, word: str) -> bool:
    return word.encode() in text or b"\\u" in text or b"\x00" in text or b"+" in text or b"%" in text


def _around(text: bytes, word: bytes) -> bytes:
    at = text.find(word)
    return text[max(0, at - 200) : at + 100]


def _check_asked(path: str) -> None:
    if path.startswith(("prometheus/", "jaeger/")):
        if ".." in path or "?" in path:
            raise oracle.Leak(f"asked {path!r}")
        return
    parts = path.split("/")
    allowed = (
        _PLAIN.fullmatch(path)
        and not _SECRET.search(path)
        and ".." not in parts
        and not (len(parts) > 4 and "namespaces" in parts and parts[parts.index("namespaces") + 1] in HIDDEN)
        and (
            parts[1] in ("api", "version", "openapi")
            or (parts[1] == "apis" and (len(parts) < 3 or parts[2] in _GROUP))
        )
    )
    if not allowed:
        raise oracle.Leak(f"asked the API server for {path!r}")
