"""The operator's volume: which snapshots runs have recorded there, and how some of them are dropped.

A snapshot that is dropped is renamed first, which takes it away as a whole; from then on it is only waste,
which `discard` removes together with the operator's part and the archive of the same name. Dying in between
leaves waste, and waste says for whom it was dropped.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from reprise.domain import errors, retention
from reprise.snapshot import archive, landing, private, reader

# NB: ends like everything half-written, so that nobody lists it, fetches it or takes it for a snapshot.
_DROPPED = ".dropped."


@dataclass(frozen=True)
class Origin:
    """Whose snapshot it is: the run's namespace, and the scenario that it played."""

    namespace: str
    scenario: str


def recorded(directory: Path, origin: Origin, in_use: frozenset[str]) -> list[retention.Recorded]:
    """Whole snapshots that runs of this origin have recorded. What cannot be read is nobody's, and is left
    out. Raises Refused when the volume cannot be read."""
    found = []
    try:
        folders = sorted(path for path in directory.iterdir() if path.is_dir())
    except OSError as exc:
        raise errors.Refused(f"{directory}: expected the snapshots' volume, found: {exc}") from exc
    for folder in folders:
        if folder.name.endswith((private.ENDING, landing.PARTIAL)):
            continue
        try:
            snapshot = reader.open_snapshot(folder)
            kept = private.read(private.folder(folder), str(snapshot.document.get("id")))
            at = snapshot.needed_time("recordedAt")
        except (errors.NotFound, errors.Corrupt):
            continue
        # NB: a copy that was fetched for a replay has another name than the run's that recorded it.
        if _origin(kept) == (folder.name, origin):
            found.append(retention.Recorded(folder.name, at, folder.name in in_use))
    return found


def _origin(kept: private.Json) -> tuple[str, Origin] | None:
    """The uid of the run that recorded it, and whose it is; None when that is not said."""
    match kept:
        case {"run": {"uid": str(uid), "namespace": str(namespace)}, "scenario": {"name": str(scenario)}}:
            return uid, Origin(namespace, scenario)
        case _:
            return None


def condemn(directory: Path, name: str, by: str) -> None:
    """Take a snapshot away. `by` is the uid of the run whose policy does so. Twice is fine."""
    try:
        (directory / name).rename(directory / f"{name}{_DROPPED}{by}{landing.PARTIAL}")
        landing.sync(directory)
    except FileNotFoundError:
        return  # somebody else's policy was quicker
    except OSError as exc:
        raise errors.Refused(
            f"{directory / name}: expected to drop it, found: {exc}; see its volume"
        ) from exc


def condemned(directory: Path, by: str) -> list[str]:
    """Names of what was taken away for this run and is not removed yet."""
    ending = f"{_DROPPED}{by}{landing.PARTIAL}"
    return sorted(path.name.removesuffix(ending) for path in directory.glob(f"*{ending}"))


def discard(directory: Path, by: str) -> None:
    """Remove what was taken away for this run. Raises Refused, and may be called again then."""
    for name in condemned(directory, by):
        try:
            beside = private.folder(directory / name)
            if beside.exists():
                shutil.rmtree(beside)
            (directory / f"{name}{archive.SUFFIX}").unlink(missing_ok=True)
            # Last: while it is there, what lies beside it is known to go.
            shutil.rmtree(directory / f"{name}{_DROPPED}{by}{landing.PARTIAL}")
        except OSError as exc:
            raise errors.Refused(
                f"{directory / name}: expected to remove it, found: {exc}; see its volume"
            ) from exc
