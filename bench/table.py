"""One way to print a figure."""

import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A measured quantity: all its samples, their unit, and the limit that it is held against (or "")."""

    name: str
    unit: str
    samples: Sequence[float]
    limit: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.samples)


def percentile(values: Sequence[float], share: float) -> float:
    """With linear interpolation, `share` in thousandths, 0 < share < 1. One value is its own percentile."""
    if len(values) == 1:
        return values[0]
    return statistics.quantiles(values, n=1000, method="inclusive")[round(share * 1000) - 1]


def say(text: str) -> None:
    """Progress, to standard error: the tables go to standard output."""
    print(f"  {text}", file=sys.stderr, flush=True)


def render(title: str, figures: Sequence[Figure]) -> str:
    """A Markdown table: median, lowest and highest beside n and the limit."""
    lines = [
        f"### {title}",
        "",
        "| figure | unit | n | median | lowest | highest | limit |",
        "|---|---|---|---|---|---|---|",
    ]
    for figure in figures:
        low, high = min(figure.samples), max(figure.samples)
        lines.append(
            f"| {figure.name} | {figure.unit} | {len(figure.samples)} | {figure.median:.4g} "
            f"| {low:.4g} | {high:.4g} | {figure.limit} |"
        )
    return "\n".join(lines) + "\n"
