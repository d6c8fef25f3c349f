"""Prometheus' remote write protocol, version 1: samples as snappy-compressed protobuf.

Message: prometheus/prometheus prompb/remote.proto, WriteRequest {1: TimeSeries {1: Label {1: name, 2: value},
2: Sample {1: double value, 2: int64 timestamp in ms}}}. It is small enough to be written by hand.
"""

import struct
from collections.abc import Iterable, Mapping, Sequence

import aiohttp
import cramjam

from reprise.domain import errors

TIMEOUT_SECONDS = 60.0
HEADERS = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}
STALE = "stale"
# Prometheus' own bit patterns: a series that ended (no arithmetic makes it), a value that is no number.
STALE_BITS = 0x7FF0000000000002
NAN_BITS = 0x7FF8000000000001
_DOUBLE = struct.Struct("<Bd")
_BITS = struct.Struct("<BQ")


def _varint(value: int) -> bytes:
    # Negative numbers are written as 64 bits.
    value &= 0xFFFFFFFFFFFFFFFF
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _field(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _sample(time_ms: int, value: str) -> bytes:
    match value:
        case _ if value == STALE:
            encoded = _BITS.pack(0x09, STALE_BITS)
        case "NaN":
            encoded = _BITS.pack(0x09, NAN_BITS)
        case _:
            encoded = _DOUBLE.pack(0x09, float(value))
    return encoded + b"\x10" + _varint(time_ms)


def series(labels: Mapping[str, str], samples: Iterable[tuple[int, str]]) -> bytes:
    """One TimeSeries, as a part of a WriteRequest. Samples are (ms since 1970, value in the text form of
    Prometheus' API, or `stale`), in the order of time. Raises ValueError for what is no number."""
    body = b"".join(
        _field(1, _field(1, name.encode()) + _field(2, value.encode()))
        for name, value in sorted(labels.items())
    )
    return _field(1, body + b"".join(_field(2, _sample(time, value)) for time, value in samples))


def compress(parts: Sequence[bytes]) -> bytes:
    """The body of a request of these series."""
    return bytes(cramjam.snappy.compress_raw(b"".join(parts)))


async def send(http: aiohttp.ClientSession, base_url: str, parts: Sequence[bytes]) -> None:
    """POST these series. Raises Unreachable when Prometheus does not answer, Refused when it says no."""
    url = f"{base_url}/api/v1/write"
    try:
        async with http.post(
            url,
            data=compress(parts),
            headers=HEADERS,
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS),
        ) as answer:
            text = await answer.text()
    except (aiohttp.ClientError, TimeoutError, OSError) as exc:
        raise errors.Unreachable(f"Prometheus did not take samples: {exc!r}") from exc
    if answer.status // 100 != 2:
        raise errors.Refused(f"Prometheus refused samples with {answer.status}: {text.strip()[:300]}")
