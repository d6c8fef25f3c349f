"""The cache of built artefacts: one folder each, named by what it comes from, complete or absent."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Store:
    """`<root>/<kind>/<name>-<key>/`.

    Making is atomic: an interrupted build leaves nothing that looks finished.
    """

    root: Path

    def path(self, kind: str, name: str, key: str) -> Path:
        """Where the artefact lies or will lie."""
        return self.root / kind / f"{name}-{key}"

    def has(self, kind: str, name: str, key: str) -> bool:
        """True when it is complete."""
        return self.path(kind, name, key).is_dir()

    def ensure(self, kind: str, name: str, key: str, make: Callable[[Path], None]) -> Path:
        """The artefact's folder.

        `make` fills an empty one when there is none. Two processes build it once.
        """
        final = self.path(kind, name, key)
        if final.is_dir():
            return final
        with self.lock(f"{kind}-{name}"):
            if final.is_dir():
                return final
            unfinished = self.root / "unfinished" / f"{kind}-{name}-{key}"
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(parents=True)
            make(unfinished)
            final.parent.mkdir(parents=True, exist_ok=True)
            os.rename(unfinished, final)
        return final

    @contextmanager
    def lock(self, name: str, waiting: Callable[[], None] | None = None) -> Iterator[None]:
        """Held by one process at a time; freed by the kernel when that process dies.

        `waiting` is called once when somebody else holds it.
        """
        folder = self.root / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / name).open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if waiting:
                    waiting()
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def prune(self, kind: str, name: str, keep: int = 2) -> None:
        """Remove all but the `keep` newest artefacts of this name."""
        folder = self.root / kind
        if not folder.is_dir():
            return
        # the key has no dash, so the name is all before the last one
        mine = [p for p in folder.iterdir() if p.name.rpartition("-")[0] == name]
        for old in sorted(mine, key=lambda p: p.stat().st_mtime, reverse=True)[keep:]:
            shutil.rmtree(old, ignore_errors=True)
