"""Parameters of mechanisms, from the mapping that a scenario holds to their dataclass."""

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from reprise.domain import errors

P = TypeVar("P")


def read(model: type[P], values: Mapping[str, Any]) -> P:
    """The dataclass filled from the mapping.

    Raises InvalidInput with every problem: unknown names, missing names, wrong types, and what the model's
    own `problems()` says.
    """
    assert dataclasses.is_dataclass(model)  # noqa: S101 - a mechanism declared with something else
    hints = typing.get_type_hints(model)
    fields = {field.name: field for field in dataclasses.fields(model)}
    known = ", ".join(sorted(fields)) or "none"
    problems = [
        f"params.{name}: expected one of: {known}; found an unknown parameter"
        for name in values
        if name not in fields
    ]
    for name, field in fields.items():
        if name in values:
            if not _fits(values[name], hints[name]):
                problems.append(f"params.{name}: expected {_words(hints[name])}, found {values[name]!r:.60}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            problems.append(f"params.{name}: expected {_words(hints[name])}, found nothing")
    if problems:
        raise errors.InvalidInput(problems)
    made = model(**values)
    problems = [f"params.{problem}" for problem in getattr(made, "problems", list)()]
    if problems:
        raise errors.InvalidInput(problems)
    return made


def _fits(value: Any, hint: Any) -> bool:
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, option) for option in typing.get_args(hint))
    if origin is not None and issubclass(origin, Mapping):
        key, item = typing.get_args(hint)
        return isinstance(value, Mapping) and all(_fits(k, key) and _fits(v, item) for k, v in value.items())
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)  # NB: bool is an int in Python
    return isinstance(value, hint)


def _words(hint: Any) -> str:
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_words(option) for option in typing.get_args(hint) if option is not types.NoneType)
    if origin is not None and issubclass(origin, Mapping):
        return "a map"
    return {str: "a string", int: "a whole number", bool: "true or false"}.get(hint, str(hint))
