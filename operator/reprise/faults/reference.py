"""The reference of mechanisms, made from what each says of itself."""

import dataclasses
import re
import types
import typing
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from reprise.faults.mechanism import Mechanism

# What means the same wherever it is a parameter and is not explained again.
_COMMON = {"container": "which one; the one called like the Deployment, or the only one, when not given"}


@dataclass(frozen=True)
class Parameter:
    """type: in words. default: as text; "" for a parameter that must be given. text: what it means."""

    name: str
    type: str
    default: str
    text: str


@dataclass(frozen=True)
class Entry:
    """A mechanism as its reader needs it."""

    name: str
    summary: str
    targets: tuple[str, ...]
    requires: tuple[str, ...]
    cluster_wide: bool
    composes: bool
    harmless: bool
    parameters: tuple[Parameter, ...]


def entries(mechanisms: Iterable[Mechanism[Any]]) -> list[Entry]:
    """One entry a mechanism, by name; decoys last."""
    return [
        Entry(
            one.name,
            one.summary,
            tuple(sorted(one.targets)),
            tuple(sorted(requirement.value for requirement in one.requires)),
            one.cluster_wide,
            one.composes,
            one.harmless,
            tuple(_parameters(one.parameters)),
        )
        for one in sorted(mechanisms, key=lambda m: (m.harmless, m.name))
    ]


def _parameters(model: type[Any]) -> Iterable[Parameter]:
    fields = dataclasses.fields(model)
    hints = typing.get_type_hints(model)
    names = [field.name for field in fields]
    texts = dict(_COMMON)
    for base in reversed(model.__mro__):
        texts |= _texts(base.__doc__ or "", names)
    for field in fields:
        default = ""
        if field.default is not dataclasses.MISSING:
            default = "by the seed or the target" if field.default is None else repr(field.default)
        elif field.default_factory is not dataclasses.MISSING:
            default = (
                repr(field.default_factory()) if field.default_factory() else "by the seed or the target"
            )
        yield Parameter(field.name, _words(hints[field.name]), default, texts.get(field.name, ""))


def _texts(doc: str, names: list[str]) -> dict[str, str]:
    """`name: text` of a docstring; a text ends where the next one begins. `a and b: text` is both's."""
    flat = " ".join(doc.split())
    if not names:
        return {}
    any_name = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    heads = re.compile(rf"(?:^|(?<=[.;,] ))((?:{any_name})(?:(?:, | and )(?:{any_name}))*): ")
    found = list(heads.finditer(flat))
    out: dict[str, str] = {}
    for index, match in enumerate(found):
        end = found[index + 1].start() if index + 1 < len(found) else len(flat)
        for name in re.split(r", | and ", match[1]):
            out[name] = flat[match.end() : end].strip().rstrip(".,;")
    return out


def _words(hint: Any) -> str:
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_words(o) for o in typing.get_args(hint) if o is not types.NoneType)
    if origin is typing.Literal:
        return " or ".join(f"`{value}`" for value in typing.get_args(hint))
    if origin is tuple:
        return "list"
    if origin is not None:
        return "map"
    return {str: "text", int: "number", bool: "true or false", float: "number"}.get(hint, str(hint))


def markdown(mechanisms: Iterable[Mechanism[Any]]) -> str:
    """docs/mechanisms.md."""
    all_of_them = entries(mechanisms)
    faults = [entry for entry in all_of_them if not entry.harmless]
    decoys = [entry for entry in all_of_them if entry.harmless]
    lines = [
        "# Mechanisms",
        "",
        "Made by `reprise scenarios mechanisms --markdown` from what the code says of itself.",
        f"{len(faults)} mechanisms break something, {len(decoys)} only look suspicious (decoys).",
        "",
        "| mechanism | targets | what it does |",
        "|---|---|---|",
    ]
    lines += [f"| [`{e.name}`](#{e.name}) | {', '.join(e.targets)} | {e.summary} |" for e in faults]
    lines += ["", "## Faults", ""]
    for entry in faults:
        lines += _section(entry)
    lines += ["## Decoys", "", "Harmless changes; naming one is a false positive.", ""]
    for entry in decoys:
        lines += _section(entry)
    return "\n".join(lines).rstrip("\n") + "\n"


def _section(entry: Entry) -> list[str]:
    notes = [f"Targets: {', '.join(entry.targets)}."]
    if entry.requires:
        notes.append(f"Needs {', '.join(entry.requires)}.")
    if entry.cluster_wide:
        notes.append("Felt outside of the application's namespace: such a run is alone on its cluster.")
    if entry.composes:
        notes.append("Two of its faults may edit one field; they apply in the order of the file.")
    lines = [f"### {entry.name}", "", entry.summary, "", " ".join(notes), ""]
    if entry.parameters:
        lines += ["| parameter | type | default | meaning |", "|---|---|---|---|"]
        lines += [
            f"| `{p.name}` | {p.type} | {p.default or 'required'} | {p.text} |".replace("\n", " ")
            for p in entry.parameters
        ]
        lines.append("")
    return lines
