"""What must be seen before an incident counts as happening, and one look at it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class AlertSymptom:
    """An alert rule fires in the application's namespace with at least these labels."""

    name: str
    alert: str
    labels: Mapping[str, str] = field(default_factory=dict)
    required: bool = True


@dataclass(frozen=True)
class MetricSymptom:
    """A PromQL expression returns a sample, as an alert's expression would. `$namespace` is filled in."""

    name: str
    query: str
    required: bool = True


@dataclass(frozen=True)
class EventSymptom:
    """A Kubernetes Event with this reason about such an object has been seen since the injection."""

    name: str
    reason: str
    kind: str
    name_prefix: str = ""
    message: str = ""  # a part of the Event's message; "" for any
    required: bool = True


Symptom = AlertSymptom | MetricSymptom | EventSymptom


@dataclass(frozen=True)
class Reading:
    """One look at a symptom. `evidence` says in one line what was found, also when it was not seen."""

    symptom: str
    seen: bool
    evidence: str
    seen_at: datetime
    required: bool = True
