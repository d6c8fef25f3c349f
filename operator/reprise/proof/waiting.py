"""Waiting until an object is gone."""

import asyncio

from reprise.adapters.kube import Kube
from reprise.domain import errors
from reprise.domain.entities import ObjectRef

# NB: a watch does not tell of what was deleted just before it began, so none of them is waited for for long.
_WATCH_SECONDS = 5


async def gone(kube: Kube, ref: ObjectRef, seconds: int) -> None:
    """Return when the object that has this name now is there no more. Raises Conflict after `seconds`."""
    deadline = asyncio.get_running_loop().time() + seconds
    first = found = await kube.get(ref)
    while first and found and found["metadata"]["uid"] == first["metadata"]["uid"]:
        if asyncio.get_running_loop().time() >= deadline:
            raise errors.Conflict(
                f"expected {ref} to go within {seconds} s, it is still there; see its status and finalizers"
            )
        async for kind, _ in kube.watch(
            ref.api_version,
            ref.kind,
            ref.namespace,
            field_selector=f"metadata.name={ref.name}",
            timeout_seconds=_WATCH_SECONDS,
        ):
            if kind == "DELETED":
                break
        found = await kube.get(ref)
