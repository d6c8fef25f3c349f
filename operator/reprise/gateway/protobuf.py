"""Just enough protobuf to read a SelfSubject…Review: kubectl sends those, and those only, in that encoding.

Format: the magic `k8s\\0`, then `runtime.Unknown` (1: TypeMeta {1: apiVersion, 2: kind}, 2: raw), whose `raw`
is the review (2: spec). Field numbers are those of k8s.io/api/authorization/v1/generated.proto.
"""

from collections.abc import Mapping
from typing import Any

from reprise.domain import errors

Json = dict[str, Any]
MAGIC = b"k8s\x00"
# kind -> {field of its spec: what is in it}; a nested mapping is a message, a text is a string field.
_RESOURCE = {
    1: "namespace",
    2: "verb",
    3: "group",
    4: "version",
    5: "resource",
    6: "subresource",
    7: "name",
}
_SPECS: Mapping[str, Mapping[int, Any]] = {
    "SelfSubjectAccessReview": {
        1: ("resourceAttributes", _RESOURCE),
        2: ("nonResourceAttributes", {1: "path", 2: "verb"}),
    },
    "SelfSubjectRulesReview": {1: "namespace"},
    "SelfSubjectReview": {},
}


def read_review(body: bytes) -> Json:
    """The review as JSON: kind and spec. Raises InvalidInput for anything else."""
    if not body.startswith(MAGIC):
        raise errors.InvalidInput("expected a Kubernetes object in protobuf, found other bytes")
    try:
        unknown = _fields(body[len(MAGIC) :])
        kind = _fields(unknown.get(1, b"")).get(2, b"").decode()
        shape = _SPECS.get(kind)
        if shape is None:
            raise errors.InvalidInput(f"expected a SelfSubject…Review in protobuf, found kind {kind!r}")
        return {"kind": kind, "spec": _message(_fields(unknown.get(2, b"")).get(2, b""), shape)}
    except (IndexError, UnicodeDecodeError) as exc:
        raise errors.InvalidInput("expected a whole protobuf message, found a broken one") from exc


def _message(data: bytes, shape: Mapping[int, Any]) -> Json:
    found: Json = {}
    for number, value in _fields(data).items():
        match shape.get(number):
            case str() as name:
                found[name] = value.decode()
            case (name, inner):
                found[name] = _message(value, inner)
    return found


def _fields(data: bytes) -> dict[int, bytes]:
    """Length-delimited fields by number, the last of each; others are skipped. IndexError when cut short."""
    found: dict[int, bytes] = {}
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        match tag & 7:
            case 0:
                _, at = _varint(data, at)
            case 1:
                at += 8
            case 5:
                at += 4
            case 2:
                size, at = _varint(data, at)
                if at + size > len(data):
                    raise IndexError(size)
                found[tag >> 3] = data[at : at + size]
                at += size
            case _:
                raise IndexError(tag)
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise IndexError(shift)
