"""A Kubernetes API client as small as the agent needs: kubeconfig, list, watch, apply. Raises `ApiError`."""

from __future__ import annotations

import base64
import http.client
import json
import re
import ssl
import tempfile
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONNECT_TIMEOUT_SECONDS = 10
# The server ends a watch by then; a connection that is silent for longer is dead.
WATCH_SECONDS = 240

_KEYS = (
    "server",
    "certificate-authority",
    "certificate-authority-data",
    "client-certificate",
    "client-certificate-data",
    "client-key",
    "client-key-data",
    "token",
    "tokenFile",
)


class ApiError(Exception):
    """The API server did not answer, or not as hoped. `status` is the HTTP status, 0 without an answer."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Kubeconfig:
    """The values of a kubeconfig with one cluster and one user, by their own keys."""

    values: dict[str, str]

    @property
    def server(self) -> str:
        """URL of the API server."""
        return self.values["server"]


def read_kubeconfig(path: Path) -> Kubeconfig:
    """Read a kubeconfig as kubeadm and client-go write it: one cluster, one user, a key and a value a line.

    There is no YAML parser in the standard library. A file with several servers is refused rather than
    guessed at. Raises `ApiError`.
    """
    try:
        text = path.read_text()
    except OSError as error:
        raise ApiError(f"cannot read the kubeconfig: {error}") from error
    values: dict[str, str] = {}
    for key in _KEYS:
        found = re.findall(rf"^[\s-]*{key}:[ \t]*(\S+)[ \t]*$", text, re.MULTILINE)
        if len(found) > 1:
            raise ApiError(
                f"expected one {key} in {path}, found {len(found)}; use a kubeconfig for one cluster"
            )
        if found:
            values[key] = found[0].strip("\"'")
    if "server" not in values:
        raise ApiError(f"expected a line `server: URL` in {path}, found none")
    return Kubeconfig(values)


class Client:
    """Speaks to one API server. Every call has a connection of its own, so threads may share a client.

    The kubeconfig is read anew for each connection: kubelets rotate their certificates.
    """

    def __init__(self, kubeconfig: Path) -> None:
        self._kubeconfig = kubeconfig

    def list(self, path: str) -> tuple[list[dict[str, Any]], str]:
        """Return the objects of a collection and its resourceVersion."""
        with _Closing(self._open()) as connection:
            body = json.loads(self._send(connection, "GET", path).read())
        return body.get("items") or [], body["metadata"]["resourceVersion"]

    def watch(self, path: str, resource_version: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield (type, object) from `resource_version` on, until the server ends the watch.

        An expired version is an `ApiError` with status 410, whichever way the server says it.
        """
        query = urllib.parse.urlencode(
            {
                "watch": "1",
                "resourceVersion": resource_version,
                "allowWatchBookmarks": "true",
                "timeoutSeconds": str(WATCH_SECONDS),
            }
        )
        with _Closing(self._open(WATCH_SECONDS + 30)) as connection:
            response = self._send(connection, "GET", f"{path}?{query}")
            while line := _readline(response):
                event = json.loads(line)
                if event["type"] == "ERROR":
                    status = event["object"]
                    raise ApiError(f"watch of {path}: {status.get('message')}", int(status.get("code") or 0))
                yield event["type"], event["object"]

    def apply(self, path: str, obj: dict[str, Any], manager: str) -> None:
        """Server-side apply `obj` at `path`."""
        query = urllib.parse.urlencode({"fieldManager": manager, "force": "true"})
        with _Closing(self._open()) as connection:
            self._send(connection, "PATCH", f"{path}?{query}", json.dumps(obj)).read()

    def _open(self, read_timeout: float = CONNECT_TIMEOUT_SECONDS) -> http.client.HTTPConnection:
        config = read_kubeconfig(self._kubeconfig)
        url = urllib.parse.urlsplit(config.server)
        host = url.hostname or ""
        try:
            if url.scheme == "http":
                connection = http.client.HTTPConnection(host, url.port, timeout=CONNECT_TIMEOUT_SECONDS)
            else:
                connection = http.client.HTTPSConnection(
                    host, url.port, timeout=CONNECT_TIMEOUT_SECONDS, context=_tls(config.values)
                )
            connection.connect()
        except (OSError, ValueError) as error:
            raise ApiError(f"cannot connect to {config.server}: {error}") from error
        connection.sock.settimeout(read_timeout)
        return connection

    def _send(
        self, connection: http.client.HTTPConnection, method: str, path: str, body: str | None = None
    ) -> http.client.HTTPResponse:
        headers = {"Accept": "application/json", "User-Agent": "netagent"}
        if body is not None:
            headers["Content-Type"] = "application/apply-patch+yaml"  # JSON is YAML
        if token := _token(read_kubeconfig(self._kubeconfig).values):
            headers["Authorization"] = f"Bearer {token}"
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            if response.status >= 400:
                raise ApiError(f"{method} {path}: {response.status} {_message(response)}", response.status)
        except (OSError, http.client.HTTPException) as error:
            raise ApiError(f"{method} {path}: {error}") from error
        return response


class _Closing:
    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self._connection = connection

    def __enter__(self) -> http.client.HTTPConnection:
        return self._connection

    def __exit__(self, *_: object) -> None:
        self._connection.close()


def _message(response: http.client.HTTPResponse) -> str:
    text = response.read().decode(errors="replace").strip()
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text


def _readline(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.readline()
    except (OSError, http.client.HTTPException) as error:
        raise ApiError(f"watch broke off: {error}") from error


def _token(values: dict[str, str]) -> str:
    if "tokenFile" in values:
        return Path(values["tokenFile"]).read_text().strip()
    return values.get("token", "")


def _tls(values: dict[str, str]) -> ssl.SSLContext:
    data = values.get("certificate-authority-data")
    context = ssl.create_default_context(
        cafile=values.get("certificate-authority"), cadata=base64.b64decode(data).decode() if data else None
    )
    if "client-certificate" in values:
        context.load_cert_chain(values["client-certificate"], values.get("client-key"))
    elif "client-certificate-data" in values:
        # The ssl module loads certificates from files only.
        with tempfile.NamedTemporaryFile("wb") as file:
            file.write(base64.b64decode(values["client-certificate-data"]) + b"\n")
            file.write(base64.b64decode(values["client-key-data"]))
            file.flush()
            context.load_cert_chain(file.name)
    return context
