"""Pages of a text and the cursors between them."""

import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.gateway.tools import metrics, pages
from reprise.gateway.tools.call import ToolError

NOW = datetime(2026, 1, 2, 13, 0, tzinfo=UTC)


def read(text: str, max_bytes: int) -> list[str]:
    """All pages, without their last lines."""
    begin = pages.Cursor(0, "", NOW, {})
    found = []
    while True:
        page = pages.cut("q", text, begin, max_bytes)
        body, mark, rest = page.rpartition("[truncated: bytes ")
        if not mark:
            return [*found, page]
        found.append(body)
        begin = pages.decode("q", rest.partition('cursor="')[2].partition('"')[0])


@given(st.text(alphabet="aä€😀\n", max_size=300), st.integers(min_value=8, max_value=64))
def test_pages_make_up_the_text_and_keep_their_size(text: str, max_bytes: int) -> None:
    found = read(text, max_bytes)
    # A page that ends within a line gets a line break before its last line.
    assert "".join(found).replace("\n", "") == text.replace("\n", "")
    assert all(len(page.encode()) <= max_bytes + 1 for page in found)


def test_whole_lines_stay_whole() -> None:
    assert read("one\ntwo\nthree\n", 9) == ["one\ntwo\n", "three\n"]


def coded(*fields: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(fields).encode()).decode()


@pytest.mark.parametrize(
    "text",
    [
        "?",
        "a",
        coded(),
        coded("q", -1, "", 0, {}),
        coded("q", "x", "", 0, {}),
        coded("q", 1, "", 1e300, {}),
        coded("q", 1, "", 0, {"since": 5}),
        coded("q", 1, "", 0, []),
        coded("other", 1, "", 0, {}),
        base64.urlsafe_b64encode(b"[" * 1000).decode(),
    ],
)
def test_a_cursor_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ToolError, match="call again without it"):
        pages.decode("q", text)


@pytest.mark.parametrize(
    ("count", "points", "expected"),
    [
        (0, 5, []),
        (4, 5, [(0, 1), (1, 1), (2, 1), (3, 1)]),
        (5, 2, [(0, 3), (3, 2)]),
        (10, 3, [(0, 4), (4, 4), (8, 2)]),
    ],
)
def test_decimation_leaves_no_sample_out(count: int, points: int, expected: list[tuple[int, int]]) -> None:
    assert metrics.decimate(count, points) == expected
