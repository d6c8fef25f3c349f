"""The results of proofs: one line of JSON each, appended as they come, so that a broken-off proof goes on."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reprise.domain import errors, proof


def append(path: Path, result: proof.Proof) -> None:
    """Add one result; the newest of a scenario counts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as out:
        out.write(json.dumps(to_json(result), sort_keys=True) + "\n")


def load(path: Path) -> dict[str, proof.Proof]:
    """The newest result of each scenario. A last line that was cut short by a crash is left out.

    Raises Corrupt, naming the line."""
    if not path.exists():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    out: dict[str, proof.Proof] = {}
    for number, line in enumerate(lines, 1):
        try:
            result = from_json(json.loads(line))
        except (ValueError, KeyError, TypeError) as exc:
            if number == len(lines):
                break
            raise errors.Corrupt(f"{path}:{number}: expected a result, found other text: {exc}") from exc
        out[result.scenario] = result
    return out


def to_json(result: proof.Proof) -> dict[str, Any]:
    return dataclasses.asdict(result)


def from_json(data: Mapping[str, Any]) -> proof.Proof:
    """The inverse of to_json. Raises KeyError, TypeError or ValueError."""
    values = dict(data)
    values["verdict"] = proof.Verdict(values["verdict"])
    values["checks"] = tuple(proof.Check(**entry) for entry in values["checks"])
    values["symptoms"] = tuple(proof.Seen(**entry) for entry in values["symptoms"])
    for name in ("mechanisms", "truth", "drift"):
        values[name] = tuple(values[name])
    if leak := values.get("leak"):
        values["leak"] = proof.Leak(**{**leak, "findings": tuple(leak["findings"])})
    if found := values.get("yardstick"):
        lists = {name: tuple(found[name]) for name in ("entities", "suspected")}
        values["yardstick"] = proof.Yardstick(**{**found, **lists})
    return proof.Proof(**values)
