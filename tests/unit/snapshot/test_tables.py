"""Cells and rows: whatever goes in comes out, and one row is one line for every reader."""

import csv
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.domain import errors
from reprise.snapshot import tables


@given(st.text())
def test_a_text_comes_back(text: str) -> None:
    assert tables.unescape(tables.text_cell(text)) == text


@given(st.text())
def test_a_text_is_one_line_for_python_and_for_csv(text: str) -> None:
    cell = tables.text_cell(text)
    assert len(f"{cell}.".splitlines()) == 1
    assert "\t" not in cell


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda v: st.lists(v, max_size=3)))
def test_json_comes_back_and_is_one_line(value: object) -> None:
    cell = tables.json_cell({"key": value})
    assert json.loads(cell) == {"key": value}
    assert cell.isascii()
    assert len(cell.splitlines()) == 1


def test_itbench_way_of_reading(tmp_path: Path) -> None:
    """Its readers split the whole text into lines before csv sees them."""
    text = 'say "hi"\tand\nbye\u2028\x85 C:\\new'
    with tables.TableWriter(tmp_path, "t.tsv", ("a", "b")) as table:
        table.write_rows([(tables.text_cell(text), tables.json_cell({"k": text}))])
    lines = (tmp_path / "t.tsv").read_text().splitlines()
    assert len(lines) == 2
    row = next(csv.DictReader(lines, delimiter="\t"))
    assert tables.unescape(row["a"]) == text
    assert json.loads(row["b"]) == {"k": text}
    assert table.entry.rows == 1
    assert table.entry.size_bytes == (tmp_path / "t.tsv").stat().st_size


def test_a_row_of_another_width_is_a_bug(tmp_path: Path) -> None:
    with (
        tables.TableWriter(tmp_path, "t.tsv", ("a", "b")) as table,
        pytest.raises(ValueError, match="2 cells"),
    ):
        table.write_rows([("only one",)])


def test_more_rows_than_a_chunk(tmp_path: Path) -> None:
    with tables.TableWriter(tmp_path, "t.tsv", ("n",)) as table:
        table.write_rows((n,) for n in range(4501))
    lines = (tmp_path / "t.tsv").read_text().splitlines()
    assert lines == ["n", *map(str, range(4501))]
    assert table.entry.rows == 4501


def test_a_file_is_written_once(tmp_path: Path) -> None:
    with tables.FileWriter(tmp_path, "x") as out:
        out.write(b"1")
    with pytest.raises(FileExistsError):
        tables.FileWriter(tmp_path, "x")


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "logs/../../evil",
        "logs/shop/../../../evil/cart.log",
        "/evil",
        "logs//x",
        "a b",
        "",
        "x\n",
        ".",
    ],
)
def test_a_hostile_name_makes_no_file(tmp_path: Path, name: str) -> None:
    home = tmp_path / "a" / "b"
    home.mkdir(parents=True)
    with pytest.raises(errors.Refused, match="expected names of letters, digits"):
        tables.FileWriter(home, name)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_map_cells_hold_texts() -> None:
    assert json.loads(tables.attributes({"a": "x", "b": 1, "c": True, "d": [1]})) == {
        "a": "x",
        "b": "1",
        "c": "true",
        "d": "[1]",
    }
