"""An API server in memory, under the real `Kube`: everything above the transport is the product's own code.

It keeps objects with uid, resourceVersion, generation, creationTimestamp and managedFields; answers get, list
with label and field selectors, create, replace, JSON and merge patch, apply, delete with preconditions, the
status subresource, dry runs and watches. No controllers, no admission: tests put what those would do.
"""

import asyncio
import copy
import itertools
import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from reprise.adapters.kube import Json, Kube, Resource, Response

_ALL = frozenset({"create", "delete", "get", "list", "patch", "update", "watch"})
_KINDS = {
    "v1": "ConfigMap Endpoints Event LimitRange Namespace! Node! PersistentVolume! PersistentVolumeClaim Pod "
    "ResourceQuota Secret Service ServiceAccount",
    "apps/v1": "DaemonSet Deployment ReplicaSet StatefulSet",
    "autoscaling/v2": "HorizontalPodAutoscaler",
    "batch/v1": "CronJob Job",
    "coordination.k8s.io/v1": "Lease",
    "networking.k8s.io/v1": "Ingress NetworkPolicy",
    "policy/v1": "PodDisruptionBudget",
    "admissionregistration.k8s.io/v1": "ValidatingAdmissionPolicy! ValidatingAdmissionPolicyBinding!",
    "rbac.authorization.k8s.io/v1": "ClusterRole! ClusterRoleBinding! Role RoleBinding",
    "scheduling.k8s.io/v1": "PriorityClass!",
    "chaos-mesh.org/v1alpha1": "NetworkChaos PodChaos Schedule",
    "reprise.dev/v1alpha1": "AgentAttempt BenchmarkRun",
}


def _plural(kind: str) -> str:
    word = kind.lower()
    if word.endswith("s"):
        return word if word == "endpoints" else word + "es"
    return word[:-1] + "ies" if word.endswith("y") else word + "s"


