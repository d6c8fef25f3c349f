"""Jaeger's answers, taken apart without reading the spans in them. Pure.

An answer may hold many thousands of spans. Whether a trace may be seen depends on when it began and on the
words in it, which are looked for in its text.
"""

import json

import msgspec

from reprise.domain import redaction, telemetry
from reprise.domain.redaction import View
from reprise.gateway import shape


class Span(msgspec.Struct):
    startTime: float = 0.0


class Trace(msgspec.Struct):
    """Or something else that is an object: an operation, an edge between services."""

    spans: list[Span] | msgspec.UnsetType = msgspec.UNSET


class Answer(msgspec.Struct):
    data: list[msgspec.Raw] | None = None


class Shown(msgspec.Struct):
    data: list[msgspec.Raw] | None
    total: int
    limit: int = 0
    offset: int = 0
    errors: None = None


_ANSWER = msgspec.json.Decoder(Answer)
_TRACE = msgspec.json.Decoder(Trace)


def filtered(view: View, body: bytes) -> tuple[bytes, int]:
    """An answer without services, edges and traces that name hidden things or began before the window; and
    how many of its elements are left. Raises ValueError when it is no answer of Jaeger's."""
    data = shape.read(_ANSWER, body, "an answer of Jaeger's").data
    if data is not None:
        data = [item for item in data if not _hides(view, bytes(item))]
    count = len(data or ())
    return shape.dump(Shown(data, count)), count


def _hides(view: View, item: bytes) -> bool:
    if item.startswith(b"{"):
        spans = shape.read(_TRACE, item, "a trace").spans
        if spans is not msgspec.UNSET and telemetry.is_early(view, (span.startTime for span in spans)):
            return True
    text = item.decode()
    # NB: a letter may be written as an escape; a search of the text would not find the word that it is in.
    return telemetry.hides_item(view, json.loads(item)) if "\\u" in text else redaction.mentions(view, text)
