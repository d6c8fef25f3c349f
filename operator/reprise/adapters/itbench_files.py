"""ITBench's ground-truth files on disk, and what is written for them."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from reprise.adapters import yaml_lines
from reprise.domain import errors, itbench, truth
from reprise.domain.itbench_notes import Note, Outcome

_SUFFIXES = frozenset({".yaml", ".yml", ".json"})


@dataclass(frozen=True)
class Remark:
    """A note with its line; line 0 for a file that could not be read at all."""

    line: int
    note: Note


@dataclass(frozen=True)
class File:
    """One file and what it became."""

    path: Path
    version: str
    truth: truth.Truth | None
    remarks: tuple[Remark, ...]

    def to_json(self) -> dict[str, Any]:
        """The report about the file."""
        return {
            "file": str(self.path),
            "version": self.version or None,
            "truth": truth.to_json(self.truth) if self.truth is not None else None,
            "notes": [
                {
                    "outcome": remark.note.outcome.value,
                    "line": remark.line or None,
                    "place": remark.note.place,
                    "text": remark.note.text,
                }
                for remark in self.remarks
            ],
        }


def find(path: Path) -> list[Path]:
    """The file itself; of a folder, everything below it that is called like a ground truth.

    Raises InvalidInput for a folder without any.
    """
    if not path.is_dir():
        return [path]
    found = [file for file in sorted(path.rglob("*")) if file.is_file() and _is_ground_truth(file)]
    if not found:
        raise errors.InvalidInput(
            f"{path}: expected files called like groundtruth.yaml or ground_truth_v1.yaml, found none; "
            "name a file to read it whatever it is called"
        )
    return found


def _is_ground_truth(file: Path) -> bool:
    name = file.name.lower().replace("_", "").replace("-", "")
    written = file.name.endswith((".truth.yaml", ".report.json"))
    return file.suffix.lower() in _SUFFIXES and name.startswith("groundtruth") and not written


def read(path: Path, keep_unknown: bool = False) -> File:
    """Read one file. Every mistake is a remark, also that it is no YAML."""
    try:
        document = yaml_lines.read(path)
    except errors.InvalidInput as exc:
        remarks = [_unreadable(path, problem) for problem in exc.problems]
        return File(path, "", None, tuple(remarks))
    imported = itbench.read(document.value, keep_unknown)
    remarks = [Remark(line, Note((), Outcome.PROBLEM, text)) for line, text in document.problems]
    remarks += [Remark(document.line(note.location), note) for note in imported.notes]
    found = None if document.problems else imported.truth
    return File(path, imported.version, found, tuple(sorted(remarks, key=_order)))


def _order(remark: Remark) -> tuple[int, str, str]:
    return remark.line, remark.note.place, remark.note.text


def _unreadable(path: Path, problem: str) -> Remark:
    line, _, text = problem.removeprefix(f"{path}:").partition(": ")
    if line.isdigit():
        return Remark(int(line), Note((), Outcome.PROBLEM, text))
    return Remark(0, Note((), Outcome.PROBLEM, problem.removeprefix(f"{path}: ")))


def targets(root: Path, files: Sequence[Path], out: Path) -> dict[Path, tuple[Path, Path]]:
    """Where the truth and the report of each file go, below `out` as the files are below `root`.

    Raises InvalidInput when two files would go to the same place.
    """
    found: dict[Path, tuple[Path, Path]] = {}
    taken: dict[Path, Path] = {}
    problems = []
    for file in files:
        below = file.relative_to(root) if root.is_dir() else Path(file.name)
        place = out / below.parent / below.stem
        if place in taken:
            problems.append(f"{file}: expected a name of its own, found {taken[place]}, which ends the same")
        taken[place] = file
        found[file] = (
            place.with_name(f"{place.name}.truth.yaml"),
            place.with_name(f"{place.name}.report.json"),
        )
    if problems:
        raise errors.InvalidInput(problems)
    return found


def write(files: Iterable[File], places: dict[Path, tuple[Path, Path]]) -> list[Path]:
    """Write truths and reports; what was written. A file without a truth loses the one of an earlier import.

    Raises Refused when the folder cannot be written.
    """
    written = []
    try:
        for file in files:
            answer, report = places[file.path]
            report.parent.mkdir(parents=True, exist_ok=True)
            if file.truth is None:
                answer.unlink(missing_ok=True)
            else:
                answer.write_text(truth_text(file), encoding="utf-8")
                written.append(answer)
            report.write_text(json.dumps(file.to_json(), indent=2) + "\n", encoding="utf-8")
            written.append(report)
    except OSError as exc:
        raise errors.Refused(
            f"expected a folder that can be written, found: {exc.strerror or exc}: {exc.filename}"
        ) from exc
    return written


def truth_text(file: File) -> str:
    """The truth as a YAML file."""
    assert file.truth is not None  # noqa: S101 - the caller has looked
    # NB: a name may hold a line break.
    source = file.path.name.encode("unicode_escape").decode()
    body = yaml.safe_dump(truth.to_json(file.truth), sort_keys=False, allow_unicode=True)
    return f"# Made from {source} ({file.version}).\n{body}"
