"""The status of one attempt in the API server, written by us alone and never twice."""

import logging
from collections.abc import Mapping
from typing import Any

from reprise.domain import errors
from reprise.domain.budget import Phase
from reprise.gateway.attempt import Attempt
from reprise.gateway.upstream import Source

log = logging.getLogger(__name__)


class StatusStore:
    """`stored` is the status as the API server last gave it.

    A write whose answer did not come may have been done or not. The next use then reads the object first:
    otherwise a submission that was stored after all could be overwritten by a second one.
    """

    def __init__(self, kube: Source, attempt: Attempt) -> None:
        self._kube = kube
        self._url = attempt.url
        self._uid = attempt.uid
        self._is_certain = True
        self.stored: Mapping[str, Any] = dict(attempt.status)

    async def settle(self) -> None:
        """Find out what is stored when that is not certain. Raises NotFound when the attempt is gone."""
        if self._is_certain:
            return
        found = await self._kube.request("GET", self._url)
        if found["metadata"]["uid"] != self._uid:
            raise errors.NotFound(f"expected the attempt {self._uid}, found another one of its name")
        self.stored = found.get("status") or {}
        self._is_certain = True

    async def write(self, fields: Mapping[str, Any]) -> None:
        """Store what differs from what is stored. Raises what `Kube.request` raises."""
        await self.settle()
        changed = {key: value for key, value in fields.items() if self.stored.get(key) != value}
        if changed:
            await self._patch({"uid": self._uid}, changed)

    async def mark_pending(self, resource_version: int) -> None:
        """Say that the attempt is known, unless anything at all has happened to it meanwhile."""
        await self.settle()
        if self.stored.get("phase"):
            return
        version = {"uid": self._uid, "resourceVersion": str(resource_version)}
        try:
            await self._patch(version, {"phase": str(Phase.PENDING)})
        except errors.Conflict:
            log.info("attempt %s was changed before it was marked as pending", self._uid)

    async def _patch(self, metadata: Mapping[str, str], status: Mapping[str, Any]) -> None:
        # NB: stays uncertain when this is cancelled, as well as when no answer comes.
        self._is_certain = False
        try:
            answer = await self._kube.request(
                "PATCH",
                f"{self._url}/status",
                body={"metadata": metadata, "status": status},
                content_type="application/merge-patch+json",
            )
        except (errors.InvalidInput, errors.Conflict, errors.NotFound, errors.Refused):
            self._is_certain = True
            raise
        self._is_certain = True
        self.stored = answer.get("status") or {}
