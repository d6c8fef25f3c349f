"""The door over HTTPS, with nothing but the standard library."""

import datetime as dt
import http.client
import json
import os
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from reprise.agents.journal import Journal
from reprise.agents.protocol import DoorError, Json

TIMEOUT_SECONDS = 20.0
# A Job's network may need a moment after its pod started; refused connections are tried again that long.
CONNECT_PATIENCE_SECONDS = 30.0
_RETRY_PAUSE_SECONDS = 0.5
_LIMIT_BYTES = 64 << 20


class HttpDoor:
    """A client of one gateway with one token."""

    def __init__(self, url: str, token: str, ca_file: str | None, journal: Journal) -> None:
        if not url.startswith(("https://", "http://")):
            raise ValueError(f"expected an http(s) URL, found {url!r}")
        self._url = url.rstrip("/")
        self._token = token
        self._journal = journal
        # Sent with every request from now on; harnesses put their turn and usage here.
        self.standing_headers: dict[str, str] = {}
        context = ssl.create_default_context(cafile=ca_file) if url.startswith("https://") else None
        # NB: no proxies from the environment: the door is the only way out, and it is direct.
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            *([urllib.request.HTTPSHandler(context=context)] if context else []),
        )

    @classmethod
    def from_environment(cls, journal: Journal) -> "HttpDoor":
        """By GATEWAY_URL, TOKEN_FILE and CA_FILE. Raises ValueError with everything that is missing."""
        missing = [name for name in ("GATEWAY_URL", "TOKEN_FILE") if not os.environ.get(name)]
        if missing:
            raise ValueError(f"expected {' and '.join(missing)} in the environment; see the instructions")
        try:
            token = Path(os.environ["TOKEN_FILE"]).read_text().strip()
            return cls(os.environ["GATEWAY_URL"], token, os.environ.get("CA_FILE") or None, journal)
        except OSError as exc:
            raise ValueError(f"expected readable TOKEN_FILE and CA_FILE, found: {exc}") from exc

    # -- transport ------------------------------------------------------------------------------

    def _send(
        self, method: str, path: str, query: Mapping[str, str] | None = None, body: Any = None
    ) -> bytes:
        target = path + (f"?{urlencode(query)}" if query else "")
        request = urllib.request.Request(  # noqa: S310 - the scheme was checked above
            self._url + target,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self._token}",
                "Accept": "application/json",
                "Content-Type": "application/json",
                **self.standing_headers,
            },
        )
        began = time.monotonic()
        while True:
            try:
                with self._opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
                    data: bytes = answer.read(_LIMIT_BYTES)
                    self._noted(method, target, answer.status, len(data), began)
                    return data
            except urllib.error.HTTPError as exc:
                with exc:
                    text = exc.read(10_000).decode(errors="replace")
                self._noted(method, target, exc.code, len(text), began)
                raise DoorError(exc.code, f"{method} {path}: {exc.code}: {_message(text)}") from exc
            except (OSError, http.client.HTTPException) as exc:
                # A submission that may have arrived is not sent twice.
                refused = isinstance(getattr(exc, "reason", exc), ConnectionRefusedError)
                if (method == "GET" or refused) and time.monotonic() - began < CONNECT_PATIENCE_SECONDS:
                    time.sleep(_RETRY_PAUSE_SECONDS)
                    continue
                self._noted(method, target, 0, 0, began)
                raise DoorError(0, f"{method} {path}: no answer: {exc}") from exc

    def _noted(self, method: str, target: str, status: int, size: int, began: float) -> None:
        milliseconds = round((time.monotonic() - began) * 1000)
        self._journal.note("look", method=method, path=target, status=status, bytes=size, ms=milliseconds)

    def _get(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        try:
            return json.loads(self._send("GET", path, query))
        except ValueError as exc:
            raise DoorError(0, f"GET {path}: expected JSON: {exc}") from exc

    # -- reads ----------------------------------------------------------------------------------

    def attempt(self) -> Json:
        found: Json = self._get("/attempt")
        return found

    def instructions(self) -> str:
        """The task as text, for agents that read."""
        return self._send("GET", "/instructions").decode(errors="replace")

    def list_objects(self, api_version: str, plural: str, namespace: str = "") -> Sequence[Json]:
        base = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        where = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
        found: Sequence[Json] = self._get(f"{base}{where}/{plural}").get("items") or []
        return found

    def logs(self, namespace: str, pod: str, **query: str) -> str:
        path = f"/api/v1/namespaces/{quote(namespace, safe='')}/pods/{quote(pod, safe='')}/log"
        return self._send("GET", path, query).decode(errors="replace")

    def alerts(self) -> Sequence[Json]:
        found = self._get("/alerts")
        if isinstance(found, dict):
            found = found.get("alerts") or found.get("data", {}).get("alerts") or []
        return list(found)

    def query(self, promql: str) -> Sequence[Json]:
        found: Sequence[Json] = self._get("/prometheus/api/v1/query", {"query": promql})["data"]["result"]
        return found

    def trace_services(self) -> Sequence[str]:
        return list(self._get("/jaeger/api/services").get("data") or [])

    def traces(self, service: str, *, limit: int, last_seconds: int) -> Sequence[Json]:
        # NB: no search for the tag error=true: Jaeger's in-memory storage finds nothing by it.
        since = self._now_us() - last_seconds * 1_000_000
        query = {"service": service, "limit": str(limit), "start": str(since)}
        return list(self._get("/jaeger/api/traces", query).get("data") or [])

    def _now_us(self) -> int:
        """The time behind the door: in a replay it is that of the recording, not that of this machine."""
        window = self.attempt().get("window")
        text = window.get("now") if isinstance(window, dict) else None
        try:
            return int(dt.datetime.fromisoformat(str(text)).timestamp() * 1_000_000)
        except ValueError:
            return time.time_ns() // 1000

    # -- the one write --------------------------------------------------------------------------

    def submit(self, entities: Sequence[str]) -> Json:
        return self.submit_document({"entities": [{"name": entity} for entity in entities]})

    def submit_document(self, document: Any) -> Json:
        """Hand in any document that the gateway reads as an answer. Raises DoorError."""
        found: Json = json.loads(self._send("POST", "/submit", body=document))
        return found

    # -- what harnesses do besides ----------------------------------------------------------------

    def call(self, method: str, path: str) -> bytes:
        """Any request, by its path with its query. Raises DoorError."""
        return self._send(method, path)

    def outcome(self, name: str, message: str) -> None:
        """Say how the attempt ended without a submission. Raises DoorError."""
        self._send("POST", "/outcome", body={"outcome": name, "message": message[:1000]})


def _message(text: str) -> str:
    try:
        found = json.loads(text)
    except ValueError:
        return text[:500]
    if isinstance(found, dict):
        return str(found.get("message") or found.get("error") or found.get("problems") or text[:500])
    return text[:500]
