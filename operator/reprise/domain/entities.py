"""Names of Kubernetes objects: the entity id that agents submit, and the full reference that we act on."""

import re
from dataclasses import dataclass

from reprise.domain import errors

# RFC 1123 subdomain as Kubernetes uses it for names; some kinds (ClusterRole) also allow ':'.
_NAME = re.compile(r"[a-z0-9A-Z]([-a-z0-9A-Z.:_]{0,251}[a-z0-9A-Z])?")
_KIND = re.compile(r"[A-Za-z][A-Za-z0-9]{0,62}")


@dataclass(frozen=True, order=True)
class EntityId:
    """`namespace/Kind/name`, or `Kind/name` for what has no namespace (then `namespace` is "")."""

    namespace: str
    kind: str
    name: str

    def __str__(self) -> str:
        return "/".join(part for part in (self.namespace, self.kind, self.name) if part)

    @classmethod
    def parse(cls, text: str) -> "EntityId":
        """Read an id. Raises InvalidInput that says what was expected."""
        parts = text.strip().split("/")
        if len(parts) == 2:
            parts = ["", *parts]
        if len(parts) != 3:
            raise errors.InvalidInput(
                f"expected 'namespace/Kind/name' or 'Kind/name', found {shorten(text)!r}"
            )
        namespace, kind, name = parts
        if (
            (namespace and not _NAME.fullmatch(namespace))
            or not _KIND.fullmatch(kind)
            or not _NAME.fullmatch(name)
        ):
            raise errors.InvalidInput(
                f"expected 'namespace/Kind/name' made of Kubernetes names, found {shorten(text)!r}"
            )
        return cls(namespace, kind, name)


@dataclass(frozen=True, order=True)
class ObjectRef:
    """Everything needed to address one object. `namespace` is "" for what has none."""

    api_version: str
    kind: str
    namespace: str
    name: str

    @property
    def entity(self) -> EntityId:
        return EntityId(self.namespace, self.kind, self.name)

    def __str__(self) -> str:
        return str(self.entity)


def shorten(text: str, limit: int = 80) -> str:
    """Cut text for a message, so that a megabyte of input never lands in one."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
