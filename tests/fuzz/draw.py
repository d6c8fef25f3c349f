"""JSON documents out of bytes: every input is a valid one, so that no mutation is lost on syntax."""

from typing import Any

from reprise.domain import redaction

# What rules look at, what they look for, and pieces that become it when they are joined.
TEXTS = (
    *redaction.PRODUCT_WORDS, *redaction.INJECTOR_WORDS, *sorted(redaction.PRODUCT_NAMESPACES),
    "Reprise", "KOPF.dev/x", "\reprise", "repr", "ise", "\\u0072eprise", "chaos-mesh.org", "chaos",
    "\u212aopf", "reprı\u0307se", "", "a", "cart", "otel-demo", "default", "2026-01-02T12:30:00Z",
    "2026-01-02T11:00:00.123456789Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59",
    "see reprise-system\nand more", "é", "\x00", "x" * 300,
)  # fmt: skip
KEYS = (
    "metadata", "name", "namespace", "labels", "annotations", "managedFields", "ownerReferences", "subjects",
    "images", "spec", "status", "data", "message", "source", "involvedObject", "series", "lastTimestamp",
    "eventTime", "lastObservedTime", "kubectl.kubernetes.io/last-applied-configuration", "selfLink", "uid",
    "kopf.dev/last-handled-configuration", "reprise.dev/run", "env", "value", "creationTimestamp", "rows",
    "cells", "object", "items", "kind", "key", "tags", "exported_namespace", "continue", "remainingItemCount",
)  # fmt: skip


class Draw:
    """Takes values off the front of `data`; zeros when there is nothing left."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._named: dict[str, dict[str, str]] = {}

    @property
    def is_empty(self) -> bool:
        return self._at >= len(self._data)

    def byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1] if self._at <= len(self._data) else 0

    def below(self, count: int) -> int:
        return self.byte() % count

    def rest(self) -> bytes:
        found, self._at = self._data[self._at :], len(self._data)
        return found

    def text(self) -> str:
        """Mostly one of TEXTS or two of them joined, else the next few bytes as they are."""
        choice = self.byte()
        if choice < 160:
            return TEXTS[choice % len(TEXTS)]
        if choice < 220:
            return TEXTS[choice % len(TEXTS)] + TEXTS[self.below(len(TEXTS))]
        return bytes(self.byte() for _ in range(choice % 24)).decode("utf-8", "replace")

    def key(self) -> str:
        choice = self.byte()
        return KEYS[choice % len(KEYS)] if choice < 220 else self.text()

    def value(self, depth: int = 5) -> Any:
        choice = self.below(16)
        if self.is_empty or depth == 0 or choice < 6:
            return self.text()
        if choice < 11:
            return self.mapping(depth - 1)
        if choice < 13:
            return [self.value(depth - 1) for _ in range(self.below(4))]
        return (None, self.byte(), True)[choice - 13]

    def mapping(self, depth: int = 5) -> dict[str, Any]:
        return {self.key(): self.value(depth) for _ in range(self.below(6))}

    def texts(self) -> dict[str, str]:
        return {self.key(): self.text() for _ in range(self.below(5))}

    def meta(self) -> dict[str, Any]:
        """Metadata as the API server gives it: what has a type there has it here, and who has a uid keeps its
        name and namespace."""
        uid = str(self.below(4))
        if uid not in self._named:
            self._named[uid] = {"name": self.text(), "namespace": self.text() if self.byte() & 1 else ""}
        found: dict[str, Any] = {"uid": uid, **self._named[uid]}
        flags = self.byte()
        if flags & 2:
            found["labels"] = self.texts()
        if flags & 4:
            found["annotations"] = self.texts()
        if flags & 8:
            found["managedFields"] = [self.mapping(2)]
        if flags & 16:
            found["ownerReferences"] = [self.texts() for _ in range(self.below(3))]
        if flags & 32:
            found["creationTimestamp"] = self.text()
        return found

    def object(self) -> dict[str, Any]:
        found = {
            key: item
            for key, item in self.mapping(4).items()
            if key not in ("metadata", "kind", "series", "rows", "items")
        }
        if self.byte() & 1:
            found["series"] = self.texts()
        return {"kind": "Thing", "apiVersion": "v1", "metadata": self.meta(), **found}
