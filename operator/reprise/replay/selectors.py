"""Label and field selectors, in the API server's syntax and with its texts for what it does not understand.

Grammars: k8s.io/apimachinery pkg/labels and pkg/fields. Fields: Kubernetes' pkg/apis/*/conversion.go.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from reprise.domain import errors

Json = Mapping[str, Any]
Matches = Callable[[Json], bool]

_TOKENS = re.compile(r"\s*(?:(!=|==|[=!<>(),])|([^\s=!<>(),]+)|$)")
_PREFIX = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_NAME_PART = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
# The server's words, examples and all.
_PREFIX_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_NAME_TEXT = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used "
    "for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_NUMBER_TEXT = "for 'Gt', 'Lt' operators, the value must be an integer"
_OPERATORS = ("=", "==", "!=", "in", "notin", ">", "<")
_OPERATOR_TEXT = "in, notin, =, ==, !=, gt, lt"


class Requirement(NamedTuple):
    """One condition on a label. `operator` is one of _OPERATORS, `exists` or `!`."""

    key: str
    operator: str
    values: frozenset[str]

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        match self.operator:
            case "exists":
                return value is not None
            case "!":
                return value is None
            case "=" | "==" | "in":
                return value is not None and value in self.values
            case "!=" | "notin":
                return value is None or value not in self.values
            case _:
                # Greater and less compare whole numbers; a label that is none does not match.
                try:
                    found, limit = int(value or ""), int(next(iter(self.values)))
                except ValueError:
                    return False
                return found > limit if self.operator == ">" else found < limit


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens: list[str] = []
        at = 0
        while at < len(text):
            found = _TOKENS.match(text, at)
            assert found is not None  # noqa: S101 - one of the three alternatives always fits
            at = found.end()
            if token := found.group(1) or found.group(2):
                self._tokens.append(token)

    def _next(self) -> str:
        return self._tokens[0] if self._tokens else ""

    def _take(self) -> str:
        return self._tokens.pop(0) if self._tokens else ""

    def parse(self) -> list[Requirement]:
        found: list[Requirement] = []
        while self._tokens:
            if not _is_word(self._next()) and self._next() != "!":
                raise errors.InvalidInput(
                    f"found '{self._next()}', expected: !, identifier, or 'end of string'"
                )
            try:
                found.append(self._requirement())
            except errors.InvalidInput as exc:
                raise errors.InvalidInput(f"unable to parse requirement: {exc}") from exc
            if not self._tokens:
                break
            if (token := self._take()) != ",":
                raise errors.InvalidInput(f"found '{token}', expected: ',' or 'end of string'")
            if not _is_word(self._next()) and self._next() != "!":
                raise errors.InvalidInput(f"found '{self._next()}', expected: identifier after ','")
        return found

    def _requirement(self) -> Requirement:
        absent = self._next() == "!"
        if absent:
            self._take()
        key = self._take()
        if not _is_word(key):
            raise errors.InvalidInput(f"found '{key}', expected: identifier")
        prefix, slash, name = key.rpartition("/")
        if slash and not _PREFIX.fullmatch(prefix):
            raise errors.InvalidInput(f'<nil>: Invalid value: "{key}": prefix part {_PREFIX_TEXT}')
        if not _NAME_PART.fullmatch(name):
            raise errors.InvalidInput(f'<nil>: Invalid value: "{key}": name part {_NAME_TEXT}')
        if absent or self._next() in ("", ","):
            return Requirement(key, "!" if absent else "exists", frozenset())
        operator = self._take()
        if operator not in _OPERATORS:
            raise errors.InvalidInput(f"found '{operator}', expected: {_OPERATOR_TEXT}")
        values = self._set() if operator in ("in", "notin") else self._exact()
        for value in values:
            if operator in "<>" and not re.fullmatch(r"[+-]?\d+", value):
                raise errors.InvalidInput(f'values[0]: Invalid value: "{value}": {_NUMBER_TEXT}')
            if not _VALUE.fullmatch(value):
                raise errors.InvalidInput(f'values[0][{key}]: Invalid value: "{value}": {_VALUE_TEXT}')
        return Requirement(key, operator, frozenset(values))

    def _exact(self) -> list[str]:
        if self._next() in ("", ","):
            return [""]
        if not _is_word(self._next()):
            raise errors.InvalidInput(f"found '{self._next()}', expected: identifier")
        return [self._take()]

    def _set(self) -> list[str]:
        if (token := self._take()) != "(":
            raise errors.InvalidInput(f"found '{token}' expected: '('")
        values, wants_value = [], True
        while (word := self._take()) != ")":
            if word != "," and not (_is_word(word) and wants_value):
                raise errors.InvalidInput(f"found '{word}', expected: ',' or ')'")
            if wants_value:
                values.append("" if word == "," else word)
            wants_value = word == ","
        return [*values, ""] if wants_value else values


def _is_word(token: str) -> bool:
    return bool(token) and token not in ("!=", "==") and token[0] not in "=!<>(),"


def labels(text: str) -> Matches:
    """What a labelSelector selects. Raises InvalidInput with the API server's words."""
    requirements = _Parser(text).parse()

    def matches(obj: Json) -> bool:
        found = (obj.get("metadata") or {}).get("labels") or {}
        return all(one.matches(found) for one in requirements)

    return matches


