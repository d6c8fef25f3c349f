"""What an agent's container has printed, kept beyond its pod: `records/<attempt uid>.log` on the volume.

For the harness Stirrup that is every message; for a command what it says of itself. Nothing is read from it.
"""

import asyncio
import logging
from pathlib import Path

from reprise.adapters.kube import Json
from reprise.domain import errors
from reprise.domain.attempt import Attempt
from reprise.handlers.runtime import AGENTS_NAMESPACE, ATTEMPT_LABEL, Runtime

logger = logging.getLogger(__name__)
FOLDER = "records"
CONTAINER = "agent"
# The kubelet keeps less of a log unless it was told otherwise (containerLogMaxSize: 10Mi).
LIMIT_BYTES = 32 << 20


async def keep(runtime: Runtime, judged: Attempt) -> None:
    """Store what is there now, again if need be. A record that cannot be had holds up no verdict."""
    path = runtime.settings.data / FOLDER / f"{judged.uid}.log"
    try:
        text = await _printed(runtime, judged.uid)
        if text:
            await asyncio.to_thread(_write, path, text)
    except (errors.RepriseError, OSError) as exc:
        logger.warning("%s: its record cannot be kept: %s", judged.name, exc)


async def _printed(runtime: Runtime, attempt_uid: str) -> str:
    """Empty without a pod, or before its container has begun."""
    pods = await runtime.kube.list_objects(
        "v1", "Pod", AGENTS_NAMESPACE, label_selector=f"{ATTEMPT_LABEL}={attempt_uid}"
    )
    begun = [pod["metadata"]["name"] for pod in pods if _begun(pod)]
    if not begun:
        return ""
    return await runtime.kube.logs(
        AGENTS_NAMESPACE, begun[-1], container=CONTAINER, limitBytes=str(LIMIT_BYTES)
    )


def _begun(pod: Json) -> bool:
    states = (pod.get("status") or {}).get("containerStatuses") or ()
    return any(item["name"] == CONTAINER and "waiting" not in (item.get("state") or {}) for item in states)


def _write(path: Path, text: str) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".partial")
    unfinished.write_text(text, "utf-8")
    unfinished.replace(path)
