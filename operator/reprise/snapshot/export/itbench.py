"""The flat layout that ITBench's offline tools read: its tables, its alerts, its topology, nothing else.

The recorder writes these files in that layout already; what is added here is the check that a reader which
takes map cells as JSON and alert fields in lower case gets just that.
"""

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reprise.domain import errors
from reprise.snapshot import reader

TABLES = ("k8s_events_raw.tsv", "k8s_objects_raw.tsv", "otel_traces_raw.tsv", "otel_logs_raw.tsv")
# Column -> the JSON type in its cells.
_JSON_COLUMNS: dict[str, type] = {
    "Body": dict,
    "body": dict,
    "ResourceAttributes": dict,
    "SpanAttributes": dict,
    "ScopeAttributes": dict,
    "LogAttributes": dict,
    "tags": dict,
    "Events.Attributes": list,
    "Links.Attributes": list,
}
_ALERT_FIELDS = ("labels", "annotations", "state", "activeAt", "value")
_LONGEST_CELL_BYTES = 1 << 30


def write(snapshot: reader.Snapshot, folder: Path) -> None:
    """Raises Corrupt when a file is missing or a cell is not what the layout says."""
    missing = [name for name in (*TABLES, "topology.json") if name not in snapshot.entries]
    alerts = snapshot.names("alerts/alerts_at_", ".json")
    if missing or not alerts:
        raise errors.Corrupt(
            f"{snapshot.folder}: expected {', '.join(missing or ['alerts/alerts_at_*.json'])} in it, found "
            "nothing; record again with a release that writes ITBench's tables"
        )
    tables = [*TABLES, *snapshot.names("metrics/pod_", ".tsv"), *snapshot.names("metrics/service_", ".tsv")]
    for name in tables:
        _check_table(snapshot, name)
    for item in snapshot.alerts():
        if lacking := [field for field in _ALERT_FIELDS if field not in item]:
            raise errors.Corrupt(f"alerts: expected {', '.join(lacking)} in every alert, found {list(item)}")
    snapshot.edges()  # raises for one that has no ends
    for name in [*tables, *alerts, "topology.json"]:
        target = folder / name
        target.parent.mkdir(exist_ok=True)
        with snapshot.open(name) as source, target.open("xb") as out:
            shutil.copyfileobj(source, out, 1 << 20)


def _check_table(snapshot: reader.Snapshot, name: str) -> None:
    for number, row in enumerate(_rows(snapshot, name), 2):
        for column, expected in _JSON_COLUMNS.items():
            # NB: in the logs' table Body is the line itself.
            if column not in row or (column == "Body" and name == "otel_logs_raw.tsv"):
                continue
            try:
                fits = isinstance(json.loads(row[column] or ""), expected)
            except ValueError:
                fits = False
            if not fits:
                raise errors.Corrupt(
                    f"{name}:{number}: {column}: expected a JSON {expected.__name__}, "
                    f"found {str(row[column])[:80]!r}"
                )


def _rows(snapshot: reader.Snapshot, name: str) -> Iterator[dict[str, Any]]:
    csv.field_size_limit(_LONGEST_CELL_BYTES)
    with snapshot.open(name) as data:
        try:
            yield from csv.DictReader((line.decode() for line in data), delimiter="\t")
        except (UnicodeDecodeError, csv.Error) as exc:
            raise errors.Corrupt(f"{name}: expected a table in UTF-8, found: {exc}") from exc