class FakeKube(Kube):
    """`FakeKube(objects...)`; look at `requests` for the writes that were made, as (method, path).

    `before` is called with (method, path) before each request is carried out; what it raises is raised there,
    and what it changes through `store` happens "in between".
    """

    def __init__(self, *manifests: Json) -> None:
        self._resources = {
            api_version: {
                kind.rstrip("!"): Resource(
                    api_version, kind.rstrip("!"), _plural(kind.rstrip("!")), not kind.endswith("!"), _ALL
                )
                for kind in kinds.split()
            }
            for api_version, kinds in _KINDS.items()
        }
        self._objects: dict[str, Json] = {}
        self._versions = itertools.count(1)
        self._history: list[tuple[int, str, Json]] = []
        self._changed = asyncio.Event()
        self._now = datetime(2026, 1, 1, tzinfo=UTC)
        self.requests: list[tuple[str, str]] = []
        self.before: Any = lambda method, path: None
        for manifest in manifests:
            self.store(manifest)

    async def close(self) -> None:
        return

    # -- what tests do behind the product's back ---------------------------------------------------

    def advance(self, seconds: float = 1) -> None:
        """Let time pass: timestamps are whole seconds, as on a real server."""
        self._now += timedelta(seconds=seconds)

    def now(self) -> datetime:
        """The time on the server's own clock."""
        return self._now

    def store(self, manifest: Json) -> Json:
        """Make or replace an object whole, its status included."""
        resource = self._resources[manifest["apiVersion"]][manifest["kind"]]
        meta = manifest["metadata"]
        path = self._object_path(resource, meta.get("namespace", ""), meta["name"])
        return self._put(path, manifest, self._objects.get(path), "tests", status=True)

    def drop(self, api_version: str, kind: str, namespace: str, name: str) -> None:
        """Remove an object as if somebody had deleted it."""
        path = self._object_path(self._resources[api_version][kind], namespace, name)
        self._record("DELETED", self._objects.pop(path))

    def objects(self) -> dict[str, Json]:
        """Everything that there is, by path."""
        return copy.deepcopy(self._objects)

    def writes(self) -> list[tuple[str, str]]:
        return [(method, path) for method, path in self.requests if method != "GET"]

    # -- the transport -----------------------------------------------------------------------------

    async def raw(self, method: str, path: str, **options: Any) -> Response:
        query = dict(options.get("query", ()))
        self.requests.append((method, path))
        self.before(method, path)
        body = options.get("body")
        status, answer = self._answer(method, path, query, body, options.get("content_type", ""))
        return Response(status, "application/json", json.dumps(answer).encode())

    async def watch(
        self,
        api_version: str,
        kind: str,
        namespace: str = "",
        *,
        resource_version: str = "",
        label_selector: str = "",
        field_selector: str = "",
        timeout_seconds: int = 60,
    ) -> AsyncIterator[tuple[str, Json]]:
        resource = await self.resource(api_version, kind)
        base = self._collection_path(resource, namespace)
        query = {"labelSelector": label_selector, "fieldSelector": field_selector}
        seen = int(resource_version or 0)
        if not resource_version:
            for item in self._listed(base, resource, query):
                yield "ADDED", item
            seen = self._history[-1][0] if self._history else 0
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        while True:
            for version, event, item in list(self._history):
                if version > seen and self._within(item, base, resource) and _selected(item, query):
                    seen = version
                    yield event, copy.deepcopy(item)
            self._changed.clear()
            try:
                async with asyncio.timeout_at(deadline):
                    await self._changed.wait()
            except TimeoutError:
                return

    # -- the server --------------------------------------------------------------------------------

    def _answer(
        self, method: str, path: str, query: Mapping[str, str], body: Any, content_type: str
    ) -> tuple[int, Json]:
        for resources in self._resources.values():
            for resource in resources.values():
                if path.rstrip("/").endswith("/" + resource.plural) and self._is_collection(path, resource):
                    if method == "GET":
                        items = self._listed(path, resource, query)
                        version = str(self._history[-1][0] if self._history else 0)
                        return 200, {"items": items, "metadata": {"resourceVersion": version}}
                    return self._create(path, query, body)
        status = path.endswith("/status")
        path = path.removesuffix("/status")
        found = self._objects.get(path)
        if method == "PATCH" and content_type.startswith("application/apply-patch"):
            merged = _merge(found or {}, body)
            return 200 if found else 201, self._put(path, merged, found, query["fieldManager"])
        if found is None:
            return 404, _failure(404, "NotFound", f'"{path}" not found')
        match method:
            case "GET":
                return 200, copy.deepcopy(found)
            case "PUT":
                return self._replace(path, query, body, found, status)
            case "PATCH":
                try:
                    changed = _json_patch(found, body) if isinstance(body, list) else _merge(found, body)
                except (AssertionError, KeyError, IndexError) as exc:
                    return 422, _failure(422, "Invalid", f"the patch does not apply: {exc}")
                return self._replace(path, query, changed, found, status)
            case "DELETE":
                uid = ((body or {}).get("preconditions") or {}).get("uid")
                if uid and uid != found["metadata"]["uid"]:
                    return 409, _failure(
                        409, "Conflict", f"the UID in the precondition ({uid}) does not match"
                    )
                self._record("DELETED", self._objects.pop(path))
                return 200, {"kind": "Status", "status": "Success"}
            case _:
                return 405, _failure(405, "MethodNotAllowed", method)

    def _create(self, path: str, query: Mapping[str, str], body: Json) -> tuple[int, Json]:
        where = f"{path}/{body['metadata']['name']}"
        if where in self._objects:
            return 409, _failure(409, "AlreadyExists", f'"{where}" already exists')
        if "dryRun" in query:
            return 201, self._completed(body, None, query.get("fieldManager", "unknown"), status=False)
        return 201, self._put(where, body, None, query.get("fieldManager", "unknown"))

    def _replace(
        self, path: str, query: Mapping[str, str], body: Json, found: Json, status: bool
    ) -> tuple[int, Json]:
        version = body["metadata"].get("resourceVersion")
        if version and version != found["metadata"]["resourceVersion"]:
            return 409, _failure(409, "Conflict", "the object has been modified; apply your changes again")
        if status:
            body = {**found, "status": body.get("status", {})}
        else:
            body = {**body, **({"status": found["status"]} if "status" in found else {})}
        manager = query.get("fieldManager", "unknown")
        if "dryRun" in query:
            return 200, self._completed(body, found, manager, status)
        return 200, self._put(path, body, found, manager, status)

    def _put(self, path: str, body: Json, found: Json | None, manager: str, status: bool = False) -> Json:
        made = self._completed(body, found, manager, status)
        if found is not None and _comparable(made) == _comparable(found):
            return copy.deepcopy(found)
        made["metadata"]["resourceVersion"] = str(next(self._versions))
        self._objects[path] = made
        self._record("MODIFIED" if found else "ADDED", made)
        return copy.deepcopy(made)

    def _completed(self, body: Json, found: Json | None, manager: str, status: bool) -> Json:
        made = copy.deepcopy(body)
        meta = made["metadata"]
        old = found["metadata"] if found else {}
        now = f"{self._now:%Y-%m-%dT%H:%M:%SZ}"
        meta["uid"] = old.get("uid") or meta.get("uid") or f"uid-{next(self._versions)}"
        meta["creationTimestamp"] = old.get("creationTimestamp") or meta.get("creationTimestamp") or now
        meta["resourceVersion"] = old.get("resourceVersion", "0")
        grown = found is not None and made.get("spec") != found.get("spec")
        meta["generation"] = old.get("generation", meta.get("generation", 1)) + grown
        if found is None or (_comparable(made) != _comparable(found) and not status):
            others = [e for e in old.get("managedFields", ()) if e["manager"] != manager]
            meta["managedFields"] = [*others, {"manager": manager, "operation": "Update", "time": now}]
        return made

    def _record(self, event: str, item: Json) -> None:
        version = next(self._versions)
        if event != "DELETED":
            version = int(item["metadata"]["resourceVersion"])
        self._history.append((version, event, copy.deepcopy(item)))
        self._changed.set()

    def _listed(self, path: str, resource: Resource, query: Mapping[str, str]) -> list[Json]:
        return [
            copy.deepcopy(item)
            for key, item in sorted(self._objects.items())
            if self._within(item, path, resource) and _selected(item, query)
        ]

    def _within(self, item: Json, path: str, resource: Resource) -> bool:
        if item["apiVersion"] != resource.api_version or item["kind"] != resource.kind:
            return False
        namespace = item["metadata"].get("namespace", "")
        everywhere = self._collection_path(resource, "")
        return path in (everywhere, self._collection_path(resource, namespace))

    def _is_collection(self, path: str, resource: Resource) -> bool:
        everywhere = self._collection_path(resource, "")
        if path == everywhere:
            return True
        base = everywhere.removesuffix("/" + resource.plural)
        parts = path.removeprefix(base + "/").split("/")
        return path.startswith(base + "/namespaces/") and len(parts) == 3 and parts[2] == resource.plural

    @staticmethod
    def _collection_path(resource: Resource, namespace: str) -> str:
        base = "/api/v1" if resource.api_version == "v1" else f"/apis/{resource.api_version}"
        inside = f"/namespaces/{namespace}" if namespace and resource.namespaced else ""
        return f"{base}{inside}/{resource.plural}"

    def _object_path(self, resource: Resource, namespace: str, name: str) -> str:
        return f"{self._collection_path(resource, namespace)}/{name}"


