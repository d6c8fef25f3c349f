"""One attempt with its audit trail, from the cluster and the shared volume, or from a trail's file alone."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reprise.adapters.kube import Json, Kube
from reprise.adapters.run_store import RunStore
from reprise.adapters.wire import agent_attempt, benchmark_run, model
from reprise.cli import attach
from reprise.domain import blame, chain, errors, evidence, exports, plan, scoring, trail, truth
from reprise.domain.entities import EntityId, ObjectRef
from reprise.domain.redaction import INJECTOR_WORDS


@dataclass(frozen=True)
class Found:
    """`obj` is the AgentAttempt, None when only a file was given; `lines` those of its trail, None without
    one here."""

    uid: str
    obj: Json | None
    path: Path
    lines: Sequence[bytes] | None

    @property
    def spec(self) -> Mapping[str, Any]:
        return self.obj["spec"] if self.obj else {}

    @property
    def status(self) -> Mapping[str, Any]:
        return (self.obj.get("status") or {}) if self.obj else {}

    @property
    def verdict(self) -> Mapping[str, Any]:
        return self.spec.get("verdict") or {}

    @property
    def name(self) -> str:
        return str(self.obj["metadata"]["name"]) if self.obj else self.path.name

    @property
    def phase(self) -> str:
        return str(self.verdict.get("phase") or self.status.get("phase") or ("Pending" if self.obj else "?"))

    @property
    def reason(self) -> str:
        return str(self.verdict.get("reason") or self.status.get("message") or "")

    @property
    def submission(self) -> list[str] | None:
        said = self.status.get("submission")
        return None if said is None else list(said.get("entities") or ())

    @property
    def trail(self) -> trail.Trail:
        return trail.read(self.lines or ())

    @property
    def anchor(self) -> chain.Anchor | None:
        said = self.status.get("audit")
        return chain.Anchor(int(said["lines"]), str(said["head"])) if said else None

    def check(self) -> chain.Check:
        """Raises NotFound without a trail."""
        return chain.check(self.needed(), self.uid, self.anchor)

    def needed(self) -> Sequence[bytes]:
        """The trail's lines. Raises NotFound when there is none here."""
        if self.lines is None:
            raise errors.NotFound(
                f"expected the audit trail {self.path}, found none; it lies on the gateway's volume: copy it "
                "here, and name its folder with --audit"
            )
        return self.lines

    def exported(self, product_version: str) -> exports.Attempt:
        times = {key: self.status.get(key) for key in ("startedAt", "endedAt")}
        return exports.Attempt(
            uid=self.uid,
            name=self.name,
            agent=str((self.spec.get("agent") or {}).get("kind", "unknown")),
            product_version=product_version,
            phase=self.phase,
            reason=self.reason,
            score=self.verdict.get("score"),
            started_at=model.parse_time(times["startedAt"]) if times["startedAt"] else None,
            ended_at=model.parse_time(times["endedAt"]) if times["endedAt"] else None,
            submission=self.submission,
        )


def from_file(path: Path) -> Found:
    """A trail without its attempt. Raises InvalidInput when it cannot be read."""
    lines = _lines(path)
    if lines is None:
        raise errors.InvalidInput(f"{path}: expected an audit trail, found no such file")
    uid = path.stem
    for line in lines:
        if (parsed := chain.parse(line.removesuffix(b"\n"))) is not None:
            uid = str(parsed.fields.get("attempt", uid))
            break
    return Found(uid, None, path, lines)


async def of_run(kube: Kube, namespace: str, run: str) -> list[Json]:
    """The attempts of a run, by index. Raises NotFound when there is no such run."""
    found = await kube.get(ObjectRef(model.API_VERSION, benchmark_run.KIND, namespace, run))
    if found is None:
        raise errors.NotFound(
            f"expected a run {namespace}/{run}, found none; `reprise attempts list -A` shows what there is"
        )
    uid = found["metadata"]["uid"]
    attempts = await kube.list_objects(
        model.API_VERSION, agent_attempt.KIND, namespace, label_selector=f"reprise.dev/run={uid}"
    )
    return sorted(attempts, key=lambda item: int(item["spec"]["index"]))


