"""One way to print a figure."""

import statistics
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

    def quantile(self, share: float) -> float:
        """Nearest-rank quantile, 0 < share <= 1."""
        ordered = sorted(self.samples)
        return ordered[max(0, min(len(ordered) - 1, round(share * len(ordered)) - 1))]


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
