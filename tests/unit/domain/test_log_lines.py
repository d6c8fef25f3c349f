"""Log lines: read, filtered, folded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.domain import log_lines
from reprise.domain.log_lines import Folded, Line


def test_times_come_off_where_there_are_some() -> None:
    text = "2026-01-02T12:00:00.5Z hello there\nplain words\n2026-01-02T12:00:01Z \n"
    assert log_lines.parse(text) == [
        Line("2026-01-02T12:00:00.5Z", "hello there"),
        Line("", "plain words"),
        Line("2026-01-02T12:00:01Z", ""),
    ]


@pytest.mark.parametrize(
    ("words", "ignore_case", "invert", "kept"),
    [
        ([], True, False, "ab"),
        (["ERROR"], True, False, "a"),
        (["ERROR"], False, False, ""),
        (["error", "fine"], True, False, "ab"),
        (["error"], True, True, "b"),
        ([], True, True, "ab"),
        ([".*"], True, False, ""),
    ],
)
def test_filter(words: list[str], ignore_case: bool, invert: bool, kept: str) -> None:
    lines = [Line("", "a error"), Line("", "b fine")]
    assert "".join(one.text[0] for one in log_lines.matching(lines, words, ignore_case, invert)) == kept


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("took 12 ms", "took 9.5 ms", True),
        ("pod cart-5d9c7b8f9a77c1 up", "pod cart-aaaabbbbcccc11 up", True),
        ("id 4bf92f35-77b3-4da6-a3ce-929d0e0e4736", "id 00000000-0000-0000-0000-000000000000", True),
        ("at 0xdeadbeef", "at 0xff", True),
        ("2026-01-02T12:00:00 x", "2026-01-03T13:10:59 x", True),
        ("10.0.0.1:80 refused", "10.0.0.22:8080 refused", True),
        ("GET /cart", "GET /checkout", False),
        ("defaced facade", "defaced decade", False),
    ],
)
def test_what_counts_as_the_same(one: str, other: str, same: bool) -> None:
    assert (log_lines.pattern(one) == log_lines.pattern(other)) is same


def test_fold() -> None:
    lines = [Line("1", "try 1"), Line("2", "hello"), Line("3", "try 2"), Line("4", "try 3")]
    assert log_lines.fold(lines) == [
        Folded(1, "2", Line("2", "hello")),
        Folded(3, "1", Line("4", "try 3")),
    ]


@given(st.lists(st.text(alphabet="ab1 .", max_size=6)))
def test_folding_loses_no_line(texts: list[str]) -> None:
    folded = log_lines.fold([Line(str(n), text) for n, text in enumerate(texts)])
    assert sum(one.count for one in folded) == len(texts)
    assert len({log_lines.pattern(one.last.text) for one in folded}) == len(folded)
