"""Content keys change when, and only when, inputs change; the store never shows half an artefact."""

import multiprocessing
import os
from pathlib import Path

import pytest

from reprise.cluster import keys
from reprise.cluster.store import Store


def _tree(root: Path) -> Path:
    (root / "a").mkdir(parents=True)
    (root / "a" / "one.py").write_text("1\n")
    (root / "two").write_text("2\n")
    return root


def _change_content(root: Path) -> None:
    (root / "two").write_text("3\n")


def _rename(root: Path) -> None:
    (root / "two").rename(root / "three")


def _add(root: Path) -> None:
    (root / "a" / "new").write_text("")


def _remove(root: Path) -> None:
    (root / "two").unlink()


def _make_executable(root: Path) -> None:
    (root / "two").chmod(0o755)


@pytest.mark.parametrize("change", [_change_content, _rename, _add, _remove, _make_executable])
def test_key_of_a_tree_changes_with_its_files(tmp_path: Path, change: object) -> None:
    before = keys.of_tree(_tree(tmp_path / "x"))
    assert callable(change)
    change(tmp_path / "x")
    assert keys.of_tree(tmp_path / "x") != before


def _touch(root: Path) -> None:
    os.utime(root / "two", (1, 1))


def _compile(root: Path) -> None:
    (root / "a" / "__pycache__").mkdir()
    (root / "a" / "__pycache__" / "one.cpython-313.pyc").write_bytes(b"x")


@pytest.mark.parametrize("change", [_touch, _compile])
def test_key_of_a_tree_ignores_times_and_leftovers(tmp_path: Path, change: object) -> None:
    before = keys.of_tree(_tree(tmp_path / "x"))
    assert callable(change)
    change(tmp_path / "x")
    assert keys.of_tree(tmp_path / "x") == before


def test_key_does_not_depend_on_where_the_tree_lies(tmp_path: Path) -> None:
    assert keys.of_tree(_tree(tmp_path / "one" / "x")) == keys.of_tree(_tree(tmp_path / "two" / "x"))


@pytest.mark.parametrize(
    ("one", "other"), [(("ab", "c"), ("a", "bc")), (("a",), ("a", "")), (("a", "b"), ("b", "a"))]
)
def test_lists_of_parts_do_not_collide(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    assert keys.of(*one) != keys.of(*other)


def test_store_makes_once(tmp_path: Path) -> None:
    store, calls = Store(tmp_path), []

    def make(out: Path) -> None:
        calls.append(out)
        (out / "f").write_text("x")

    first = store.ensure("kind", "name", "k1", make)
    second = store.ensure("kind", "name", "k1", make)
    assert first == second
    assert len(calls) == 1
    assert (first / "f").read_text() == "x"


def test_interrupted_making_leaves_nothing_and_starts_clean(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def fail(out: Path) -> None:
        (out / "half").write_text("x")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.ensure("kind", "name", "k1", fail)
    assert not store.has("kind", "name", "k1")
    made = store.ensure("kind", "name", "k1", lambda out: (out / "whole").touch())
    assert [path.name for path in made.iterdir()] == ["whole"]


def test_prune_keeps_the_newest_of_the_name_only(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for age, (name, key) in enumerate([("shop", "k1"), ("shop", "k2"), ("shop", "k3"), ("shop-kafka", "k1")]):
        os.utime(store.ensure("archives", name, key, lambda out: None), (age, age))
    store.prune("archives", "shop", keep=2)
    assert sorted(p.name for p in (tmp_path / "archives").iterdir()) == [
        "shop-k2",
        "shop-k3",
        "shop-kafka-k1",
    ]


def _hold(
    root: Path, started: "multiprocessing.synchronize.Event", end: "multiprocessing.synchronize.Event"
) -> None:
    with Store(root).lock("x"):
        started.set()
        end.wait(20)


def test_lock_is_freed_when_its_holder_dies(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    started, end = context.Event(), context.Event()
    holder = context.Process(target=_hold, args=(tmp_path, started, end))
    holder.start()
    assert started.wait(20)
    waited: list[str] = []

    def somebody_else() -> None:
        waited.append("x")
        holder.kill()

    with Store(tmp_path).lock("x", somebody_else):
        assert waited == ["x"]
    holder.join()
