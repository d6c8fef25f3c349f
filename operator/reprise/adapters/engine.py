"""Plan, apply, read back, take back, compare: everything that is done to the application goes through here.

Every method may be called again at any time, by another process too: what has been done is read from the
cluster.
"""

from dataclasses import dataclass

from reprise.adapters.kube import Kube
from reprise.domain import drift as drifts
from reprise.domain import plan as plans
from reprise.domain import scenario as scenarios
from reprise.domain import truth as truths


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

    def __init__(self, kube: Kube) -> None:
        self._kube = kube

    async def plan(self, wanted: scenarios.Scenario, namespace: str, seed: int) -> plans.Plan:
        """Work out what the scenario does to this very cluster. Changes nothing.

        Raises InvalidInput (every problem), NotFound (a target is missing), Unsupported (a requirement is).
        """
        raise NotImplementedError

    async def apply(self, planned: plans.Plan) -> Progress:
        """Bring the plan about as far as possible now. Call until `settled`; then read `truth`."""
        raise NotImplementedError

    async def revert(self, planned: plans.Plan) -> Progress:
        """Take the plan back as far as possible now. Call until `settled`.

        Fields that somebody else changed meanwhile are left alone and reported as conflicts; they do not hold
        up `settled`.
        """
        raise NotImplementedError

    async def truth(self, planned: plans.Plan) -> truths.Truth:
        """The truth of an applied plan, read back: adds Pods and ReplicaSets made from a guilty template.

        Raises Conflict when a mutation is not in force (any more).
        """
        raise NotImplementedError

    async def fingerprint(self, namespace: str) -> drifts.Fingerprint:
        """The application as it is now."""
        raise NotImplementedError

    async def drift(self, namespace: str, expected: drifts.Fingerprint) -> tuple[drifts.Difference, ...]:
        """What differs from the fingerprint, as readable lines by `str()`."""
        raise NotImplementedError