def _path(*parts: str) -> Callable[[Json], str]:
    def get(obj: Json) -> str:
        value: Any = obj
        for part in parts:
            value = value.get(part) if isinstance(value, Mapping) else None
        if isinstance(value, bool):
            return "true" if value else "false"
        return "" if value is None else str(value)

    return get


def _first_ip(pod: Json) -> str:
    addresses = (pod.get("status") or {}).get("podIPs") or [{}]
    return str(addresses[0].get("ip") or "")


def _or_false(get: Callable[[Json], str]) -> Callable[[Json], str]:
    return lambda obj: get(obj) or "false"


def _or_zero(get: Callable[[Json], str]) -> Callable[[Json], str]:
    return lambda obj: get(obj) or "0"


def _about(field: str) -> dict[str, Callable[[Json], str]]:
    names = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
    return {f"{field}.{name}": _path(field, name) for name in names}


def _event_source(event: Json) -> str:
    return _path("source", "component")(event) or _path("reportingComponent")(event)


_NAME = {"metadata.name": _path("metadata", "name")}
_NAMES = {**_NAME, "metadata.namespace": _path("metadata", "namespace")}
# (group, plural) -> field -> how to read it. What is not here has the two names alone.
_FIELDS: Mapping[tuple[str, str], Mapping[str, Callable[[Json], str]]] = {
    ("", "pods"): {
        **_NAMES,
        "spec.nodeName": _path("spec", "nodeName"),
        "spec.host": _path("spec", "nodeName"),
        "spec.restartPolicy": _path("spec", "restartPolicy"),
        "spec.schedulerName": _path("spec", "schedulerName"),
        "spec.serviceAccountName": _path("spec", "serviceAccountName"),
        "spec.hostNetwork": _or_false(_path("spec", "hostNetwork")),
        "status.phase": _path("status", "phase"),
        "status.podIP": _first_ip,
        # The server takes it and knows it of no pod.
        "status.podIPs": _path("status", "-"),
        "status.nominatedNodeName": _path("status", "nominatedNodeName"),
    },
    ("", "events"): {
        **_NAMES,
        **_about("involvedObject"),
        "reason": _path("reason"),
        "reportingComponent": _path("reportingComponent"),
        "source": _event_source,
        "type": _path("type"),
    },
    ("events.k8s.io", "events"): {
        **_NAMES,
        **_about("regarding"),
        "reason": _path("reason"),
        "reportingController": _path("reportingController"),
        "type": _path("type"),
    },
    ("", "nodes"): {**_NAME, "spec.unschedulable": _or_false(_path("spec", "unschedulable"))},
    ("", "namespaces"): {**_NAME, "status.phase": _path("status", "phase")},
    ("", "replicationcontrollers"): {**_NAMES, "status.replicas": _or_zero(_path("status", "replicas"))},
    ("", "services"): {
        **_NAMES,
        "spec.clusterIP": _path("spec", "clusterIP"),
        "spec.type": _path("spec", "type"),
    },
    ("batch", "jobs"): {**_NAMES, "status.successful": _or_zero(_path("status", "succeeded"))},
}


def _unsupported(group: str, plural: str, field: str) -> errors.InvalidInput:
    if (group, plural) == ("batch", "jobs"):
        return errors.InvalidInput(f'field label "{field}" not supported for Job')
    if (group, plural) in _FIELDS:
        return errors.InvalidInput(f"field label not supported: {field}")
    return errors.InvalidInput(
        f'"{field}" is not a known field selector: only "metadata.name", "metadata.namespace"'
    )


def fields(text: str, group: str, plural: str) -> Matches:
    """What a fieldSelector selects of a kind. Raises InvalidInput with the API server's words."""
    known = _FIELDS.get((group, plural), _NAMES)
    conditions: list[tuple[Callable[[Json], str], str, bool]] = []
    for term in sorted(filter(None, re.split(r"(?<!\\),", text))):
        found = re.match(r"(.*?)(!=|==|=)(.*)", term, re.DOTALL)
        if found is None:
            raise errors.InvalidInput(f"invalid selector: '{text}'; can't understand '{term}'")
        field, operator, value = found.groups()
        if field not in known:
            raise _unsupported(group, plural, field)
        wanted = re.sub(r"\\([\\,=])", r"\1", value)
        conditions.append((known[field], wanted, operator != "!="))
    return lambda obj: all((read(obj) == wanted) is equal for read, wanted, equal in conditions)
