"""When an agent had the evidence in its hands: the first call that named a guilty object or returned it.

The trail holds what was asked and how large the answer was, not the answer. A get by name is certain; a list
of the kind in the namespace holds the object unless a selector or a page left it out, which nobody can tell
afterwards.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from reprise.domain import access, submission
from reprise.domain.entities import EntityId
from reprise.domain.trail import Call

# kubectl asks for lists in pages of this size; a smaller limit was somebody's wish.
_PAGE = 500


class How(StrEnum):
    NAMED = "asked for by name"
    RETURNED = "in the answer's list"
    QUERIED = "its name in a query"
    PERHAPS = "perhaps in the answer's list: a selector or a page may have left it out"


@dataclass(frozen=True)
class Evidence:
    call: Call
    entity: EntityId
    how: How


def first(entities: Sequence[EntityId], calls: Iterable[Call]) -> Evidence | None:
    """The first call that brought up any of these (a root cause and its equivalents). What is only perhaps
    evidence counts when nothing else is."""
    perhaps: Evidence | None = None
    for call in calls:
        for entity in entities:
            how = _how(entity, call)
            if how is None:
                continue
            found = Evidence(call, entity, how)
            if how is not How.PERHAPS:
                return found
            perhaps = perhaps or found
    return perhaps


def _how(entity: EntityId, call: Call) -> How | None:
    if call.tool == "submit" or call.status in (401, 403, 406, 429, 499):
        return None
    parts = access.split(call.path)
    path = access.parse(parts) if parts else None
    if path is not None and path.resource == submission.plural(entity.kind):
        return _kubernetes(entity, call, path)
    if _mentions(entity.name, call):
        return How.QUERIED
    return None


def _kubernetes(entity: EntityId, call: Call, path: access.ApiPath) -> How | None:
    namespace = path.namespace if path.resource != "namespaces" else ""
    if path.name:
        same = path.name == entity.name and namespace == entity.namespace
        return How.NAMED if same else None
    if namespace not in ("", entity.namespace):
        return None
    field = str(call.arguments.get("fieldSelector", ""))
    if (name := re.search(r"(?:^|,)metadata\.name==?([^,]+)", field)) is not None:
        return How.NAMED if name[1] == entity.name else None
    if call.status != 200:
        return None
    limit = str(call.arguments.get("limit", ""))
    cut = (limit.isdecimal() and 0 < int(limit) < _PAGE) or "continue" in call.arguments
    return How.PERHAPS if cut or field or call.arguments.get("labelSelector") else How.RETURNED


def _mentions(name: str, call: Call) -> bool:
    """As a word of Kubernetes: `cart` is not in `cart-7d9f`."""
    asked = json.dumps(call.arguments, ensure_ascii=False)
    return re.search(rf"(?<![-a-z0-9.]){re.escape(name)}(?![-a-z0-9.])", asked) is not None
