"""Kept answers stay within their room."""

from reprise.gateway.kept import Kept


def test_the_least_recently_used_answer_goes_first() -> None:
    kept = Kept(max_bytes=100, max_answers=2)
    kept.put("a", b"1")
    kept.put("b", b"2")
    assert kept.get("a") == b"1"
    kept.put("c", b"3")
    assert (kept.get("a"), kept.get("b"), kept.get("c")) == (b"1", None, b"3")


def test_bytes_are_bounded() -> None:
    kept = Kept(max_bytes=80, max_answers=100)
    for number in range(20):
        kept.put(number, b"x" * 10)
    assert sum(kept.get(number) is not None for number in range(20)) == 8
    kept.put("large", b"x" * 11)
    assert kept.get("large") is None


def test_a_second_answer_takes_the_place_of_the_first() -> None:
    kept = Kept(max_bytes=80, max_answers=100)
    for _ in range(50):
        kept.put("a", b"x" * 10)
    kept.put("b", b"y" * 10)
    assert kept.get("a") == b"x" * 10
