"""What an agent must not see in an object, as rules.

Three kinds of rule, in this order: whole objects that are hidden, fields that are always removed, and words
that name this product (or the fault injector) and take with them whatever they stand in. No rule knows the
answer of a run: an object that was changed on purpose looks here like any other.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from reprise.domain import access

Json = dict[str, Any]

# Matched without regard to case, anywhere in a text.
PRODUCT_WORDS = ("reprise", "kopf", "benchmarkrun", "agentattempt")
INJECTOR_WORDS = (
    "chaos-mesh",
    "chaosmesh",
    "chaos_mesh",
    "chaos-daemon",
    "chaos-controller",
    "chaos-dashboard",
)
PRODUCT_NAMESPACES = frozenset({"reprise-system", "reprise-agents"})
INJECTOR_NAMESPACES = frozenset({"chaos-mesh"})
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_EVENT_GROUPS = frozenset({"", "events.k8s.io"})
_EVENT_TIMES = (
    "lastTimestamp",
    "deprecatedLastTimestamp",
    "eventTime",
    "firstTimestamp",
    "deprecatedFirstTimestamp",
)
# Lists whose elements go as a whole: half an image entry would tell that something was there.
_WHOLE = frozenset({"images", "ownerReferences", "subjects"})
# A shorter name, or one of letters only, may be a word.
_OWN_NAME = 6
T = TypeVar("T")


@dataclass(frozen=True)
class View:
    """What one attempt may see. `window_start` is aware; nothing time-stamped before it is shown.

    `run` is the run's name, which people make of the scenario's. Its objects are hidden as such, but logs of
    the control plane tell the names of all that is stored.
    """

    window_start: datetime
    injector_hidden: bool = True
    run: str = ""

    @property
    def words(self) -> tuple[str, ...]:
        return PRODUCT_WORDS + INJECTOR_WORDS if self.injector_hidden else PRODUCT_WORDS

    @property
    def line_words(self) -> tuple[str, ...]:
        """What a line of a log must not hold. A name that could be anybody's is not looked for."""
        own = len(self.run) >= _OWN_NAME and any(not character.isalpha() for character in self.run)
        return (*self.words, self.run.lower()) if own else self.words

    @property
    def namespaces(self) -> frozenset[str]:
        """The hidden ones."""
        return PRODUCT_NAMESPACES | INJECTOR_NAMESPACES if self.injector_hidden else PRODUCT_NAMESPACES


def mentions(view: View, text: str) -> bool:
    """Whether a text holds a hidden word."""
    lower = text.lower()
    for word in view.words:  # noqa: SIM110 - the hottest line of the gateway; a generator doubles its time
        if word in lower:
            return True
    return False


def parse_time(text: object) -> datetime | None:
    """An RFC 3339 time, aware; None for anything else, the calendar's first and last year included: they
    stand for no time at all, and some of their moments do not exist in another zone."""
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo and 1 < found.year < 9999 else None


def event_time(event: Mapping[str, Any]) -> datetime | None:
    """When an Event (core or events.k8s.io) was last seen."""
    times = [parse_time(event.get(key)) for key in _EVENT_TIMES]
    times.append(parse_time((event.get("series") or {}).get("lastObservedTime")))
    known = [time for time in times if time is not None]
    if known:
        return max(known)
    return parse_time((event.get("metadata") or {}).get("creationTimestamp"))


def is_event(group: str, resource: str) -> bool:
    return resource == "events" and group in _EVENT_GROUPS


def hides(view: View, group: str, resource: str, obj: Mapping[str, Any]) -> bool:
    """Whether the whole object is hidden. `obj` is as the API server gave it, in full."""
    meta = obj.get("metadata") or {}
    namespace, name = meta.get("namespace", ""), meta.get("name", "")
    if namespace in view.namespaces or (resource == "namespaces" and name in view.namespaces):
        return True
    if mentions(view, name):
        return True
    if not is_judged_whole(group, resource):
        return False
    if is_event(group, resource):
        seen = event_time(obj)
        if seen is not None and seen < view.window_start:
            return True
    return _has_word(view, without_noise(obj))


def is_judged_whole(group: str, resource: str) -> bool:
    """Whether `hides` looks at the whole object. For others its name and namespace are enough, so that a
    Table need not carry the objects."""
    return (
        is_event(group, resource)
        # What is left of a binding without its role and its subjects tells that somebody is hidden.
        or resource == "rolebindings"
        or (resource in access.CLUSTER_SCOPED and resource not in ("nodes", "namespaces"))
    )


def without_noise(obj: Mapping[str, Any]) -> Json:
    """A copy without the fields that tell who wrote what: managedFields and kubectl's last-applied copy."""
    meta = obj.get("metadata")
    if not meta:
        return dict(obj)
    meta = {key: value for key, value in meta.items() if key not in ("managedFields", "selfLink")}
    notes = meta.get("annotations")
    if notes and LAST_APPLIED in notes:
        meta["annotations"] = {key: value for key, value in notes.items() if key != LAST_APPLIED}
        if not meta["annotations"]:
            del meta["annotations"]
    return {**obj, "metadata": meta}


def clean(view: View, obj: Mapping[str, Any]) -> Json:
    """The object as an agent may see it. Cleaning what is clean changes nothing."""
    return scrub(view, without_noise(obj))


def scrub(view: View, value: T) -> T:
    """The value without anything that holds a hidden word; the same value when there is none."""
    if not _has_word(view, value):
        return value
    result: T = _walk(view, value).value
    return type(value)() if result is None else result


def dump(value: Any) -> bytes:
    """As compact JSON. Lone surrogates, which texts of agents may hold and no encoding has, are replaced."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")


def encode(view: View, obj: Mapping[str, Any], dump: Callable[[Any], bytes] = dump) -> bytes:
    """`clean`, as compact JSON. One search of the text spares clean objects the walk through them.

    Another `dump` must leave letters and hyphens as they are: the search is for the words themselves.
    """
    light = without_noise(obj)
    data = dump(light)
    return dump(_walk(view, light).value or {}) if mentions(view, data.decode()) else data


def keep_lines(view: View, lines: Iterable[bytes]) -> list[bytes]:
    """The lines of a log that name nothing hidden."""
    words = [word.encode() for word in view.line_words]
    return [line for line in lines if not any(word in line.lower() for word in words)]


def _has_word(view: View, value: object) -> bool:
    return mentions(view, json.dumps(value, ensure_ascii=False))


class _Walked(NamedTuple):
    value: Any  # None when nothing is left of it
    lost: bool  # whether a field of it went, so that a list drops the element it is in


def _walk(view: View, value: Any, key: str = "") -> _Walked:
    """Drop what a hidden word stands in: the entry of a mapping, the element of a list.

    An element of a list that loses a field goes as a whole (an environment variable, an owner reference);
    what a list loses is not held against what the list is in. Texts go whole, many lines of them too: what
    stands around the word, a comment say, may tell as much.
    """
    match value:
        case str():
            bad = mentions(view, value)
            return _Walked(None if bad else value, bad)
        case dict():
            lost, kept = False, {}
            for name, item in value.items():
                walked = _Walked(None, True) if mentions(view, name) else _walk(view, item, name)
                lost = lost or walked.lost
                if walked.value is not None or (item is None and not walked.lost):
                    kept[name] = walked.value
            return _Walked(kept, lost)
        case list():
            items = []
            for item in value:
                if key in _WHOLE and _has_word(view, item):
                    continue
                walked = _walk(view, item)
                if not walked.lost:
                    items.append(walked.value)
            return _Walked(items, bool(value) and not items)
        case _:
            return _Walked(value, False)