async def find(kube: Kube, namespace: str, target: str, audit: Path) -> Found:
    """The attempt `RUN/N`, or `RUN` when it has one only. Raises InvalidInput and NotFound."""
    wanted = attach.parse(target)
    attempts = await of_run(kube, namespace, wanted.run)
    numbers = [int(item["spec"]["index"]) for item in attempts]
    if wanted.index is None and len(attempts) != 1:
        raise errors.InvalidInput(
            f"expected {wanted.run}/N with N of {numbers or 'none yet'}, found {target!r}"
        )
    chosen = [item for item in attempts if wanted.index in (None, int(item["spec"]["index"]))]
    if not chosen:
        raise errors.NotFound(f"expected attempt {wanted.index} of {wanted.run}, found {numbers or 'none'}")
    uid = chosen[0]["metadata"]["uid"]
    path = audit / f"{uid}.jsonl"
    return Found(uid, chosen[0], path, _lines(path))


def _lines(path: Path) -> list[bytes] | None:
    try:
        with path.open("rb") as file:
            return list(file)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise errors.InvalidInput(f"{path}: cannot be read: {exc}") from exc


# -- why --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cause:
    """A root cause: how the submission named it (None: missed), and when the agent had it in its hands."""

    cause: truth.RootCause
    named_as: EntityId | None
    evidence: evidence.Evidence | None


@dataclass(frozen=True)
class Why:
    found: Found
    score: scoring.Score | None  # None: nothing was submitted
    causes: Sequence[Cause]
    wrong: Sequence[blame.Wrong]


async def explain(kube: Kube, found: Found, snapshots: Path) -> Why:
    """Truth beside submission. Raises NotFound when there is no truth to be had."""
    assert found.obj is not None  # noqa: S101 - only called for attempts of a cluster
    run_uid = found.spec["run"]["uid"]
    store = RunStore(kube)
    known = await store.load_truth(run_uid)
    if known is None:
        raise errors.NotFound(
            f"expected the truth of the run {found.spec['run']['name']}, found none: nothing was applied, or "
            "the run is gone"
        )
    submitted = [EntityId.parse(text) for text in found.submission or ()]
    score = scoring.score(known, submitted) if found.submission is not None else None
    calls = found.trail.calls
    causes = []
    for cause in known.root_causes:
        names = (cause.entity, *cause.equivalents)
        named = next((entity for entity in submitted if scoring.same(entity, names)), None)
        causes.append(Cause(cause, named, evidence.first(names, calls)))
    snapshot = snapshots / await _recorded(kube, found)
    stored = await store.load_plan(run_uid)
    guilty = [entity for cause in known.root_causes for entity in (cause.entity, *cause.equivalents)]
    wrong = blame.judge(
        score.false_positives if score else (),
        guilty,
        _topology(snapshot / "topology.json"),
        [ref.entity for ref in stored.decoys] if stored else [],
        _injected(stored) if stored else [],
    )
    return Why(found, score, causes, wrong)


async def _recorded(kube: Kube, found: Found) -> str:
    """The name of the snapshot's folder, as the run's status has it: a replay's is another run's, or was
    fetched. The run's uid where there is none."""
    run = found.spec["run"]
    where = found.obj["metadata"]["namespace"] if found.obj else ""
    obj = await kube.get(ObjectRef(model.API_VERSION, benchmark_run.KIND, where, run["name"]))
    return benchmark_run.snapshot_name(obj or {}) or str(run["uid"])


def _injected(stored: plan.Plan) -> list[EntityId]:
    """What the plan makes in the injector's own API."""
    refs = [planned.mutation.ref for planned in stored.mutations]
    return [ref.entity for ref in refs if any(word in ref.api_version for word in INJECTOR_WORDS)]


def _topology(path: Path) -> Json | None:
    try:
        found: Json = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as exc:
        raise errors.Corrupt(f"{path}: expected a topology, found what cannot be read: {exc}") from exc
    return found
