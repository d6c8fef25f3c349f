"""What must never come out, looked for in the plainest way there is: no code of the product's rules."""

import json
from collections.abc import Iterator
from typing import Any

WORDS = ("reprise", "kopf", "benchmarkrun", "agentattempt")
INJECTOR = (
    "chaos-mesh", "chaosmesh", "chaos_mesh", "chaos-daemon", "chaos-controller", "chaos-dashboard",
)  # fmt: skip
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class Leak(AssertionError):
    """Something hidden came out, or something that was never there."""


def texts(value: Any) -> Iterator[str]:
    """Every text in a JSON document, keys included."""
    match value:
        case str():
            yield value
        case dict():
            for key, item in value.items():
                yield key
                yield from texts(item)
        case list():
            for item in value:
                yield from texts(item)


def check_words(found: str | bytes, injector_hidden: bool) -> None:
    """No hidden word in a text, in any case."""
    low = (found.encode(errors="replace") if isinstance(found, str) else found).lower()
    for word in WORDS + (INJECTOR if injector_hidden else ()):
        if word.encode() in low:
            raise Leak(f"{word!r} in {found[:300]!r}")


def check_document(body: bytes, given: Any, injector_hidden: bool) -> Any:
    """No hidden word in any text of the answer, and no text that the document it was made from (`given`) does
    not have. Returns the decoded answer."""
    answer = json.loads(body)
    known = set(texts(given)) | {"", "PartialObjectMetadata", "meta.k8s.io/v1", "object", "metadata", "cells"}
    for text in texts(answer):
        check_words(text, injector_hidden)
        if text not in known:
            raise Leak(f"{text!r} was never in the object")
    return answer


def check_metadata(meta: dict[str, Any]) -> None:
    """Nothing that tells who wrote what."""
    noise = {"managedFields", "selfLink"} & set(meta) | {LAST_APPLIED} & set(meta.get("annotations") or ())
    if noise:
        raise Leak(f"{noise} in {meta!r:.300}")
