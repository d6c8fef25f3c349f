"""Do the JSON documents of a snapshot have the shapes of `snapshot.schema.json`? Every difference at once."""

import functools
import json
import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema

from reprise.domain import errors
from reprise.snapshot import reader

FILE_NAME = "snapshot.schema.json"
# path -> the entry of $defs for the document, or for its first and its further lines.
_DOCUMENTS: tuple[tuple[str, str], ...] = (
    (r"api/[^/]+\.json", "api"),
    (r"alerts/alerts_at_[^/]+\.json", "alerts"),
    (r"alerts/history\.json", "alertHistory"),
    (r"alerts/rules\.json", "rules"),
    (r"metrics/metadata\.json", "metadata"),
    (r"traces/services\.json", "services"),
    (r"topology\.json", "topology"),
    (r"private\.json", "private"),
)
_LINES: tuple[tuple[str, str, str], ...] = (
    (r"objects/[^/]+\.jsonl", "objectsHead", "objectsLine"),
    (r"history/[^/]+\.jsonl", "historyLine", "historyLine"),
    (r"metrics/series\.jsonl", "seriesLine", "seriesLine"),
    (r"traces/traces\.jsonl", "traceLine", "traceLine"),
)
# A span takes a millisecond: of long files the first lines are checked, then one in STRIDE. All must be JSON.
FIRST_LINES, STRIDE = 200, 100
_MOST_PROBLEMS = 20


def schema_problems(folder: Path | str, only_present: bool = False) -> list[str]:
    """What does not fit, as `path:line: place: why`; of one file at most 20. Empty when all is well.

    For a snapshot or its private part. Only listed files are read. Raises NotFound when there is no manifest.
    only_present: says nothing of files that are missing.
    """
    root = Path(folder)
    where = "privateManifest" if root.name.endswith(reader.PRIVATE) else "manifest"
    try:
        snapshot = reader.open_snapshot(root)
    except errors.Corrupt as exc:
        return [str(exc)]
    problems = list(_check(where, snapshot.document, reader.MANIFEST))
    for path in sorted(snapshot.entries):
        if only_present and not reader.is_plain(root, path):
            continue
        try:
            problems += list(_file(snapshot, path))[:_MOST_PROBLEMS]
        except errors.Corrupt as exc:
            problems.append(str(exc))
    return problems


def _file(snapshot: reader.Snapshot, path: str) -> Iterator[str]:
    for pattern, name in _DOCUMENTS:
        if re.fullmatch(pattern, path):
            yield from _check(name, snapshot.json(path), path)
            return
    for pattern, first, further in _LINES:
        if re.fullmatch(pattern, path):
            for number, line in enumerate(snapshot.lines(path), 1):
                if number <= FIRST_LINES or number % STRIDE == 0:
                    yield from _check(first if number == 1 else further, line, f"{path}:{number}")
            return
    if path.endswith((".json", ".jsonl")):
        yield f"{path}: expected a document of the format, found one that it does not know"


def _check(name: str, value: Any, where: str) -> Iterator[str]:
    for found in sorted(_validator(name).iter_errors(value), key=lambda error: error.json_path):
        yield f"{where}: {found.json_path}: {found.message[:200]}"


@functools.cache
def _validator(name: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": document()["$defs"]})


@functools.cache
def document() -> dict[str, Any]:
    """The schema itself."""
    found: dict[str, Any] = json.loads(
        resources.files("reprise.snapshot").joinpath(FILE_NAME).read_text("utf-8")
    )
    return found
