"""What a run of the harness is told: by environment variables, the key by a file."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Price:
    """US dollars for a million tokens. `cached` is what input from a cache costs."""

    input: float
    output: float
    cached: float


@dataclass(frozen=True)
class Settings:
    """`timeout_seconds` is what the endpoint may take for one answer, from its request to its last piece.

    `record` is where every message goes; None for standard output. `price` None: costs are not reported.
    """

    endpoint: str
    model: str
    key: str
    context_tokens: int = 128_000
    output_tokens: int = 8_000
    timeout_seconds: float = 120.0
    retries: int = 4
    stream: bool = True
    turns: int = 100
    command_seconds: int = 120
    price: Price | None = None
    record: Path | None = None
    workspace: Path = Path()


def from_environment(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the variables that docs/agents.md lists. Raises ValueError with every problem."""
    problems = [f"expected {name}" for name in ("MODEL_ENDPOINT", "MODEL_NAME") if not environ.get(name)]
    endpoint = environ.get("MODEL_ENDPOINT", "")
    if endpoint and not endpoint.startswith(("http://", "https://")):
        problems.append(f"MODEL_ENDPOINT: expected an http(s) URL, found {endpoint!r}")
    key = ""
    if path := environ.get("MODEL_KEY_FILE"):
        try:
            key = Path(path).read_text().strip()
        except (OSError, UnicodeDecodeError) as exc:
            problems.append(f"MODEL_KEY_FILE: expected a readable file, found: {exc}")

    def number(name: str, default: float, least: float = 1e-9) -> float:
        text = environ.get(name, "")
        try:
            value = float(text or default)
        except ValueError:
            value = -1.0
        if value < least:
            problems.append(f"{name}: expected a number above 0, found {text!r}")
        return value

    price = None
    if text := environ.get("MODEL_PRICES"):
        try:
            price = price_of(json.loads(text), environ.get("MODEL_NAME", ""))
        except ValueError as exc:
            problems.append(f"MODEL_PRICES: {exc}")
    stream = environ.get("MODEL_STREAM", "true").lower()
    if stream not in ("true", "false"):
        problems.append(f"MODEL_STREAM: expected true or false, found {stream!r}")
    settings = Settings(
        endpoint=endpoint.rstrip("/"),
        model=environ.get("MODEL_NAME", ""),
        key=key,
        context_tokens=int(number("MODEL_CONTEXT_TOKENS", 128_000)),
        output_tokens=int(number("MODEL_OUTPUT_TOKENS", 8_000)),
        timeout_seconds=number("MODEL_TIMEOUT_SECONDS", 120),
        retries=int(number("MODEL_RETRIES", 4, 0)),
        stream=stream == "true",
        turns=int(number("MAX_TURNS", 100)),
        command_seconds=int(number("COMMAND_SECONDS", 120)),
        price=price,
        record=Path(environ["RECORD_FILE"]) if environ.get("RECORD_FILE") else None,
        workspace=Path(environ.get("HOME") or "."),
    )
    if settings.output_tokens > settings.context_tokens:
        problems.append("expected MODEL_OUTPUT_TOKENS to be at most MODEL_CONTEXT_TOKENS")
    if problems:
        raise ValueError("; ".join(problems))
    return settings


def price_of(table: object, model: str) -> Price | None:
    """The model's row of `{model: {input, output, cached}}`; None when it has none.

    Input from a cache costs as much as other input unless the table says less. Raises ValueError.
    """
    if not isinstance(table, dict):
        raise ValueError('expected {"<model>": {"input": $, "output": $, "cached": $}} per million tokens')
    row = table.get(model)
    if row is None:
        return None
    try:
        given = float(row["input"])
        return Price(given, float(row["output"]), float(row.get("cached", given)))
    except (TypeError, KeyError, AttributeError, ValueError) as exc:
        raise ValueError(f"{model}: expected numbers for input and output, and perhaps cached") from exc
