"""Prometheus' remote read protocol: raw samples at the times at which they were scraped.

Snappy-compressed protobuf in both directions, as Prometheus' `/api/v1/read` speaks it. Staleness markers come
as they are stored, which no query shows. The messages are generated from `wire/remote_read.proto`.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import cramjam
from google.protobuf.message import DecodeError

from reprise.adapters.remote_write import STALE, STALE_BITS
from reprise.adapters.wire import remote_read_pb2 as wire
from reprise.domain import errors

PATH = "/api/v1/read"
HEADERS: Mapping[str, str] = {
    "Content-Encoding": "snappy",
    "Content-Type": "application/x-protobuf",
    "Accept-Encoding": "snappy",
    "X-Prometheus-Remote-Read-Version": "0.1.0",
}


@dataclass(frozen=True)
class RawSeries:
    """One series. `labels` are sorted pairs; `times_ms` (since 1970) and `values` have the same length.

    `histograms` tells that it also holds native histograms, which are not read.
    """

    labels: tuple[tuple[str, str], ...]
    times_ms: array[int]
    values: array[float]
    histograms: bool = False


def encode(name: str, start_ms: int, end_ms: int) -> bytes:
    """The body of a request for every series of one metric; both ends belong to the range."""
    matcher = wire.LabelMatcher(type=wire.LabelMatcher.EQ, name="__name__", value=name)
    query = wire.Query(start_timestamp_ms=start_ms, end_timestamp_ms=end_ms, matchers=[matcher])
    request = wire.ReadRequest(queries=[query], accepted_response_types=[wire.ReadRequest.SAMPLES])
    return bytes(cramjam.snappy.compress_raw(request.SerializeToString()))


def decode(body: bytes, external_labels: Mapping[str, str]) -> list[RawSeries]:
    """The series of an answer, sorted by their labels. Raises Unreachable for anything else.

    Prometheus adds its external labels to what it gives away; those given are taken off again, so that
    the labels are those that queries show.
    """
    try:
        answer = wire.ReadResponse.FromString(bytes(cramjam.snappy.decompress_raw(body)))
    except (cramjam.DecompressionError, DecodeError) as error:
        raise errors.Unreachable(
            f"expected snappy-compressed samples of remote read, found {body[:40]!r}: {error}"
        ) from error
    found = [
        RawSeries(
            labels=tuple(
                sorted(
                    (label.name, label.value)
                    for label in series.labels
                    if external_labels.get(label.name) != label.value
                )
            ),
            times_ms=array("q", (sample.timestamp for sample in series.samples)),
            values=array("d", (sample.value for sample in series.samples)),
            histograms=bool(series.histograms),
        )
        for result in answer.results
        for series in result.timeseries
    ]
    return sorted(found, key=lambda series: series.labels)


def value_text(value: float) -> str:
    """A sample's value in the text of Prometheus' API, or `STALE` for its staleness marker.

    As Go's strconv with the fewest digits: plain notation from 1e-6 to below 1e21, otherwise with an exponent
    (util/jsonutil.MarshalFloat of Prometheus).
    """
    if value != value:
        # NB: only the bits tell; comparing or computing does not.
        return STALE if struct.unpack("<Q", struct.pack("<d", value))[0] == STALE_BITS else "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    text = repr(value)
    if "e" in text and 1e-6 <= abs(value) < 1e21:
        return format(Decimal(text), "f")
    return text.removesuffix(".0")
