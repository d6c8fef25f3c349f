"""YAML with line numbers: plain values, and on which line each stands. Duplicate keys are mistakes."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from reprise.domain import errors

Location = tuple[str | int, ...]


@dataclass
class Document:
    """A YAML document. `lines` holds the 1-based line of every key and entry by its location."""

    value: Any
    lines: dict[Location, int] = field(default_factory=dict)
    problems: list[tuple[int, str]] = field(default_factory=list)

    def line(self, location: Location) -> int:
        """The line of a location, or of the nearest place around it that is in the file."""
        for length in range(len(location), -1, -1):
            if location[:length] in self.lines:
                return self.lines[location[:length]]
        return 1


def read(path: Path) -> Document:
    """The one document of a file. Raises InvalidInput (`file:line: problem`) when it is not YAML at all."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as exc:
        raise errors.InvalidInput(f"{path}: expected a readable file, found: {exc.strerror or exc}") from exc
    except UnicodeDecodeError as exc:
        raise errors.InvalidInput(
            f"{path}:1: expected text in UTF-8, found other bytes: {exc.reason}"
        ) from exc
    return parse(text, str(path))


def parse(text: str, path: str) -> Document:
    """The one document of a text; `path` is what problems call it. Raises InvalidInput as `read` does."""
    # NB: the safe loader, whose constructors make plain values only.
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        document = Document(None)
        if node is not None:
            document.value = _convert(loader, node, (), document)
    except RecursionError as exc:
        raise errors.InvalidInput(f"{path}:1: expected no anchor that holds itself, found one") from exc
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        raise errors.InvalidInput(f"{path}:{mark.line + 1 if mark else 1}: {exc.problem}") from exc
    except yaml.YAMLError as exc:
        raise errors.InvalidInput(f"{path}:1: expected YAML, found: {exc}") from exc
    finally:
        loader.dispose()
    return document


def _convert(loader: yaml.SafeLoader, node: yaml.Node, location: Location, document: Document) -> Any:
    document.lines.setdefault(location, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        return [
            _convert(loader, entry, (*location, index), document) for index, entry in enumerate(node.value)
        ]
    if not isinstance(node, yaml.MappingNode):
        return loader.construct_object(node, deep=True)
    out: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        line = key_node.start_mark.line + 1
        if not isinstance(key, str):
            document.problems.append((line, f"expected a key that is a string, found {key!r}; quote it"))
            key = str(key)
        if key in out:
            first = document.lines[(*location, key)]
            document.problems.append((line, f"expected each key once, found {key!r} again (line {first})"))
            continue
        document.lines[(*location, key)] = line
        out[key] = _convert(loader, value_node, (*location, key), document)
    return out
