"""From what an ITBench file calls a thing to the object of the pinned application that it means.

A file names objects exactly, or by regular expressions over names; it may use names of earlier releases, pods
whose names nobody can know beforehand, and objects of the fault injector.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from reprise.domain import errors, otel_demo, submission
from reprise.domain.entities import EntityId, shorten

INJECTOR_NAMESPACE = "chaos-mesh"
# Kinds whose names end with something that controllers make up.
_MADE_FROM_TEMPLATES = {"Pod": "-5d9c7b6f48-x2k7q", "ReplicaSet": "-5d9c7b6f48"}
# Workloads that are Deployments in the pinned release, whatever they were.
_FORMER_WORKLOADS = frozenset({"StatefulSet", "DaemonSet"})
# (kind, name) that the files use -> the name that the injection really gives.
_MISNAMED = {("ResourceQuota", "strict-resource-quota"): "memory"}
_LONGEST_PATTERN = 200
# A group that is repeated may take for ever, and no name needs one.
_REPEATED_GROUP = re.compile(r"\)\s*[*+{]")


@dataclass(frozen=True)
class Resolution:
    """What a name means: an entity, or why there is none (`problem`).

    repairs: what was changed on the way. unchecked: what was taken on trust. unknown: the problem is that the
    application has no such object. injector: it is an object of the fault injector, see `hit`.
    """

    entity: EntityId | None = None
    repairs: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()
    problem: str = ""
    unknown: bool = False
    injector: bool = False


def resolve(
    kind: str, namespace: str, name: str, patterns: Sequence[str] = (), keep_unknown: bool = False
) -> Resolution:
    """The object of this kind with this name, or, without a name, whose name fits one of the patterns.

    keep_unknown: objects that the application does not have are taken as they are written.
    """
    try:
        canonical = submission.canonical(EntityId(namespace or otel_demo.NAMESPACE, kind, "x"))
    except errors.InvalidInput as exc:
        return Resolution(problem=str(exc))
    repairs: list[str] = []
    if canonical.kind != kind:
        repairs.append(f"kind {kind} is spelled {canonical.kind}")
    kind = canonical.kind
    if kind == "Namespace":
        if whole := _namespace(name, patterns, repairs):
            return whole
        if not keep_unknown:
            return _missing(name or " or ".join(patterns), [otel_demo.NAMESPACE], repairs)
    if namespace == INJECTOR_NAMESPACE or kind.endswith("Chaos") or kind in ("Schedule", "Workflow"):
        return Resolution(repairs=tuple(repairs), injector=True)
    if not canonical.namespace:
        return _as_written(kind, "", name, patterns, repairs)
    if not namespace:
        repairs.append(f"without a namespace; taken as the application's, {otel_demo.NAMESPACE}")
    elif namespace in otel_demo.FORMER_NAMESPACES:
        repairs.append(f"namespace {namespace} is {otel_demo.NAMESPACE} here")
    elif namespace != otel_demo.NAMESPACE and keep_unknown:
        return _as_written(kind, namespace, name, patterns, repairs)
    elif namespace != otel_demo.NAMESPACE:
        return Resolution(
            repairs=tuple(repairs),
            problem=f"expected an object of the application in {otel_demo.NAMESPACE}, found namespace "
            f"{shorten(namespace)!r}; other applications are not supported",
            unknown=True,
        )
    suffix = _MADE_FROM_TEMPLATES.get(kind, "")
    known = otel_demo.OBJECTS.get("Deployment" if suffix or kind in _FORMER_WORKLOADS else kind)
    if known is None:
        return _as_written(kind, otel_demo.NAMESPACE, name, patterns, repairs)
    found = _component(known, name, patterns, suffix, repairs)
    if isinstance(found, Resolution):
        if found.unknown and keep_unknown:
            return _as_written(kind, otel_demo.NAMESPACE, name, patterns, repairs)
        return found
    if suffix:
        repairs.append(f"a {kind}'s name is made up by controllers; taken as Deployment {found}")
        kind = "Deployment"
    elif kind in _FORMER_WORKLOADS:
        repairs.append(f"{found} is a Deployment in this release, not a {kind}")
        kind = "Deployment"
    return Resolution(EntityId(otel_demo.NAMESPACE, kind, found), tuple(repairs))


def hit(names: Iterable[str], reached: Collection[str]) -> Resolution:
    """The workload that an experiment of the injector hits, which is the truth when the injector is hidden.

    names: the experiment's name or the patterns for it. reached: components that the file says it acts on
    first; may be empty. Both together must leave one.
    """
    named = {component for text in names for component in mentioned(text)}
    both = named & set(reached)
    chosen = both or (named if not reached else set(reached) if not named else set())
    if len(chosen) == 1:
        (component,) = chosen
        entity = EntityId(otel_demo.NAMESPACE, "Deployment", component)
        repair = f"the injector is hidden; taken as the workload that it hits, {entity}"
        # Such names are copied from file to file.
        alone = () if reached else ("that the experiment hits this workload, only its name tells",)
        return Resolution(entity, (repair,), alone)
    shown = f"its name tells {_listed(named)}, its propagations {_listed(reached)}"
    return Resolution(problem=f"expected one workload that the experiment hits, found: {shown}")


def mentioned(text: str) -> frozenset[str]:
    """The components whose names stand in the text as whole words; the longest names first."""
    # NB: `\b` in a pattern is no letter b.
    rest = re.sub(r"\\.|[^a-z0-9-]", " ", text.lower())
    for prefix in otel_demo.FORMER_PREFIXES:
        rest = rest.replace(prefix, " ")
    found: set[str] = set()
    words = {word: name for name in otel_demo.DEPLOYMENTS for word in otel_demo.spellings(name)}
    for word in sorted(words, key=lambda w: (-len(w), w)):
        rest, count = re.subn(rf"(?<![a-z0-9]){re.escape(word)}(?![a-z0-9])", " ", rest)
        if count:
            found.add(words[word])
    return frozenset(found)


def _component(
    known: Collection[str], name: str, patterns: Sequence[str], suffix: str, repairs: list[str]
) -> str | Resolution:
    """The one component that is meant; fills `repairs`."""
    spelled = {spelling: component for component in known for spelling in otel_demo.spellings(component)}
    if name:
        meant = spelled.get(name) or spelled.get(_without_suffix(name) if suffix else "")
        if meant is None:
            return _missing(name, known, repairs)
        if not suffix and meant != name:
            repairs.append(f"{name} is called {meant} in this release")
        return meant
    compiled = []
    for pattern in patterns:
        problem = pattern_problem(pattern)
        if problem:
            return Resolution(repairs=tuple(repairs), problem=problem)
        compiled.append(re.compile(pattern))
    fits = {spelling for spelling in spelled if any(_fits(p, spelling, suffix) for p in compiled)}
    components = {spelled[spelling] for spelling in fits}
    if len(components) > 1:
        # `frontend-.*` fits the pods of frontend-proxy too, but it spells out frontend.
        literal = {spelled[text] for p in patterns if (text := _literal(p)) in spelled}
        if len(literal) == 1:
            others = ", ".join(sorted(components - literal))
            repairs.append(
                f"the filter fits {others} too; taken as {next(iter(literal))}, which it spells out"
            )
            components = literal
    if len(components) > 1:
        return Resolution(
            repairs=tuple(repairs),
            problem=f"expected a filter that fits one object, found one that fits {len(components)}: "
            f"{_listed(components)}",
        )
    if not components:
        literal = {spelled[text] for p in patterns if (text := _literal(p)) in spelled}
        if len(literal) != 1:
            return _missing(" or ".join(patterns), known, repairs)
        repairs.append(f"the filter fits no name; taken as {next(iter(literal))}, which it spells out")
        return next(iter(literal))
    (component,) = components
    if component not in fits:
        repairs.append(f"{_listed(fits)} is called {component} in this release")
    return component


def pattern_problem(pattern: str) -> str:
    """Why a filter cannot be used, "" when it can."""
    if len(pattern) > _LONGEST_PATTERN or _REPEATED_GROUP.search(pattern):
        return f"expected a simple regular expression, found {shorten(pattern)!r}"
    try:
        re.compile(pattern)
    except re.error as exc:
        return f"expected a regular expression, found {shorten(pattern)!r}: {exc}"
    return ""


def _fits(pattern: re.Pattern[str], spelling: str, suffix: str) -> bool:
    """As a whole: `ad\\b` is found in load-generator as well, and is not meant to be."""
    return any(pattern.fullmatch(text) for text in ((spelling, spelling + suffix) if suffix else (spelling,)))


def _literal(pattern: str) -> str:
    """The name that a pattern spells out: without anchors and what may stand around it; "" when none."""
    text = re.sub(r"^(\^|\.\*)+|(-?\.[*+]|-\*|\\b|\$)+$", "", pattern)
    return text if re.fullmatch(r"[a-z0-9-]+", text) else ""


def _without_suffix(name: str) -> str:
    return re.sub(r"(-[a-z0-9]{6,10})?-[a-z0-9]{5}$|-[a-z0-9]{6,10}$|-\d+$", "", name)


def _missing(name: str, known: Collection[str], repairs: Sequence[str]) -> Resolution:
    return Resolution(
        repairs=tuple(repairs),
        problem=f"expected an object that the application has, of this kind: {_listed(known)}; "
        f"found {shorten(name)!r}",
        unknown=True,
    )


def _as_written(
    kind: str, namespace: str, name: str, patterns: Sequence[str], repairs: list[str]
) -> Resolution:
    """An object that the fault makes, or that is not the application's: only its own name can tell it."""
    problem = next((text for pattern in patterns if (text := pattern_problem(pattern))), "")
    if problem and not name:
        return Resolution(repairs=tuple(repairs), problem=problem)
    if not name:
        literals = {_literal(pattern) for pattern in patterns}
        if len(literals) != 1 or "" in literals:
            return Resolution(
                repairs=tuple(repairs),
                problem=f"expected the name of a {kind}, found a filter that spells out none: "
                f"{_listed(map(repr, patterns))}",
            )
        (name,) = literals
        repairs.append(f"the filter spells out the name {name}")
    if (kind, name) in _MISNAMED:
        repairs.append(f"{kind} {name} does not exist; the injection makes {_MISNAMED[kind, name]}")
        name = _MISNAMED[kind, name]
    try:
        entity = EntityId.parse("/".join(part for part in (namespace, kind, name) if part))
    except errors.InvalidInput as exc:
        return Resolution(repairs=tuple(repairs), problem=str(exc))
    return Resolution(
        entity, tuple(repairs), (f"{entity} is no object of the application; taken as written",)
    )


def _namespace(name: str, patterns: Sequence[str], repairs: list[str]) -> Resolution | None:
    """The application's namespace; None when another is meant."""
    named = name or next((text for p in patterns if (text := _literal(p))), "")
    if named in otel_demo.FORMER_NAMESPACES:
        repairs.append(f"namespace {named} is {otel_demo.NAMESPACE} here")
        named = otel_demo.NAMESPACE
    if named != otel_demo.NAMESPACE:
        return None
    return Resolution(EntityId("", "Namespace", named), tuple(repairs))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
