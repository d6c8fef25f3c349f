"""What `down` removes, and what it never does."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from reprise.cluster import engine, paths, state, tear_down
from reprise.cluster.progress import Progress
from reprise.cluster.store import Store
from reprise.cluster.tools import Finished, Tools
from reprise.domain import errors

LISTED = """localhost/reprise-node:abc
localhost/reprise-operator:abc
localhost/otel-demo-lite:abc
localhost/otel-demo-lite:def
localhost/somebody-elses:1
example.com/otel-demo-lite:1
"""


@dataclass(frozen=True)
class Recording(Tools):
    """Runs nothing; remembers what would have run and answers `images` with the list above."""

    ran: list[list[str]] = field(default_factory=list)

    def run(self, argv: Sequence[str | Path], **_: Any) -> Finished:
        words = [str(word) for word in argv]
        self.ran.append(words)
        return Finished(0, LISTED if words[1] == "images" else "", "")

    def removed(self) -> list[str]:
        return [word for words in self.ran if words[1] == "rmi" for word in words[2:]]


def test_only_images_of_ours_are_removed_and_never_by_force(tmp_path: Path) -> None:
    tools = Recording(tmp_path)
    engine.remove_images(tools, ["otel-demo-lite"])
    assert tools.removed() == [
        "localhost/reprise-node:abc",
        "localhost/reprise-operator:abc",
        "localhost/otel-demo-lite:abc",
        "localhost/otel-demo-lite:def",
    ]


def test_older_tags_of_one_image_are_forgotten(tmp_path: Path) -> None:
    tools = Recording(tmp_path)
    engine.forget_older(tools, "localhost/otel-demo-lite", "localhost/otel-demo-lite:def")
    assert tools.removed() == ["localhost/otel-demo-lite:abc"]


def test_cache_in_use_is_kept(tmp_path: Path) -> None:
    state.save(state.Remembered("other", "build", 1, 16443, "n:1", finished=True))
    cache = tmp_path / "cache"
    cache.mkdir()
    with pytest.raises(errors.Conflict, match="another cluster uses the cache"):
        tear_down.remove_cache(Recording(tmp_path), Store(cache), [], Progress())
    assert cache.is_dir()


def test_down_removes_its_own_files_and_keeps_what_was_recorded() -> None:
    state.save(state.Remembered("other", "build", 1, 16443, "n:1", finished=True))
    folder = paths.state_dir("other")
    (folder / "kubeconfig").write_text("x")
    (folder / "data").mkdir()
    (folder / "data" / "snapshot").write_text("x")
    tear_down.down(Recording(folder / "logs"), "other", Progress())
    assert sorted(path.name for path in folder.iterdir()) == ["data"]
    assert (folder / "data" / "snapshot").exists()


def test_down_twice_is_down_once(tmp_path: Path) -> None:
    for _ in range(2):
        tear_down.down(Recording(tmp_path), "never-made", Progress())
    assert state.load("never-made") is None
