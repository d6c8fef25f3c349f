"""docs/security.md names tests as its proofs: each of them exists."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/security.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)))
ROWS = [
    line
    for line in TEXT.partition("## How peers were beaten")[2].partition("\n## ")[0].splitlines()
    if line.startswith("| ") and not line.startswith(("| defeat", "|---"))
]


@cache
def functions(path: str) -> frozenset[str]:
    """The tests of a module: top-level functions that pytest collects."""
    file = ROOT / path
    if not file.is_file():
        return frozenset()
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(
        node.name
        for node in ast.parse(file.read_text()).body
        if isinstance(node, kinds) and node.name.startswith("test_")
    )


def test_there_is_a_table() -> None:
    assert len(ROWS) > 20
    assert len(NAMED) > 40


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_every_test_that_is_named_exists(path: str, name: str) -> None:
    assert name in functions(path), f"expected {name} in {path}; correct docs/security.md"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[2:42])
def test_every_defeat_has_what_we_do_and_a_test(row: str) -> None:
    _, defeat, answer, tests, _ = (cell.strip() for cell in row.split("|"))
    assert defeat
    assert answer
    assert re.fullmatch(r"(`tests/[\w/]+\.py::\w+`(; )?)+", tests), tests


def test_other_files_that_are_named_exist() -> None:
    named = set(re.findall(r"`((?:tests|operator|manifests)/[\w./-]+\.(?:py|yaml))`", TEXT))
    assert named
    assert [path for path in sorted(named) if not (ROOT / path).is_file()] == []
