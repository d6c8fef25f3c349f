"""What is recorded, from when to when, and as whom it is seen."""

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reprise.domain import redaction
from reprise.snapshot import manifest


@dataclass(frozen=True)
class RecordRequest:
    """Times are aware. `baseline_at` opens the window, `recorded_at` closes it.

    `injected_at` and `symptom_at` are None where there was none (a control). `injector_hidden` is the run's:
    it decides what an agent may see, and so what may be in the snapshot. `run_name` is looked for in logs.
    `versions` and `settings` go into the manifest as they are; they must not hold the truth.
    `patience_seconds` is how long a backend that does not answer is asked again: within that a pod of
    Prometheus or Jaeger is replaced.
    """

    run_uid: str
    namespace: str
    seed: int
    baseline_at: dt.datetime
    recorded_at: dt.datetime
    injected_at: dt.datetime | None = None
    symptom_at: dt.datetime | None = None
    injector_hidden: bool = True
    run_name: str = ""
    scrape_interval_seconds: float = 5.0
    patience_seconds: float = 20.0
    versions: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def snapshot_id(self) -> str:
        """16 hex digits that lead back to the run for those only who know its uid."""
        return hashlib.sha256(f"snapshot/{self.run_uid}".encode()).hexdigest()[:16]

    @property
    def view(self) -> redaction.View:
        """What an agent would be shown. Events carry whole seconds, so the window's first second is in."""
        return redaction.View(self.baseline_at.replace(microsecond=0), self.injector_hidden, self.run_name)

    @property
    def timeline(self) -> dict[str, str]:
        """As the manifest holds it, to the microsecond."""
        times = {
            "baselineAt": self.baseline_at,
            "injectedAt": self.injected_at,
            "symptomAt": self.symptom_at,
            "recordedAt": self.recorded_at,
        }
        return {name: rfc3339(times[name]) for name in manifest.TIMELINE if times[name] is not None}


def rfc3339(time: dt.datetime | None) -> str:
    """An aware time as RFC 3339 in UTC with microseconds; "" for None."""
    return time.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z") if time else ""
