"""A Kubernetes Event on the run at every phase change: no message, for that could be the answer."""

import hashlib
import logging

from reprise.adapters.kube import Json, Kube
from reprise.adapters.wire import benchmark_run, model
from reprise.domain import errors
from reprise.domain.run import Run
from reprise.domain.run_status import Phase

logger = logging.getLogger(__name__)
COMPONENT = "reprise-operator"


class Events:
    """A `runtime.Listener`. An Event's name comes from what it says: twice said is once said."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube

    async def phase_changed(self, before: Run, after: Run) -> None:
        try:
            await self._kube.create(event(before, after))
        except errors.Conflict:
            return  # said before a crash
        except errors.RepriseError as exc:
            logger.warning("%s: cannot post an Event: %s", after.ref, exc)


def event(before: Run, after: Run) -> Json:
    """The Event of a phase change."""
    status = after.status
    at = model.format_time(status.phase_started_at or after.created_at)
    key = hashlib.sha256(f"{after.ref.uid} {status.phase} {at}".encode()).hexdigest()[:16]
    text = f"{before.status.phase} is over" if status.phase is not Phase.PENDING else "accepted"
    if status.reason:
        text += f": {status.reason}"
    elif status.ending is not None:
        text += f": {status.ending.reason}"
    seconds = at[:19] + "Z"  # core/v1 Events have whole seconds
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{after.ref.name}.{key}", "namespace": after.ref.namespace},
        "involvedObject": {
            "apiVersion": model.API_VERSION,
            "kind": benchmark_run.KIND,
            "namespace": after.ref.namespace,
            "name": after.ref.name,
            "uid": after.ref.uid,
        },
        "type": "Warning" if status.phase in (Phase.INVALID, Phase.FAILED) else "Normal",
        "reason": str(status.phase),
        "message": text,
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "firstTimestamp": seconds,
        "lastTimestamp": seconds,
        "count": 1,
    }
