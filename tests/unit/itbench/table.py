"""The table in docs/itbench.md, made of two lists. `python -m tests.unit.itbench.table` writes it anew."""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs/itbench.md"
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
HEAD = "| id | what it does | mechanism | scenario | what is repaired | remarks |\n|---|---|---|---|---|---|"


def theirs() -> list[dict[str, Any]]:
    """Every entry of ITBench's index, reduced to what is injected where."""
    found: list[dict[str, Any]] = json.loads((ROOT / "tests/data/itbench-scenarios.json").read_text())[
        "scenarios"
    ]
    return found


def ours() -> dict[int, dict[str, Any]]:
    """The counterpart of each entry by its id."""
    rows = json.loads((ROOT / "docs/itbench.json").read_text())
    return {int(number): row for number, row in rows.items()}


def table() -> str:
    """The table as Markdown."""
    rows = ours()
    return "\n".join((HEAD, *(_line(entry, rows[entry["id"]]) for entry in theirs())))


def _line(entry: dict[str, Any], row: dict[str, Any]) -> str:
    does = "<br>".join(_injection(injection) for injection in entry["injections"]) or "nothing"
    mechanisms = "<br>".join(f"`{name}`" for name in row["mechanisms"]) or "none"
    scenario = f"`{row['scenario']}`" if row["scenario"] else "–"
    cells = (str(entry["id"]), does, mechanisms, scenario, row["repaired"] or "–", row["note"] or "–")
    return "| " + " | ".join(cells) + " |"


def _injection(injection: dict[str, Any]) -> str:
    target = injection["target"]
    place = "/".join(part for part in (target.get("namespace"), target["kind"], target["name"]) if part)
    detail = f" ({injection['detail']})" if "detail" in injection else ""
    return f"{injection['mechanism']}: {place}{detail}"


def page_with(text: str) -> str:
    """The page with the table replaced by this text."""
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{text}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page_with(table()))
