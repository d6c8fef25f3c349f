"""What every tool takes and says of itself."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reprise.gateway.tools import pages
from reprise.gateway.tools.call import Call, ToolError

NAME = r"^[A-Za-z0-9]([-A-Za-z0-9.:_]{0,251}[A-Za-z0-9])?$"
# Not part of the question: pages of one answer may differ in them.
ASIDE = frozenset({"justification", "cursor", "max_bytes"})


class Arguments(BaseModel):
    """The base of all inputs."""

    model_config = ConfigDict(extra="forbid")

    justification: str = Field(
        "", max_length=2000, description="Why you look there; kept for the record, changes nothing."
    )


class PagedArguments(Arguments):
    """The base of inputs whose answer may be long."""

    cursor: str = Field(
        "",
        max_length=pages.MAX_CURSOR_CHARS,
        description="From the last line of a truncated answer: gives the next page of the same call.",
    )
    max_bytes: int = Field(
        pages.MAX_BYTES, ge=1024, le=256 * 1024, description="Size of a page; the rest comes by cursor."
    )


Namespace = Annotated[
    str,
    Field(
        pattern=r"^(|\*|[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)$",
        description="Empty: the application's namespace. '*': all namespaces.",
    ),
]
Since = Annotated[
    str,
    Field(
        max_length=64,
        description="How long ago ('15m'), or a time in RFC 3339. Empty: since the window began.",
        examples=["15m", "2026-01-02T12:30:00Z"],
    ),
]
A = TypeVar("A", bound=Arguments)


@dataclass(frozen=True)
class Tool(Generic[A]):
    """`run` gives the whole answer as text; the pages are cut elsewhere."""

    name: str
    title: str
    description: str
    model: type[A]
    run: Callable[[Call, A], Awaitable[str]]
    is_read_only: bool = True

    def schema(self) -> dict[str, Any]:
        """The input's JSON Schema, without what pydantic makes of the names of Python's classes."""
        found = self.model.model_json_schema()
        kept = {key: item for key, item in found.items() if key not in ("title", "description")}
        kept["properties"] = {
            name: {key: item for key, item in field.items() if key != "title"}
            for name, field in found["properties"].items()
        }
        return kept

    def parse(self, given: dict[str, Any]) -> A:
        """Raises ToolError with every problem. A null stands for an argument that is not given."""
        try:
            return self.model.model_validate({key: item for key, item in given.items() if item is not None})
        except ValidationError as exc:
            problems = [
                f"{'.'.join(map(str, error['loc'])) or 'arguments'}: {error['msg']}, found "
                f"{str(error['input'])[:80]!r}"
                for error in exc.errors(include_url=False)[:10]
            ]
            names = ", ".join(self.model.model_fields)
            raise ToolError(
                400, f"the arguments do not fit: {'; '.join(problems)}. {self.name} takes: {names}"
            ) from exc
