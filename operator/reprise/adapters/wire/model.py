"""What all wire types share: camelCase names, unknown fields refused, times as RFC 3339 in UTC."""

import datetime as dt
from typing import Annotated, Any

import pydantic
from pydantic import alias_generators

from reprise.domain import errors

API_VERSION = "reprise.dev/v1alpha1"


class Model(pydantic.BaseModel):
    """Base of the wire types."""

    model_config = pydantic.ConfigDict(
        extra="forbid", alias_generator=alias_generators.to_camel, populate_by_name=True, frozen=True
    )


def format_time(value: dt.datetime) -> str:
    """RFC 3339, UTC, milliseconds: `2026-01-31T12:00:00.000Z`."""
    return value.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Time = Annotated[
    dt.datetime, pydantic.PlainSerializer(format_time, return_type=str, when_used="json-unless-none")
]


def to_wire(model: Model) -> dict[str, Any]:
    """JSON values by their wire names, without what is None."""
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


def problems(exc: pydantic.ValidationError, what: str) -> errors.InvalidInput:
    """Every mistake at once, each with its place."""
    return errors.InvalidInput(
        [
            f"{what}: {'.'.join(map(str, item['loc']))}: {item['msg']}, found {item['input']!r:.80}"
            for item in exc.errors()
        ]
    )


def parse_time(text: str) -> dt.datetime:
    """An RFC 3339 time as the API server writes it. Raises InvalidInput."""
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError as exc:
        raise errors.InvalidInput(f"expected an RFC 3339 time, found {text!r:.80}") from exc
