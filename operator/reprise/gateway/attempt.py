"""An AgentAttempt as the gateway reads it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from reprise.domain import chain, errors, redaction
from reprise.domain.budget import Budget, Loop, Phase, Usage

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
    def usage(self) -> Usage:
        """What its harness had reported when the status was written."""
        said = self.status.get("usage") or {}
        return Usage(
            turns=int(self.status.get("turns") or 0),
            tokens_in=int(said.get("tokensIn") or 0),
            tokens_out=int(said.get("tokensOut") or 0),
            tokens_cached=int(said.get("tokensCached") or 0),
            cost_usd=float(said.get("costUSD") or 0.0),
        )

    @property
    def anchor(self) -> chain.Anchor | None:
        """How far the audit trail was when the status was written; None when nothing is said of it."""
        said = self.status.get("audit")
        return chain.Anchor(int(said["lines"]), str(said["head"])) if said else None

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
            view=redaction.View(start, spec.get("injector", "hidden") != "visible", _run(spec)),
            limits=_limits(spec["budgets"]),
            start_by=redaction.parse_time(spec.get("startBy")),
            verdict=Phase(verdict["phase"]) if verdict else None,
            verdict_reason=str(verdict.get("reason", "")) if verdict else "",
            phase=Phase((obj.get("status") or {}).get("phase") or Phase.PENDING),
            status=obj.get("status") or {},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise errors.InvalidInput(f"expected an AgentAttempt as its CRD says, found {exc!r}") from exc


def _run(spec: Mapping[str, Any]) -> str:
    """The run's name; empty where a snapshot is replayed without one."""
    return str((spec.get("run") or {}).get("name", ""))


def _limits(budgets: Mapping[str, Any]) -> Budget:
    loop = budgets.get("loop") or {}
    return Budget(
        wall_clock_seconds=int(budgets["wallClockSeconds"]),
        requests=int(budgets["requests"]),
        turns=budgets.get("turns"),
        tokens=budgets.get("tokens"),
        cost_usd=budgets.get("costUSD"),
        loop=Loop(int(loop.get("warnAfter", 3)), int(loop.get("stopAfter", 0))),
    )
