"""An AgentAttempt as the gateway reads it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from reprise.domain import errors, redaction
from reprise.domain.budget import Budget, Phase

GROUP_VERSION = "reprise.dev/v1alpha1"
COLLECTION = f"/apis/{GROUP_VERSION}/agentattempts"


@dataclass(frozen=True)
class Attempt:
    """The spec, and the status as it was when it was read."""

    namespace: str
    name: str
    uid: str
    resource_version: int
    token_sha256: str
    application_namespace: str
    view: redaction.View
    limits: Budget
    start_by: datetime | None
    verdict: Phase | None
    verdict_reason: str
    phase: Phase
    status: Mapping[str, Any]

    @property
    def url(self) -> str:
        return f"/apis/{GROUP_VERSION}/namespaces/{self.namespace}/agentattempts/{self.name}"


def from_json(obj: Mapping[str, Any]) -> Attempt:
    """Read the object. Raises InvalidInput when what the gateway relies on is missing or cannot be read."""
    try:
        meta, spec = obj["metadata"], obj["spec"]
        start = redaction.parse_time(spec["window"]["start"])
        if start is None:
            raise errors.InvalidInput(
                f"spec.window.start: expected an RFC 3339 time, found {spec['window']['start']!r}"
            )
        verdict = spec.get("verdict")
        return Attempt(
            namespace=meta["namespace"],
            name=meta["name"],
            uid=meta["uid"],
            resource_version=int(meta["resourceVersion"]),
            token_sha256=spec["tokenSha256"].lower(),
            application_namespace=spec["application"]["namespace"],
            view=redaction.View(start, spec.get("injector", "hidden") != "visible"),
            limits=Budget(int(spec["budgets"]["wallClockSeconds"]), int(spec["budgets"]["requests"])),
            start_by=redaction.parse_time(spec.get("startBy")),
            verdict=Phase(verdict["phase"]) if verdict else None,
            verdict_reason=str(verdict.get("reason", "")) if verdict else "",
            phase=Phase((obj.get("status") or {}).get("phase") or Phase.PENDING),
            status=obj.get("status") or {},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise errors.InvalidInput(f"expected an AgentAttempt as its CRD says, found {exc!r}") from exc
