"""One scenario in one namespace: apply its run, answer for the agents, wait for its end, judge."""

import asyncio
import contextlib
import dataclasses
import datetime as dt
import hashlib
from collections.abc import Callable

from reprise.adapters import run_document
from reprise.adapters.kube import Json, Kube
from reprise.adapters.run_store import RunStore
from reprise.adapters.wire import agent_attempt, benchmark_run, model
from reprise.domain import errors, proof
from reprise.domain.entities import EntityId, ObjectRef
from reprise.domain.run import Run
from reprise.domain.run_status import Phase
from reprise.domain.scenario import Scenario
from reprise.domain.submission import MAX_ENTITIES
from reprise.proof import door, hunt, waiting
from reprise.proof import yardstick as yardsticks
from reprise.snapshot import private

RUNS_NAMESPACE = "default"
_WATCH_SECONDS = 60
_REMOVAL_SECONDS = 300
_PREFIX = "prove-"
# Seconds, about: a kube-proxy whose update failed makes its rules anew half a minute later.
_DOOR_TRIES = 90
# What an alert says about requests: where it hurts, and not what is wrong.
_SERVICE_LABEL = 'service_name="'


@dataclasses.dataclass(frozen=True)
class Driver:
    """Drives runs on the cluster behind `kube`. `note` is told what a run is about to do.

    With `snapshots` each run records one, which stays when the run goes."""

    kube: Kube
    seed: int = 1
    keep: bool = False
    snapshots: bool = False
    note: Callable[[str, str], None] = lambda scenario, text: None

    async def prove(self, scenario: Scenario, namespace: str, digest: str) -> proof.Proof:
        """The proof of one scenario. Raises nothing of ours: what goes wrong is its verdict."""
        ref = self._ref(scenario.name, namespace)
        unproven = proof.Proof(
            scenario.name,
            proof.Verdict.FAILED,
            reason="",
            mechanisms=tuple(dict.fromkeys(fault.mechanism for fault in scenario.faults)),
            namespace=namespace,
            seed=self.seed,
            digest=digest,
            quiet=False,
        )
        over = False
        try:
            await self._clear(ref)
            await self.kube.create(self._manifest(ref, scenario, namespace))
            run = await self._until(ref, scenario.name, lambda r: r.status.phase is Phase.ATTEMPTING)
            attempted = run.status.phase is Phase.ATTEMPTING
            found = await self._answer(run, scenario) if attempted else proof.Findings()
            run = await self._until(ref, scenario.name, lambda r: False)
            over = True
        except errors.RepriseError as exc:
            reason = f"{type(exc).__name__}: {exc}"
            return dataclasses.replace(unproven, reason=reason, finished_at=_now())
        finally:
            # The finalizer takes the fault back first, also where the proof itself has failed. A run whose
            # agents nobody plays any more would only be in the way of the next.
            if not (self.keep and over):
                await asyncio.shield(self._remove(ref))
        scores = [attempt.score for attempt in run.status.attempts]
        known = proof.answers(scenario.control)
        # By position: an attempt that failed for reasons of ours is made again behind the others.
        yardstick = found.yardstick and dataclasses.replace(
            found.yardstick, score=next(iter(scores[len(known) :]), None)
        )
        found = dataclasses.replace(found, scores=dict(zip(known, scores, strict=False)), yardstick=yardstick)
        verdict, reason, checks = proof.judge(
            scenario.name, run.status, found, control=scenario.control, attempted=attempted
        )
        to_symptom, to_recover, whole = proof.timed(run.status)
        return dataclasses.replace(
            unproven,
            verdict=verdict,
            reason=reason,
            checks=checks,
            symptoms=proof.seen(run.status),
            truth=tuple(str(cause.entity) for cause in found.truth.root_causes),
            drift=run.status.drift.differences if run.status.drift else (),
            to_symptom_seconds=None if scenario.control else to_symptom,
            to_recover_seconds=to_recover,
            whole_seconds=whole,
            finished_at=_now(),
            leak=found.leak,
            yardstick=found.yardstick,
            snapshot=run.status.snapshot.name if run.status.snapshot else "",
            quiet=run.status.timeline.baseline_at is not None,
        )

    def _ref(self, scenario: str, namespace: str) -> ObjectRef:
        # The hash keeps long names apart and runs of several namespaces too.
        end = hashlib.sha256(f"{scenario}/{namespace}".encode()).hexdigest()[:6]
        name = f"{_PREFIX}{scenario[:36].rstrip('-')}-{end}"
        return ObjectRef(model.API_VERSION, benchmark_run.KIND, RUNS_NAMESPACE, name)

    def _manifest(self, ref: ObjectRef, scenario: Scenario, namespace: str) -> Json:
        count = _attempts(scenario.control)
        return {
            "apiVersion": ref.api_version,
            "kind": ref.kind,
            "metadata": {"name": ref.name, "namespace": ref.namespace},
            "spec": {
                "scenario": scenario.name,
                "application": {"name": scenario.application, "namespace": namespace},
                "repeats": count,
                "seed": self.seed,
                "agent": {"kind": "external", "parallelism": count},
                "snapshot": {"enabled": self.snapshots},
                # A run before this one has ended quietly: its own recovery made sure of that.
                "gates": {
                    "baselineWindowSeconds": 10,
                    "symptomTimeoutSeconds": max(180, 2 * scenario.expected_seconds),
                },
            },
        }

    async def _until(self, ref: ObjectRef, scenario: str, wanted: Callable[[Run], bool]) -> Run:
        """The run when it is as wanted, or over. Raises NotFound when somebody deletes it."""
        told = ""
        while True:
            try:
                async for kind, obj in self.kube.watch(
                    ref.api_version,
                    ref.kind,
                    ref.namespace,
                    field_selector=f"metadata.name={ref.name}",
                    timeout_seconds=_WATCH_SECONDS,
                ):
                    if kind == "BOOKMARK":
                        continue
                    if kind == "DELETED":
                        raise errors.NotFound(f"{ref.namespace}/{ref.name} was deleted while it ran")
                    run = benchmark_run.from_object(obj)
                    if str(run.status.phase) != told:
                        told = str(run.status.phase)
                        self.note(scenario, told)
                    if run.status.phase.terminal or wanted(run):
                        return run
            except (errors.Unreachable, errors.Conflict):
                await asyncio.sleep(1)  # the API server is away or restarts the watch

    async def _answer(self, run: Run, scenario: Scenario) -> proof.Findings:
        """Look through the door as an agent would, hunt for leaks, then hand in each answer."""
        store = RunStore(self.kube)
        truth, planned = await store.load_truth(run.ref.uid), await store.load_plan(run.ref.uid)
        if truth is None or planned is None:
            raise errors.Corrupt(f"{run.ref}: expected a stored plan and truth, found none")
        secret = run_document.document(run, scenario, planned, truth)
        secret["injector"] = await private.injector_objects(self.kube)
        namespace = run.spec.application.namespace
        *names, last = await self._attempts(run, _attempts(scenario.control))
        # First of all: the longer an incident lasts, the more of it shows.
        yardstick = await self._yardstick(run, last)
        right = [cause.entity for cause in truth.root_causes]
        missing: tuple[str, ...] = ()
        visible: list[EntityId] = []
        leak: proof.Leak | None = None
        for name, answer in zip(names, proof.answers(scenario.control), strict=True):
            config = await door.kubeconfig(self.kube, run.ref.namespace, name)
            async with door.open_door(config) as through:
                await _answers(through)
                match answer:
                    case proof.Answer.REFERENCE:
                        missing = await door.unreachable(through, namespace, right)
                        entities = right
                    case proof.Answer.EMPTY:
                        entities = []
                    case proof.Answer.EVERYTHING:
                        leak = await hunt.hunt(through, secret, namespace)
                        visible = await door.everything(through, namespace)
                        entities = visible = [*right, *(e for e in visible if e not in right)]
                    case proof.Answer.SYMPTOMS:
                        entities = list(proof.symptomatic(_services(run), namespace, truth))
                await door.submit(through, entities)
        return proof.Findings(truth, missing, min(len(visible), MAX_ENTITIES), leak=leak, yardstick=yardstick)

    async def _yardstick(self, run: Run, attempt: str) -> proof.Yardstick | None:
        """What the rules-only agent hands in. Where it comes to no answer, an empty one ends its attempt."""
        config = await door.kubeconfig(self.kube, run.ref.namespace, attempt)
        async with door.open_door(config) as through:
            await _answers(through)
            try:
                return await yardsticks.play(config)
            except errors.Unreachable as exc:
                self.note(run.spec.scenario, str(exc))
                with contextlib.suppress(errors.Conflict):
                    await door.submit(through, [])
                return None

    async def _attempts(self, run: Run, count: int) -> list[str]:
        """The names of the run's attempts, once all of them are there."""
        found: dict[int, str] = {}
        async for kind, obj in self.kube.watch(
            model.API_VERSION, agent_attempt.KIND, run.ref.namespace, timeout_seconds=_WATCH_SECONDS
        ):
            if kind != "BOOKMARK" and obj["spec"]["run"]["uid"] == run.ref.uid:
                found[int(obj["spec"]["index"])] = obj["metadata"]["name"]
            if len(found) == count:
                return [found[index] for index in sorted(found)]
        raise errors.NotFound(f"{run.ref}: expected {count} attempts, found {len(found)}")

    async def _clear(self, ref: ObjectRef) -> None:
        """Delete the run, if there is one of an earlier proof, and wait until it is gone."""
        await self.kube.delete(ref)
        await waiting.gone(self.kube, ref, _REMOVAL_SECONDS)

    async def _remove(self, ref: ObjectRef) -> None:
        try:
            await self._clear(ref)
        except errors.RepriseError:
            return  # the run stays, its finalizer too: nothing is lost, and the next proof waits for it


async def _answers(through: Kube) -> None:
    """Wait until the door answers: on a busy machine it may be away for a moment. Raises Unreachable."""
    for _ in range(_DOOR_TRIES - 1):
        try:
            await through.request("GET", "/api")
            return
        except errors.Unreachable:
            await asyncio.sleep(1)
    await through.request("GET", "/api")


def _attempts(control: bool) -> int:
    """How many attempts a proof's run makes: the known answers and, last, the yardstick's."""
    return len(proof.answers(control)) + 1


def _services(run: Run) -> list[str]:
    """The services that the run's evidence names."""
    return [
        part.split('"', 1)[0]
        for item in run.status.evidence
        for part in item.evidence.split(_SERVICE_LABEL)[1:]
    ]


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
