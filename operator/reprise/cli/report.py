"""What there is to say about a run, gathered from the cluster and from the shared volume."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reprise.adapters.kube import Json, Kube
from reprise.adapters.run_store import RunStore
from reprise.adapters.wire import agent_attempt, model
from reprise.cli import timeline
from reprise.cluster import paths
from reprise.domain import errors, scoring, trail, truth
from reprise.domain.entities import EntityId
from reprise.snapshot import reader

_MOST_LOOKS = 12


@dataclass(frozen=True)
class Looks:
    """What an agent asked for: requests by verb and resource, most frequent first. None: no trail here."""

    counts: Sequence[tuple[str, int]]
    denied: int


@dataclass(frozen=True)
class AttemptReport:
    name: str
    phase: str
    reason: str
    submission: Sequence[str]
    score: scoring.Score | None
    looks: Looks | None


@dataclass(frozen=True)
class Report:
    run: Json
    truth: truth.Truth | None
    attempts: Sequence[AttemptReport]
    alerts: Sequence[str]
    snapshot: str


async def gather(kube: Kube, obj: Json) -> Report:
    """Everything about a run that can be had; what is missing is left out, never made up."""
    uid, namespace = obj["metadata"]["uid"], obj["metadata"]["namespace"]
    known = await _truth(kube, uid)
    attempts = await kube.list_objects(
        model.API_VERSION, agent_attempt.KIND, namespace, label_selector=f"reprise.dev/run={uid}"
    )
    attempts.sort(key=lambda item: int(item["spec"]["index"]))
    data = paths.data_dir()
    folder = data / "snapshots" / uid
    return Report(
        obj,
        known,
        [_attempt(item, known, data / "audit") for item in attempts],
        _alerts(folder, obj.get("status") or {}),
        _snapshot(folder, obj),
    )


async def _truth(kube: Kube, uid: str) -> truth.Truth | None:
    try:
        return await RunStore(kube).load_truth(uid)
    except errors.Refused:
        return None  # a reader without rights on the operator's namespace


def _attempt(item: Mapping[str, Any], known: truth.Truth | None, audit: Path) -> AttemptReport:
    status, verdict = item.get("status") or {}, item["spec"].get("verdict") or {}
    submission = (status.get("submission") or {}).get("entities")
    score = None
    if known is not None and submission is not None:
        score = scoring.score(known, [EntityId.parse(text) for text in submission])
    return AttemptReport(
        item["metadata"]["name"],
        verdict.get("phase") or status.get("phase") or "Pending",
        verdict.get("reason") or status.get("message") or "",
        submission or [],
        score,
        _looks(audit / f"{item['metadata']['uid']}.jsonl"),
    )


def _looks(path: Path) -> Looks | None:
    try:
        with path.open("rb") as lines:
            calls = trail.read(lines).calls
    except OSError:
        return None
    counts = Counter(call.what for call in calls)
    return Looks(counts.most_common(), sum(1 for call in calls if call.status >= 400))


def _alerts(folder: Path, status: Mapping[str, Any]) -> list[str]:
    """The alerts that fired in the snapshot's window; without a snapshot the evidence that was stored."""
    try:
        recorded = reader.open_snapshot(folder)
        # What began to fire with the last evaluation is in the list of that moment, not yet in the history.
        found = [*recorded.alerts(), *recorded.alert_history()]
    except (OSError, errors.RepriseError):
        return [f"{item['symptom']}: {item['evidence']}" for item in status.get("evidence") or ()]
    return sorted({_alert_name(item) for item in found if _fired(item)})


def _fired(item: Mapping[str, Any]) -> bool:
    return "firing" in (item.get("state"), item.get("was")) or item.get("state") == "resolved"


def _alert_name(item: Mapping[str, Any]) -> str:
    labels = item.get("labels") or {}
    where = labels.get("service_name") or labels.get("deployment") or labels.get("pod") or ""
    return f"{labels.get('alertname', '?')} {where}".strip()


