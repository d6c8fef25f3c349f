"""What a command names as a snapshot, as a folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reprise.domain import errors


@contextmanager
def folder(location: str) -> Iterator[Path]:
    """The snapshot's folder, for as long as it is needed.

    Raises NotFound when there is nothing, Unsupported for what is no folder.
    """
    path = Path(location)
    if not path.exists():
        raise errors.NotFound(f"expected a snapshot, found nothing at {location}; name one that was recorded")
    if not path.is_dir():
        raise errors.Unsupported(f"expected the folder of a snapshot, found a file at {location}; unpack it")
    yield path
