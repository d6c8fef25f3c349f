"""List, watch and kubeconfig against an HTTP server that plays the API server's part."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
from netagent import api, informer, wire


def namespace(name: str, version: str, **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "resourceVersion": version, "labels": labels}}


class Handler(http.server.BaseHTTPRequestHandler):
    listing: ClassVar[list[dict[str, Any]]] = []
    events: ClassVar[list[dict[str, Any]]] = []
    seen: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        type(self).seen.append(query["resourceVersion"][0] if "watch" in query else "list")
        self.send_response(200)
        self.end_headers()
        if "watch" in query:
            for event in self.events:
                self.wfile.write(json.dumps(event).encode() + b"\n")
        else:
            body = {"metadata": {"resourceVersion": "10"}, "items": self.listing}
            self.wfile.write(json.dumps(body).encode())

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def client(tmp_path: Path) -> Iterator[api.Client]:
    Handler.listing, Handler.events, Handler.seen = [], [], []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    config = tmp_path / "kubelet.conf"
    config.write_text(
        "apiVersion: v1\nclusters:\n- cluster:\n"
        f"    server: http://127.0.0.1:{server.server_port}\n  name: c\nusers:\n"
        "- name: u\n  user:\n    token: t\n"
    )
    yield api.Client(config)
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def changed() -> threading.Event:
    return threading.Event()


@pytest.fixture
def watcher(client: api.Client, changed: threading.Event) -> informer.Informer[Any]:
    return informer.Informer(client, "/api/v1/namespaces", wire.namespace, changed, lambda: None)


def test_events_change_the_copy_and_the_next_watch_goes_on_from_there(
    watcher: informer.Informer[Any], changed: threading.Event
) -> None:
    Handler.listing = [namespace("one", "1", a="1"), namespace("two", "2")]
    Handler.events = [
        {"type": "ADDED", "object": namespace("three", "11")},
        {"type": "MODIFIED", "object": namespace("one", "12", a="2")},
        {"type": "DELETED", "object": namespace("two", "13")},
        {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "20"}}},
    ]

    watcher.step()

    assert watcher.items() == {"/one": {"a": "2"}, "/three": {}}
    assert watcher.synced
    assert changed.is_set()
    watcher.step()
    assert Handler.seen == ["list", "10", "20"]


def test_updates_that_change_nothing_parsed_wake_nobody(
    watcher: informer.Informer[Any], changed: threading.Event
) -> None:
    Handler.listing = [namespace("one", "1", a="1")]
    watcher.step()
    changed.clear()
    Handler.events = [{"type": "MODIFIED", "object": namespace("one", "30", a="1")}]

    watcher.step()

    assert not changed.is_set()


def test_an_expired_version_leads_to_a_list_that_forgets_what_is_gone(
    watcher: informer.Informer[Any],
) -> None:
    Handler.listing = [namespace("one", "1"), namespace("two", "2")]
    watcher.step()
    Handler.listing = [namespace("two", "2")]
    Handler.events = [{"type": "ERROR", "object": {"code": 410, "message": "too old"}}]

    watcher.step()
    Handler.events = []
    watcher.step()

    assert Handler.seen == ["list", "10", "10", "list", "10"]
    assert watcher.items() == {"/two": {}}


def test_an_object_that_cannot_be_understood_costs_only_itself(
    client: api.Client, changed: threading.Event
) -> None:
    broken = {
        "metadata": {"name": "p", "namespace": "x"},
        "spec": {"podSelector": {"matchExpressions": [{}]}},
    }
    Handler.listing = [broken, {"metadata": {"name": "q", "namespace": "x"}, "spec": {"podSelector": {}}}]
    watcher = informer.Informer(client, "/p", wire.policy, changed, lambda: None)

    watcher.step()

    assert list(watcher.items()) == ["x/q"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param("users: []\n", "expected a line `server: URL`", id="no server"),
        pytest.param("server: https://a\nserver: https://b\n", "expected one server", id="two clusters"),
    ],
)
def test_kubeconfigs_that_are_refused(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)

    with pytest.raises(api.ApiError, match=complaint):
        api.read_kubeconfig(path)


def test_a_kubeconfig_of_kubeadm_is_read(tmp_path: Path) -> None:
    path = tmp_path / "kubelet.conf"
    path.write_text(
        "apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: QUJD\n"
        '    server: "https://control-plane:6443"\n  name: c\nusers:\n- name: n\n  user:\n'
        "    client-certificate: /var/lib/kubelet/pki/kubelet-client-current.pem\n"
        "    client-key: /var/lib/kubelet/pki/kubelet-client-current.pem\n"
    )

    config = api.read_kubeconfig(path)

    assert config.server == "https://control-plane:6443"
    assert config.values["certificate-authority-data"] == "QUJD"
    assert config.values["client-key"].endswith("current.pem")