def _snapshot(folder: Path, obj: Mapping[str, Any]) -> str:
    """The path on this machine when the volume is here, else the operator's."""
    if folder.is_dir():
        return str(folder)
    return str(((obj.get("status") or {}).get("snapshot") or {}).get("path", ""))


def to_json(report: Report) -> Json:
    """Everything as JSON values."""
    return {
        "run": report.run,
        "truth": truth.to_json(report.truth) if report.truth else None,
        "alerts": list(report.alerts),
        "snapshot": report.snapshot,
        "attempts": [
            {
                "name": item.name,
                "phase": item.phase,
                "reason": item.reason,
                "submission": list(item.submission),
                "score": item.score.score if item.score else None,
                "truePositives": [str(each) for each in item.score.true_positives] if item.score else [],
                "falsePositives": [str(each) for each in item.score.false_positives] if item.score else [],
                "missed": [str(each) for each in item.score.missed] if item.score else [],
                "requests": dict(item.looks.counts) if item.looks else None,
            }
            for item in report.attempts
        ],
    }


def to_text(report: Report) -> str:
    """The report for people."""
    meta, spec, status = report.run["metadata"], report.run["spec"], report.run.get("status") or {}
    # A replay names a snapshot, which says what the incident was.
    incident = spec.get("scenario") or f"replay of {spec['snapshot']['source']}"
    lines = [
        "",
        f"Run {meta['namespace']}/{meta['name']}: {incident}, {status.get('phase', 'Pending')}",
    ]
    if status.get("reason"):
        lines.append(f"  {status['reason']}: {status.get('message', '')}")
    lines += ["", "Timeline"]
    for row in timeline.rows(status):
        lasted = f"{row.lasted_seconds:7.1f} s" if row.lasted_seconds is not None else ""
        lines.append(f"  {row.began_seconds:7.1f} s  {row.phase:<12} {lasted}")
    lines += ["", "Alerts that fired"]
    lines += [f"  {text}" for text in report.alerts] or ["  none"]
    for item in report.attempts:
        lines += ["", *_attempt_text(item)]
    lines += ["", "Truth", *_truth_text(report.truth)]
    lines += ["", f"Score  {status.get('scoreText', '-')}"]
    drift = status.get("drift")
    if drift is None:
        lines.append("Drift  not checked")
    else:
        differences = drift.get("differences") or []
        lines.append(f"Drift  {'none' if not differences else ''}")
        lines += [f"  {text}" for text in differences]
    lines.append(f"Snapshot  {report.snapshot or 'none'}")
    return "\n".join(lines)


def _truth_text(known: truth.Truth | None) -> list[str]:
    if known is None:
        return ["  not known (nothing was applied, or it cannot be read from here)"]
    lines = []
    for cause in known.root_causes:
        same = ", ".join(str(each) for each in cause.equivalents)
        lines.append(f"  {cause.entity}" + (f"  (also: {same})" if same else ""))
    return lines or ["  nothing is wrong: the right answer is empty"]


def _attempt_text(item: AttemptReport) -> list[str]:
    lines = [f"Attempt {item.name}: {item.phase} ({item.reason})"]
    if item.looks is not None:
        total = sum(count for _, count in item.looks.counts)
        lines.append(f"  looked at ({total} requests, {item.looks.denied} refused)")
        lines += [f"    {count:5} {what}" for what, count in item.looks.counts[:_MOST_LOOKS]]
    lines.append("  submitted")
    hits = set(item.score.true_positives) if item.score else set()
    for text in item.submission:
        mark = "+" if EntityId.parse(text) in hits else "-" if item.score else " "
        lines.append(f"    {mark} {text}")
    if not item.submission:
        lines.append("      nothing")
    if item.score is not None:
        lines += [f"    missed {each}" for each in item.score.missed]
        score = item.score
        lines.append(
            f"  score {score.score:.2f} (precision {score.precision:.2f}, recall {score.recall:.2f})"
        )
    return lines
