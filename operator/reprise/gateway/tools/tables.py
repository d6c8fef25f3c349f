"""Text for people and models: columns that line up, YAML in the order of the server."""

import asyncio
from collections.abc import Sequence
from typing import Any

import yaml

MAX_CELL_CHARS = 300
# libyaml where PyYAML was built with it: ten times as fast.
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Rows under their headings; the last column is not padded."""
    texts = [[_cell(cell) for cell in row] for row in (columns, *rows)]
    widths = [max(len(row[place]) for row in texts) for place in range(len(columns))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in texts)
    return "\n".join(line.rstrip() for line in lines)


async def as_yaml(value: Any) -> str:
    """Made in a thread: a ConfigMap of a megabyte must not stop everybody else."""

    def dump() -> str:
        return str(yaml.dump(value, Dumper=_DUMPER, sort_keys=False, allow_unicode=True, width=120))

    return await asyncio.to_thread(dump)


def one_line(text: object, limit: int) -> str:
    found = " ".join(str(text).split())
    return found if len(found) <= limit else found[: limit - 1] + "…"


def _cell(value: Any) -> str:
    return one_line("<none>" if value is None or value == "" else value, MAX_CELL_CHARS)
