"""Where snapshots lie, and where each is served."""

import json
from dataclasses import dataclass
from pathlib import Path

PRIVATE = ".private"


@dataclass(frozen=True)
class Gateway:
    """One attempt at a gateway."""

    url: str
    token_file: str
    ca_file: str | None = None


def snapshots(folder: Path) -> list[str]:
    """The names of the snapshots that have a private half. Raises ValueError when there is none."""
    found = sorted(
        path.parent.name
        for path in folder.glob("*/manifest.json")
        if not path.parent.name.endswith(PRIVATE) and (folder / f"{path.parent.name}{PRIVATE}").is_dir()
    )
    if not found:
        raise ValueError(f"{folder}: expected folders <name>/ with <name>{PRIVATE}/ beside them, found none")
    return found


def gateways(path: Path) -> dict[str, list[Gateway]]:
    """Read the file that README.md describes. Raises ValueError, OSError."""
    loaded = json.loads(path.read_text())
    try:
        return {name: [Gateway(**entry) for entry in entries] for name, entries in loaded.items()}
    except (AttributeError, TypeError) as exc:
        raise ValueError(
            f'{path}: expected {{"<snapshot>": [{{"url", "token_file", "ca_file"}}]}}: {exc}'
        ) from exc


def token(gateway: Gateway) -> str:
    """The token of the attempt. Raises OSError."""
    return Path(gateway.token_file).read_text().strip()
