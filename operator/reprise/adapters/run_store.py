"""What a run must remember and nobody may see: plan, baseline and truth, in one Secret a run."""

import base64
import gzip
import json
from typing import Any

from reprise.adapters.kube import Kube
from reprise.domain import drift, errors, plan, truth
from reprise.domain.entities import ObjectRef

RUN_LABEL = "reprise.dev/run"
# A Secret holds at most 1 MiB; what is over this is refused here, where the message can say why.
LIMIT_BYTES = 900 * 1024
_TRIES = 5


class RunStore:
    """Keys `plan`, `baseline` and `truth` (gzip'd JSON) of the Secret `run-<uid>`."""

    def __init__(self, kube: Kube, namespace: str = "reprise-system") -> None:
        self._kube = kube
        self._namespace = namespace

    def _ref(self, run_uid: str) -> ObjectRef:
        return ObjectRef("v1", "Secret", self._namespace, f"run-{run_uid}")

    async def save_plan(self, run_uid: str, value: plan.Plan) -> None:
        """Store the plan. Raises InvalidInput when another plan is stored: a run has one injection."""
        await self._save(run_uid, "plan", plan.to_json(value), replace=False)

    async def load_plan(self, run_uid: str) -> plan.Plan | None:
        """The stored plan, or None. Raises Corrupt."""
        data = await self._load(run_uid, "plan")
        return None if data is None else plan.from_json(data)

    async def save_baseline(self, run_uid: str, value: drift.Fingerprint) -> None:
        """Store what the application looked like before; a later one replaces it."""
        await self._save(run_uid, "baseline", drift.to_json(value))

    async def load_baseline(self, run_uid: str) -> drift.Fingerprint | None:
        """The stored fingerprint, or None. Raises Corrupt."""
        data = await self._load(run_uid, "baseline")
        return None if data is None else drift.from_json(data)

    async def save_truth(self, run_uid: str, value: truth.Truth) -> None:
        """Store the truth as read back; a later one replaces it."""
        await self._save(run_uid, "truth", truth.to_json(value))

    async def load_truth(self, run_uid: str) -> truth.Truth | None:
        """The stored truth, or None. Raises Corrupt."""
        data = await self._load(run_uid, "truth")
        if data is None:
            return None
        try:
            return truth.from_json(data)
        except errors.InvalidInput as exc:
            raise errors.Corrupt(f"{self._ref(run_uid)}: the stored truth cannot be read: {exc}") from exc

    async def delete(self, run_uid: str) -> None:
        """Forget the run. Deleting twice is fine."""
        await self._kube.delete(self._ref(run_uid))

    async def _load(self, run_uid: str, key: str) -> Any:
        secret = await self._kube.get(self._ref(run_uid))
        if secret is None or key not in (secret.get("data") or {}):
            return None
        try:
            return json.loads(gzip.decompress(base64.b64decode(secret["data"][key])))
        except (ValueError, OSError, EOFError) as exc:
            raise errors.Corrupt(f"{self._ref(run_uid)}: key {key!r} cannot be read: {exc!r}") from exc

    async def _save(self, run_uid: str, key: str, value: Any, replace: bool = True) -> None:
        # mtime=0: the same value always gives the same bytes, so that an equal write changes nothing.
        packed = gzip.compress(json.dumps(value, sort_keys=True, separators=(",", ":")).encode(), mtime=0)
        encoded = base64.b64encode(packed).decode()
        for _ in range(_TRIES):
            secret = await self._kube.get(self._ref(run_uid))
            try:
                if secret is None:
                    await self._kube.create(self._manifest(run_uid, {key: encoded}))
                    return
                data: dict[str, str] = dict(secret.get("data") or {})
                if data.get(key) == encoded:
                    return
                if key in data and not replace:
                    raise errors.InvalidInput(
                        f"expected no {key} stored for run {run_uid}, found another one; a run is injected "
                        "once: load the stored one"
                    )
                data[key] = encoded
                self._check_size(run_uid, data)
                await self._kube.replace({**secret, "data": data})
                return
            except errors.Conflict:
                continue  # somebody wrote between our read and our write: read again
        raise errors.Conflict(f"{self._ref(run_uid)}: somebody else writes it all the time; try again")

    def _manifest(self, run_uid: str, data: dict[str, str]) -> dict[str, Any]:
        self._check_size(run_uid, data)
        ref = self._ref(run_uid)
        return {
            "apiVersion": ref.api_version,
            "kind": ref.kind,
            "metadata": {"namespace": ref.namespace, "name": ref.name, "labels": {RUN_LABEL: run_uid}},
            "type": "Opaque",
            "data": data,
        }

    def _check_size(self, run_uid: str, data: dict[str, str]) -> None:
        size = sum(len(value) for value in data.values())
        if size > LIMIT_BYTES:
            raise errors.Unsupported(
                f"run {run_uid}: expected at most {LIMIT_BYTES} bytes of plan and baseline, found {size}; "
                "the application has too many objects for one Secret"
            )
