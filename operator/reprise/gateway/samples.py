"""Prometheus' answers to queries, taken apart without reading the samples in them. Pure.

An answer may hold millions of samples; whether a series may be seen depends on its labels alone.
"""

from typing import Any

import msgspec

from reprise.domain import telemetry
from reprise.domain.redaction import View
from reprise.gateway import shape

_RAW = msgspec.Raw | msgspec.UnsetType


class Series(msgspec.Struct):
    metric: dict[str, Any]
    value: _RAW = msgspec.UNSET
    values: _RAW = msgspec.UNSET
    histogram: _RAW = msgspec.UNSET
    histograms: _RAW = msgspec.UNSET


class Data(msgspec.Struct):
    resultType: str
    result: msgspec.Raw


class Answer(msgspec.Struct):
    status: str
    data: Data


_ANSWER = msgspec.json.Decoder(Answer)
_SERIES = msgspec.json.Decoder(list[Series])
_WHAT = "Prometheus' answer to a query"


def filtered(view: View, body: bytes) -> bytes:
    """A successful answer of /query or /query_range, without the series that name hidden things, and without
    warnings. Raises ValueError when it is none."""
    answer = shape.read(_ANSWER, body, _WHAT)
    if answer.data.resultType in ("vector", "matrix"):
        series = shape.read(_SERIES, answer.data.result, _WHAT)
        kept = [one for one in series if not telemetry.hides(view, one.metric)]
        answer.data.result = msgspec.Raw(shape.dump(kept))
    return shape.dump(answer)
