"""Plan, apply, read back, take back, compare: everything that is done to the application goes through here.

Every method may be called again at any time, by another process too: what has been done is read from the
cluster.
"""

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from reprise.adapters import engine_chaos, engine_observe, engine_plan, engine_steps, engine_write
from reprise.adapters.kube import Kube
from reprise.domain import drift as drifts
from reprise.domain import errors, mutating
from reprise.domain import plan as plans
from reprise.domain import scenario as scenarios
from reprise.domain import truth as truths
from reprise.domain.entities import EntityId, ObjectRef
from reprise.domain.mutation import PlannedMutation


@dataclass(frozen=True)
class Progress:
    """How far an injection or a recovery is.

    done, total: mutations. settled: every mutation and every step is done.
    waiting_for: what is still missing, for people. conflicts: what somebody else changed and was left alone.
    """

    done: int
    total: int
    settled: bool
    waiting_for: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()


class Engine:
    """Does plans to the cluster behind `kube` and undoes them."""

    def __init__(self, kube: Kube, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._kube = kube
        self._clock = clock

    async def plan(self, wanted: scenarios.Scenario, namespace: str, seed: int) -> plans.Plan:
        """Work out what the scenario does to this very cluster. Changes nothing: it is tried as a dry run.

        Raises InvalidInput (every problem), NotFound (a target is missing), Unsupported (a requirement is).
        """
        return await engine_plan.plan(self._kube, wanted, namespace, seed)

    async def apply(self, planned: plans.Plan) -> Progress:
        """Bring the plan about as far as possible now. Call until `settled`; then read `truth`.

        A conflict keeps it from ever settling: what somebody else changed is not overwritten.
        """
        return await self._bring(planned.mutations, planned.settle, back=False)

    async def revert(self, planned: plans.Plan) -> Progress:
        """Take the plan back as far as possible now. Call until `settled`.

        Fields that somebody else changed meanwhile are left alone and reported as conflicts; they do not hold
        up `settled`.
        """
        return await self._bring(planned.mutations[::-1], planned.recover, back=True)

    async def _bring(
        self, mutations: Sequence[PlannedMutation], steps: Sequence[plans.Step], *, back: bool
    ) -> Progress:
        done = 0
        waiting: list[str] = []
        conflicts: list[str] = []
        for planned in mutations:
            match await engine_write.bring(self._kube, planned, back=back):
                case mutating.Wait(reason):
                    waiting.append(reason)
                    if back:
                        await engine_chaos.release(self._kube, planned.ref, self._clock())
                case mutating.Done(conflict) if conflict:
                    conflicts.append(conflict)
                case _:
                    done += 1
        if not waiting and (back or not conflicts):
            now = self._clock()
            waiting += [text for step in steps if (text := await engine_steps.perform(self._kube, step, now))]
        settled = not waiting and (back or not conflicts)
        return Progress(done, len(mutations), settled, tuple(waiting), tuple(conflicts))

    async def truth(self, planned: plans.Plan) -> truths.Truth:
        """The truth of an applied plan, read back: adds Pods and ReplicaSets made from a guilty template.

        Raises Conflict when a mutation is not in force (any more).
        """
        missing = []
        for entry in planned.mutations:
            move = mutating.forward(entry, await self._kube.get(entry.ref))
            if move != mutating.Done():
                missing.append(str(entry.ref))
        if missing:
            raise errors.Conflict(
                f"expected every mutation to be in force, found these that are not: {', '.join(missing)}"
            )
        owned = {ref.entity: await self._owned(ref) for ref in planned.owned_causes}
        return truths.Truth(
            tuple(
                truths.RootCause(cause.entity, (*cause.equivalents, *owned.get(cause.entity, ())))
                for cause in planned.truth.root_causes
            )
        )

    async def _owned(self, ref: ObjectRef) -> tuple[EntityId, ...]:
        deployment = await self._kube.get(ref)
        if deployment is None:
            return ()
        guilty = [
            entry
            for entry in await engine_steps.replica_sets_of(self._kube, deployment)
            if engine_steps.is_current(entry, deployment)
        ]
        pods = engine_steps.owned_by(await engine_steps.pods_of(self._kube, deployment), guilty)
        return tuple(
            sorted(
                EntityId(item["metadata"]["namespace"], item["kind"], item["metadata"]["name"])
                for item in guilty + pods
            )
        )

    async def fingerprint(self, namespace: str) -> drifts.Fingerprint:
        """The application as it is now."""
        return await engine_observe.fingerprint(self._kube, namespace)

    async def drift(
        self, namespace: str, expected: drifts.Fingerprint, touched: Container[str] | None = None
    ) -> tuple[drifts.Difference, ...]:
        """What differs from the fingerprint, as readable lines by `str()`.

        touched: the entities that the run changed. When given, what is outside of the namespace counts only
        if it is one of these: the rest of the cluster is other people's.
        """
        found = drifts.compare(expected, await self.fingerprint(namespace))
        if touched is None:
            return found
        return tuple(one for one in found if one.entity.startswith(f"{namespace}/") or one.entity in touched)
