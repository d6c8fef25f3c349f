"""Content keys: an artefact is rebuilt when, and only when, something that it comes from changed."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

KEY_LENGTH = 12
IGNORED = ("__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache")


def of(*parts: str | bytes) -> str:
    """12 hex digits over the parts.

    Each is length-prefixed, so that no two lists of parts collide by joining.
    """
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(str(len(data)).encode() + b":" + data)
    return digest.hexdigest()[:KEY_LENGTH]


def files_below(path: Path) -> Iterable[Path]:
    """Every file at or below `path`, sorted, without what tools leave behind."""
    if path.is_file():
        yield path
        return
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(f for f in folders if f not in IGNORED and not f.endswith(".egg-info"))
        for name in sorted(names):
            if not name.endswith(".pyc"):
                yield Path(folder) / name


def of_tree(*paths: Path) -> str:
    """Key over the relative names, execute bits and contents of all files at or below the paths."""
    parts: list[str | bytes] = []
    for path in paths:
        for file in files_below(path):
            name = file.name if file == path else str(file.relative_to(path))
            parts += [path.name, name, "x" if os.access(file, os.X_OK) else "-", file.read_bytes()]
        parts.append("end")
    return of(*parts)
