"""What a command names as a snapshot, as a folder: one that is there, an archive, or a store's URL."""

from pathlib import Path

from reprise.domain import errors
from reprise.snapshot import archive, fetched


def folder(location: str, cache: Path, limit_bytes: int = archive.LIMIT_BYTES) -> Path:
    """The snapshot's folder. An archive and what a URL names are put into `cache`, under their digest.

    Raises NotFound when there is nothing, Unsupported for what is neither, and for an archive or a URL what
    `snapshot.storage.fetch` raises: Corrupt, Refused (hostile members, more than `limit_bytes`, no room),
    Unreachable, InvalidInput.
    """
    if "://" in location:
        return _landed(location, cache, limit_bytes)
    path = Path(location)
    if not path.exists():
        raise errors.NotFound(f"expected a snapshot, found nothing at {location}; name one that was recorded")
    if path.is_dir():
        return path
    if not path.name.endswith(archive.SUFFIX):
        raise errors.Unsupported(
            f"expected the folder of a snapshot, its archive (NAME{archive.SUFFIX}) or a URL, found another "
            f"file at {location}"
        )
    return _landed(str(path.absolute()), cache, limit_bytes)


def _landed(address: str, cache: Path, limit_bytes: int) -> Path:
    found = fetched.look(address)
    return fetched.land(found, cache / found.digest, limit_bytes)
