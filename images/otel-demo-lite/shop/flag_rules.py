"""Feature flags in flagd's file format: parsing and evaluation, no I/O.

The format: `{"flags": {key: {"state", "variants": {name: value}, "defaultVariant", "targeting"?}}}`.
Targeting rules are JsonLogic; the operators that are known here are if, ==, !=, in, var, and, or, !.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class FlagFileError(Exception):
    """A flag file that is not in the format; the message names every mistake."""


@dataclass(frozen=True)
class Flag:
    """One flag: named variants, the one that serves by default, and rules that may choose another."""

    key: str
    variants: Mapping[str, Any]
    default_variant: str
    enabled: bool = True
    targeting: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Evaluation:
    """The outcome for one context. `reason` is one of flagd's: STATIC, DEFAULT, TARGETING_MATCH."""

    key: str
    variant: str
    value: Any
    reason: str


def parse(text: str) -> dict[str, Flag]:
    """The flags of a file, by key. Raises FlagFileError."""
    try:
        flags = json.loads(text)["flags"]
    except (ValueError, KeyError, TypeError) as error:
        raise FlagFileError(f"expected a JSON object with an object 'flags': {error!r}") from None
    parsed: dict[str, Flag] = {}
    mistakes: list[str] = []
    for key, value in flags.items():
        variants, default = value.get("variants") or {}, value.get("defaultVariant")
        if default not in variants:
            mistakes.append(f"{key}: defaultVariant {default!r} is none of {sorted(variants)}")
            continue
        parsed[key] = Flag(
            key, variants, default, value.get("state") != "DISABLED", value.get("targeting") or {}
        )
    if mistakes:
        raise FlagFileError("; ".join(mistakes))
    return parsed


def evaluate(flag: Flag, context: Mapping[str, Any]) -> Evaluation:
    """The variant that serves for the context."""
    if not flag.targeting:
        return Evaluation(flag.key, flag.default_variant, flag.variants[flag.default_variant], "STATIC")
    chosen = _apply(flag.targeting, context)
    if isinstance(chosen, str) and chosen in flag.variants:
        return Evaluation(flag.key, chosen, flag.variants[chosen], "TARGETING_MATCH")
    return Evaluation(flag.key, flag.default_variant, flag.variants[flag.default_variant], "DEFAULT")


def _apply(rule: Any, context: Mapping[str, Any]) -> Any:
    if not isinstance(rule, Mapping):
        return rule
    ((operator, raw),) = rule.items()
    operands = raw if isinstance(raw, list) else [raw]
    match operator:
        case "var":
            return context.get(str(operands[0]))
        case "if":
            return _choose(operands, context)
        case "and":
            return all(_apply(operand, context) for operand in operands)
        case "or":
            return any(_apply(operand, context) for operand in operands)
    values = [_apply(operand, context) for operand in operands]
    match operator:
        case "==":
            return values[0] == values[1]
        case "!=":
            return values[0] != values[1]
        case "in":
            return values[1] is not None and values[0] in values[1]
        case "!":
            return not values[0]
        case _:
            raise FlagFileError(
                f"expected an operator of if, ==, !=, in, var, and, or, !; found {operator!r}"
            )


def _choose(operands: list[Any], context: Mapping[str, Any]) -> Any:
    """`if`: condition, value, condition, value, …, and perhaps a last value for otherwise."""
    for index in range(0, len(operands) - 1, 2):
        if _apply(operands[index], context):
            return _apply(operands[index + 1], context)
    return _apply(operands[-1], context) if len(operands) % 2 else None
