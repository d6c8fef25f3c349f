"""What every experiment of Chaos Mesh shares: its object, when it runs, whom it hits, how it is taken back.

An experiment is made in Chaos Mesh's own namespace and lasts until it is deleted. What it does to the target
is the incident; the object itself is the injector's, and hidden from agents unless a scenario shows it.
"""

import base64
import hashlib
import re
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from reprise.domain import errors
from reprise.domain.entities import ObjectRef
from reprise.domain.mutation import Create
from reprise.domain.plan import ReplaceBackedOff, WaitAvailable, WaitInjected, WaitReleased
from reprise.domain.symptoms import AlertSymptom, Symptom
from reprise.faults.mechanism import Cause, Injection, Json, Observed
from reprise.faults.template import serving

API_VERSION = "chaos-mesh.org/v1alpha1"
NAMESPACE = "chaos-mesh"
# NB: pod-failure keeps the old image in an annotation that is called after the experiment. When that name
# would be longer than 63 characters, Chaos Mesh drops the part by which it is recognised and hidden.
_NAME_LENGTH = 5
DURATION = re.compile(r"(\d+(\.\d+)?(ms|s|m|h))+")
_CRON = re.compile(r"@every (\d+(ms|s|m|h))+|@(hourly|daily|weekly|monthly|yearly)|\S+( \S+){4}")


@dataclass(frozen=True, kw_only=True)
class Timing:
    """schedule: when it happens again and again, as cron or `@every 30s`; by default once, for good.
    duration: how long each time lasts, where it lasts."""

    schedule: str | None = None
    duration: str | None = None

    def problems(self) -> list[str]:
        found = []
        if self.schedule is not None and not _CRON.fullmatch(self.schedule):
            found.append(f"schedule: expected five cron fields or `@every 30s`, found {self.schedule!r}")
        if self.duration is not None and not DURATION.fullmatch(self.duration):
            found.append(f"duration: expected a duration such as 30s, found {self.duration!r}")
        if self.duration is not None and self.schedule is None:
            found.append("duration: expected none without a schedule: the fault lasts until it is taken back")
        return found


@dataclass(frozen=True, kw_only=True)
class Lasting(Timing):
    """Timing of what stays in force for a while: repeated, it needs a duration."""

    def problems(self) -> list[str]:
        found = super().problems()
        if self.schedule is not None and self.duration is None:
            found.append("duration: expected one with a schedule: the first time would never end")
        return found


@dataclass(frozen=True, kw_only=True)
class Momentary(Timing):
    """Timing of what is over at once, as killing a pod is."""

    def problems(self) -> list[str]:
        found = super().problems()
        if self.duration is not None and self.schedule is not None:
            found.append("duration: expected none, found one: this is over at once")
        return found


def duration_problems(name: str, value: str) -> list[str]:
    """What is wrong with the duration in a parameter."""
    return [] if DURATION.fullmatch(value) else [f"{name}: expected a duration such as 2s, found {value!r}"]


def calls_fail(target: str, params: object) -> tuple[Symptom, ...]:
    return (AlertSymptom("calls fail", alert="HighRequestErrorRate"),)


def calls_are_slow(target: str, params: object) -> tuple[Symptom, ...]:
    return (AlertSymptom("calls are slow", alert="HighRequestLatency"),)


class HasTiming(Protocol):
    @property
    def schedule(self) -> str | None: ...

    @property
    def duration(self) -> str | None: ...


P = TypeVar("P", bound=HasTiming)


def selected(deployment: Json) -> Json:
    """The selector part of an experiment: every pod of the Deployment."""
    labels = (deployment["spec"].get("selector") or {}).get("matchLabels") or {}
    if not labels:
        raise errors.InvalidInput(
            f"expected Deployment/{deployment['metadata']['name']} to select its pods by matchLabels, "
            "found none"
        )
    return {
        "selector": {"namespaces": [deployment["metadata"]["namespace"]], "labelSelectors": dict(labels)},
        "mode": "all",
    }


def name_of(mechanism: str, target: str, seed: int, namespace: str) -> str:
    """Five letters and digits that mean nothing; another in every namespace, for runs side by side."""
    digest = hashlib.sha256(f"{namespace}/{seed}/{mechanism}/{target}".encode()).digest()
    return base64.b32encode(digest).decode().lower()[:_NAME_LENGTH]


def inject(
    mechanism: str, kind: str, target: str, timing: HasTiming, seed: int, observed: Observed, spec: Json
) -> Injection:
    """The injection that makes an experiment of this kind with this spec, or a Schedule of such ones."""
    deployment = observed.get("Deployment", target)
    serving(deployment)
    ref = observed.ref("Deployment", target)
    manifest: dict[str, Any] = {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {
            "name": name_of(mechanism, target, seed, observed.namespace),
            "namespace": NAMESPACE,
        },
        "spec": {**selected(deployment), **spec},
    }
    if timing.schedule is not None:
        template = manifest["spec"] | ({"duration": timing.duration} if timing.duration else {})
        manifest |= {
            "kind": "Schedule",
            "spec": {
                "schedule": timing.schedule,
                "concurrencyPolicy": "Forbid",
                "historyLimit": 1,
                "type": kind,
                _field(kind): template,
            },
        }
    experiment = ObjectRef(API_VERSION, manifest["kind"], NAMESPACE, manifest["metadata"]["name"])
    return Injection(
        mutations=(Create(manifest),),
        causes=(Cause(ref, owned=True),),
        settle=(WaitInjected(experiment),),
        recover=(WaitReleased(experiment, kind), ReplaceBackedOff(ref), WaitAvailable(ref)),
    )


def _field(kind: str) -> str:
    """Under which a Schedule holds an experiment of this kind, such as podChaos and httpChaos."""
    return kind.removesuffix("Chaos").lower() + "Chaos"
