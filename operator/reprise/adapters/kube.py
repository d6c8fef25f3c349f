"""The Kubernetes API, through the official client's asynchronous half.

One narrow class: objects are plain JSON values, errors are those of `reprise.domain.errors`.
"""

import json
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode
from urllib.request import getproxies

import aiohttp
from kubernetes.aio import client, config

from reprise.domain import errors
from reprise.domain.entities import ObjectRef

Json = dict[str, Any]
REQUEST_TIMEOUT_SECONDS = 20.0


@dataclass(frozen=True)
class Resource:
    """How a kind is addressed: `plural` in the path, whether it has namespaces, its verbs."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool
    verbs: frozenset[str]


@dataclass(frozen=True)
class Response:
    """A raw answer. `body` is read in full."""

    status: int
    content_type: str
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def ref_of(manifest: Mapping[str, Any]) -> ObjectRef:
    """The reference of an object given as JSON."""
    meta = manifest["metadata"]
    return ObjectRef(manifest["apiVersion"], manifest["kind"], meta.get("namespace", ""), meta["name"])


def translate(status: int, body: bytes, what: str) -> errors.RepriseError:
    """The domain error for an answer that is not a success."""
    try:
        message = json.loads(body).get("message", "")
    except (ValueError, AttributeError):
        message = body[:200].decode(errors="replace")
    text = f"{what}: the API server answered {status}: {message}"
    match status:
        case 404:
            return errors.NotFound(text)
        case 409 | 410:
            # 410: what was asked for from there on has expired; ask from the beginning.
            return errors.Conflict(text)
        case 400 | 415 | 422:
            return errors.InvalidInput(text)
        case 408 | 429 | 500 | 502 | 503 | 504:
            return errors.Unreachable(text)
        case _:
            return errors.Refused(text)


class Kube:
    """A connection to one API server. Close it with `close()` or use it as an async context manager."""

    def __init__(self, api: client.ApiClient) -> None:
        self._api = api
        self._resources: dict[str, dict[str, Resource]] = {}

    @classmethod
    async def connect(cls, kubeconfig: str | None = None, context: str | None = None) -> "Kube":
        """Connect in-cluster when there is a ServiceAccount and no kubeconfig is named, else by kubeconfig.

        Raises InvalidInput when neither is usable.
        """
        configuration = client.Configuration()
        try:
            if kubeconfig is None and context is None:
                try:
                    config.load_incluster_config(client_configuration=configuration)
                except config.ConfigException:
                    # NB: the library reads KUBECONFIG when it is imported; ours may set it later.
                    named = os.environ.get("KUBECONFIG") or None
                    await config.load_kube_config(config_file=named, client_configuration=configuration)
            else:
                await config.load_kube_config(
                    config_file=kubeconfig, context=context, client_configuration=configuration
                )
        except (config.ConfigException, OSError, TypeError) as exc:
            raise errors.InvalidInput(
                f"expected a usable kubeconfig, found: {exc}; "
                "set KUBECONFIG or make a cluster with `reprise up`"
            ) from exc
        # Where no proxy is named, aiohttp is not to look for one: it asks two threads before every request.
        configuration.client_session_kwargs = {"trust_env": bool(getproxies())}
        # Every watch holds a connection for as long as it lasts: with the library's limit of 100, ten agents
        # with ten watches each would make all others wait. How much is open is the callers' to bound.
        configuration.connection_pool_maxsize = 0
        return cls(client.ApiClient(configuration))

    async def close(self) -> None:
        await self._api.close()

    async def __aenter__(self) -> "Kube":
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    # -- transport ------------------------------------------------------------------------------

    async def _open(
        self,
        method: str,
        path: str,
        query: Sequence[tuple[str, str]] | Mapping[str, str] = (),
        body: Any = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        timeout_seconds: float = REQUEST_TIMEOUT_SECONDS,
    ) -> aiohttp.ClientResponse:
        url = path + (f"?{urlencode(query)}" if query else "")
        request = await self._api.param_serialize(
            method,
            url,
            header_params={"Accept": accept, "Content-Type": content_type},
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            answer = await self._api.call_api(
                *request, _request_timeout=aiohttp.ClientTimeout(total=timeout_seconds, connect=5)
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            raise errors.Unreachable(f"{method} {path}: the API server did not answer: {exc!r}") from exc
        response: aiohttp.ClientResponse = answer.response
        return response

    async def open(
        self,
        path: str,
        query: Sequence[tuple[str, str]] = (),
        accept: str = "application/json",
        timeout_seconds: float = REQUEST_TIMEOUT_SECONDS,
    ) -> aiohttp.ClientResponse:
        """A GET whose body is not read yet; the caller closes it. Raises Unreachable.

        The answer is asked for uncompressed: packing and unpacking on one machine costs more than it saves.
        """
        request = await self._api.param_serialize(
            "GET",
            path + (f"?{urlencode(query)}" if query else ""),
            header_params={"Accept": accept, "Accept-Encoding": "identity"},
            auth_settings=["BearerToken"],
        )
        timeout = aiohttp.ClientTimeout(total=timeout_seconds, connect=5)
        try:
            answer = await self._api.call_api(*request, _request_timeout=timeout)
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            raise errors.Unreachable(f"GET {path}: the API server did not answer: {exc!r}") from exc
        response: aiohttp.ClientResponse = answer.response
        return response

    async def raw(self, method: str, path: str, **options: Any) -> Response:
        """One request, its whole answer whatever its status. Options are those of a request: query, body,
        content_type, accept, timeout_seconds. Raises Unreachable."""
        response = await self._open(method, path, **options)
        try:
            async with response:
                body = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            raise errors.Unreachable(f"{method} {path}: the answer broke off: {exc!r}") from exc
        return Response(response.status, response.headers.get("Content-Type", ""), body)

    async def request(self, method: str, path: str, **options: Any) -> Json:
        """One request whose answer must be a success with a JSON object."""
        answer = await self.raw(method, path, **options)
        if not 200 <= answer.status < 300:
            raise translate(answer.status, answer.body, f"{method} {path}")
        result: Json = answer.json()
        return result

    # -- discovery ------------------------------------------------------------------------------

    async def resource(self, api_version: str, kind: str) -> Resource:
        """How a kind is addressed. Raises NotFound when the server does not serve it."""
        known = self._resources.get(api_version)
        if known is None or kind not in known:
            base = f"/api/{api_version}" if "/" not in api_version else f"/apis/{api_version}"
            found = await self.request("GET", base)
            known = {
                item["kind"]: Resource(
                    api_version, item["kind"], item["name"], item["namespaced"], frozenset(item["verbs"])
                )
                for item in found.get("resources", ())
                if "/" not in item["name"]
            }
            self._resources[api_version] = known
        if kind not in known:
            raise errors.NotFound(f"expected kind {kind} in {api_version}, the API server does not serve it")
        return known[kind]

    async def path(
        self, api_version: str, kind: str, namespace: str = "", name: str = "", subresource: str = ""
    ) -> str:
        """The URL path of a collection or, with `name`, of an object."""
        resource = await self.resource(api_version, kind)
        base = f"/api/{api_version}" if "/" not in api_version else f"/apis/{api_version}"
        parts = [base]
        if namespace and resource.namespaced:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(resource.plural)
        if name:
            parts.append(quote(name, safe=""))
        if subresource:
            parts.append(subresource)
        return "/".join(parts)

    async def _ref_path(self, ref: ObjectRef, subresource: str = "") -> str:
        return await self.path(ref.api_version, ref.kind, ref.namespace, ref.name, subresource)

    # -- objects --------------------------------------------------------------------------------

    async def get(self, ref: ObjectRef) -> Json | None:
        """The object, or None when it does not exist."""
        try:
            return await self.request("GET", await self._ref_path(ref))
        except errors.NotFound:
            return None

    async def list_objects(
        self,
        api_version: str,
        kind: str,
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
    ) -> list[Json]:
        """All objects of a kind, in one namespace or (empty) in all, each with apiVersion and kind."""
        query = []
        if label_selector:
            query.append(("labelSelector", label_selector))
        if field_selector:
            query.append(("fieldSelector", field_selector))
        answer = await self.request("GET", await self.path(api_version, kind, namespace), query=query)
        return [{"apiVersion": api_version, "kind": kind, **item} for item in answer.get("items", ())]

    async def create(self, manifest: Json) -> Json:
        """Create. Raises Conflict when it exists."""
        ref = ref_of(manifest)
        path = await self.path(ref.api_version, ref.kind, ref.namespace)
        return await self.request("POST", path, body=manifest)

    async def apply(self, manifest: Json, field_manager: str) -> Json:
        """Server-side apply, taking over conflicting fields."""
        return await self.request(
            "PATCH",
            await self._ref_path(ref_of(manifest)),
            query={"fieldManager": field_manager, "force": "true"},
            body=manifest,
            content_type="application/apply-patch+yaml",
        )

    async def patch(self, ref: ObjectRef, patch: Json | list[Json], subresource: str = "") -> Json:
        """Merge patch (an object) or JSON patch (a list). A failed JSON-patch `test` raises InvalidInput."""
        kind = "application/json-patch+json" if isinstance(patch, list) else "application/merge-patch+json"
        return await self.request(
            "PATCH", await self._ref_path(ref, subresource), body=patch, content_type=kind
        )

    async def replace(self, manifest: Json, subresource: str = "") -> Json:
        """PUT. With a resourceVersion in the manifest, raises Conflict when somebody was faster."""
        return await self.request("PUT", await self._ref_path(ref_of(manifest), subresource), body=manifest)

    async def delete(
        self, ref: ObjectRef, *, uid: str | None = None, grace_seconds: int | None = None
    ) -> bool:
        """Delete; False when there was nothing. With `uid`, only that very object (else Conflict)."""
        options: Json = {"propagationPolicy": "Background"}
        if uid:
            options["preconditions"] = {"uid": uid}
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        try:
            await self.request("DELETE", await self._ref_path(ref), body=options)
        except errors.NotFound:
            return False
        return True

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
        """Yield (ADDED|MODIFIED|DELETED|BOOKMARK, object) until the server ends the watch at the timeout.

        Without `resource_version` the watch begins with an ADDED for every object that exists.
        Raises Conflict when the resource version is too old (410): list again.
        """
        query = [("watch", "true"), ("timeoutSeconds", str(timeout_seconds)), ("allowWatchBookmarks", "true")]
        for key, value in (
            ("resourceVersion", resource_version),
            ("labelSelector", label_selector),
            ("fieldSelector", field_selector),
        ):
            if value:
                query.append((key, value))
        path = await self.path(api_version, kind, namespace)
        response = await self._open("GET", path, query=query, timeout_seconds=timeout_seconds + 10)
        async with response:
            if response.status != 200:
                raise translate(response.status, await response.read(), f"watch {path}")
            try:
                async for line in response.content:
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        if event["object"].get("code") == 410:
                            raise errors.Conflict(f"watch {path}: the resource version is too old")
                        raise errors.Unreachable(f"watch {path}: {event['object'].get('message')}")
                    yield event["type"], event["object"]
            except (TimeoutError, aiohttp.ClientError, OSError) as exc:
                raise errors.Unreachable(f"watch {path} broke off: {exc!r}") from exc

    async def logs(self, namespace: str, pod: str, **query: str) -> str:
        """A pod's log as text; query: container, previous, sinceTime, tailLines, timestamps."""
        path = await self.path("v1", "Pod", namespace, pod, "log")
        answer = await self.raw("GET", path, query=query, accept="*/*")
        if answer.status != 200:
            raise translate(answer.status, answer.body, f"logs of {namespace}/{pod}")
        return answer.body.decode(errors="replace")
