"""Whatever is done to an audit trail after it was written shows."""

import json

from hypothesis import given
from hypothesis import strategies as st

from reprise.domain import chain

UID = "4d1f"
TEXT = st.text(max_size=30)
FIELDS = st.fixed_dictionaries(
    {"seq": st.integers(0, 99), "path": TEXT, "arguments": st.dictionaries(TEXT, TEXT)}
)
TRAILS = st.lists(FIELDS, min_size=1, max_size=8)


def sealed(entries: list[dict[str, object]], uid: str = UID) -> list[bytes]:
    head, lines = chain.genesis(uid), []
    for entry in entries:
        link = chain.seal(entry, head)
        head = link.hash
        lines.append(link.line)
    return lines


def anchor(lines: list[bytes]) -> chain.Anchor:
    parsed = chain.parse(lines[-1].removesuffix(b"\n"))
    assert parsed is not None
    return chain.Anchor(len(lines), parsed.hash)


def split(data: bytes) -> list[bytes]:
    """As a file is read: at line feeds only."""
    parts = data.split(b"\n")
    return [part + b"\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


@given(TRAILS)
def test_what_nobody_touched_is_whole(entries: list[dict[str, object]]) -> None:
    lines = sealed(entries)
    found = chain.check(lines, UID, anchor(lines))
    assert (found.problems, found.lines, found.head) == ([], len(lines), anchor(lines).head)
    assert [json.loads(line)["path"] for line in lines] == [entry["path"] for entry in entries]


@given(TRAILS, st.data())
def test_a_missing_line_shows(entries: list[dict[str, object]], data: st.DataObject) -> None:
    lines = sealed(entries)
    at = data.draw(st.integers(0, len(lines) - 1))
    kept = lines[:at] + lines[at + 1 :]
    assert not chain.check(kept, UID, anchor(lines)).whole
    # Nothing but the last one is missed without the anchor.
    assert chain.check(kept, UID).whole == (at == len(lines) - 1)


@given(TRAILS.filter(lambda entries: len(entries) > 1), st.data())
def test_two_lines_that_changed_places_show(entries: list[dict[str, object]], data: st.DataObject) -> None:
    lines = sealed(entries)
    one, other = data.draw(
        st.lists(st.integers(0, len(lines) - 1), min_size=2, max_size=2, unique=True), label="places"
    )
    lines[one], lines[other] = lines[other], lines[one]
    assert not chain.check(lines, UID).whole


@given(TRAILS, st.data())
def test_a_line_that_stands_twice_shows(entries: list[dict[str, object]], data: st.DataObject) -> None:
    lines = sealed(entries)
    at = data.draw(st.integers(0, len(lines) - 1))
    to = data.draw(st.integers(0, len(lines)))
    assert not chain.check([*lines[:to], lines[at], *lines[to:]], UID).whole


@given(TRAILS, st.data())
def test_any_changed_byte_shows(entries: list[dict[str, object]], data: st.DataObject) -> None:
    whole = b"".join(sealed(entries))
    at = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != whole[at]))
    changed = whole[:at] + bytes([byte]) + whole[at + 1 :]
    assert not chain.check(split(changed), UID).whole


@given(TRAILS, st.data())
def test_any_cut_at_the_end_shows(entries: list[dict[str, object]], data: st.DataObject) -> None:
    lines = sealed(entries)
    whole = b"".join(lines)
    kept = whole[: data.draw(st.integers(0, len(whole) - 1))]
    assert not chain.check(split(kept), UID, anchor(lines)).whole
    # Between two lines only the anchor knows.
    assert chain.check(split(kept), UID).whole == (kept == b"" or kept.endswith(b"\n"))


@given(TRAILS, FIELDS, st.data())
def test_a_line_put_in_between_shows(
    entries: list[dict[str, object]], more: dict[str, object], data: st.DataObject
) -> None:
    """Also one that is sealed as it should be: the next one does not name it."""
    lines = sealed(entries)
    at = data.draw(st.integers(0, len(lines) - 1))
    before = chain.parse(lines[at - 1].removesuffix(b"\n")) if at else None
    link = chain.seal(more, before.hash if before else chain.genesis(UID))
    assert not chain.check([*lines[:at], link.line, *lines[at:]], UID).whole


@given(TRAILS)
def test_another_attempts_trail_shows(entries: list[dict[str, object]]) -> None:
    assert not chain.check(sealed(entries, "another"), UID).whole


def recovered(first: dict[str, object], half: bytes) -> list[bytes]:
    """A line, half a line, and what a gateway writes behind it."""
    one = chain.seal(first, chain.genesis(UID))
    said = chain.seal({"event": chain.RECOVERED, "cut": chain.cut(half)}, one.hash)
    after = chain.seal(first, said.hash)
    return [one.line, half + b"\n", said.line, after.line]


@given(FIELDS, st.binary(min_size=1, max_size=40).filter(lambda data: b"\n" not in data), st.data())
def test_a_crash_is_known_and_cannot_be_used_to_hide_anything(
    first: dict[str, object], half: bytes, data: st.DataObject
) -> None:
    lines = recovered(first, half)
    found = chain.check(lines, UID)
    assert (found.problems, found.recovered) == ([], [3])
    changed = data.draw(st.binary(max_size=40).filter(lambda other: other != half and b"\n" not in other))
    assert not chain.check([lines[0], changed + b"\n", *lines[2:]], UID).whole
    assert not chain.check([lines[0], *lines[2:]], UID).whole
    assert not chain.check([*lines[:2], lines[3]], UID).whole