def _failure(code: int, reason: str, message: str) -> Json:
    return {"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message}


def _comparable(item: Json) -> Json:
    volatile = ("resourceVersion", "generation", "managedFields")
    return {**item, "metadata": {k: v for k, v in item["metadata"].items() if k not in volatile}}


def _selected(item: Json, query: Mapping[str, str]) -> bool:
    labels = item["metadata"].get("labels") or {}
    for term in filter(None, query.get("labelSelector", "").split(",")):
        key, _, value = term.replace("==", "=").partition("=")
        if (labels.get(key) != value) if "=" in term else (key not in labels):
            return False
    for term in filter(None, query.get("fieldSelector", "").split(",")):
        path, _, value = term.partition("=")
        found: Any = item
        for part in path.split("."):
            found = found.get(part, "") if isinstance(found, dict) else ""
        if str(found) != value:
            return False
    return True


def _merge(target: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    out = copy.deepcopy(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
        else:
            out[key] = _merge(out.get(key), value)
    return out


def _json_patch(target: Json, patch: list[Json]) -> Json:
    """RFC 6902 without move and copy."""
    out = copy.deepcopy(target)
    for operation in patch:
        *parents, last = [
            part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]
        ]
        place: Any = out
        for part in parents:
            place = place[int(part)] if isinstance(place, list) else place[part]
        key: Any = int(last) if isinstance(place, list) and last != "-" else last
        match operation["op"]:
            case "test":
                assert place[key] == operation["value"], f"test of {operation['path']} failed"
            case "remove":
                del place[key]
            case "add" if isinstance(place, list):
                place.insert(len(place) if key == "-" else key, operation["value"])
            case "replace" if isinstance(place, dict) and key not in place:
                raise KeyError(operation["path"])
            case "add" | "replace":
                place[key] = operation["value"]
    return out
