"""The agent's HTTP client and its entry point, against a small gateway on the loopback interface."""

import http.server
import io
import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.support import triage_agent

from reprise.agents import http_door
from reprise.agents.http_door import HttpDoor
from reprise.agents.journal import Journal
from reprise.agents.protocol import DoorError
from reprise.agents.triage import __main__ as triage
from reprise.domain import errors, kubeconfig
from reprise.proof import yardstick

TOKEN = "0" * 64


class SmallGateway(http.server.ThreadingHTTPServer):
    """An application with one Deployment scaled to zero; `refuse` is the answer to a submission."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.refuse: tuple[int, str] | None = None
        self.submitted: list[Any] = []
        self.seen: list[str] = []
        self.now = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: SmallGateway

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def _answer(self, status: int, document: Any) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self.server.seen.append(self.path)
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            self._answer(401, {"message": "expected a token"})
            return
        url = urlsplit(self.path)
        match url.path.strip("/").split("/"):
            case ["api", "v1", "namespaces"]:
                self._answer(200, {"items": [{"metadata": {"name": "shop"}}]})
            case ["attempt"]:
                self._answer(
                    200,
                    {
                        "namespace": "shop",
                        "window": {"start": "2026-11-21T12:00:00Z", "now": self.server.now},
                    },
                )
            case [*_, "deployments"]:
                spec = {"replicas": 0, "template": {"metadata": {"labels": {"app": "cart"}}, "spec": {}}}
                self._answer(200, {"items": [{"metadata": {"name": "cart"}, "spec": spec}]})
            case [*_, "services"] if url.path.startswith("/api/v1"):
                spec = {"selector": {"app": "cart"}, "ports": [{"port": 80}]}
                self._answer(200, {"items": [{"metadata": {"name": "cart"}, "spec": spec}]})
            case ["prometheus", *_]:
                self._answer(
                    200, {"data": {"result": [{"metric": {"service_name": "web"}, "value": [0, "1"]}]}}
                )
            case ["jaeger", "api", "traces"]:
                assert int(parse_qs(url.query)["start"][0]) > 1_700_000_000_000_000, "microseconds"
                self._answer(200, {"data": []})
            case ["alerts"]:
                self._answer(200, [])
            case [*_, "nodes"]:
                self._answer(403, {"message": "not here"})
            case _:
                # An empty list, as Go writes it.
                self._answer(200, {"items": None})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.server.refuse:
            self._answer(self.server.refuse[0], {"message": self.server.refuse[1]})
            return
        self.server.submitted.append(body)
        self._answer(200, {"accepted": True})


@pytest.fixture
def gateway() -> Iterator[SmallGateway]:
    with SmallGateway() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def door(gateway: SmallGateway, token: str = TOKEN) -> HttpDoor:
    return HttpDoor(gateway.url, token, None, Journal(io.StringIO()))


def run_agent(gateway_url: str, directory: Path, **more: str) -> subprocess.CompletedProcess[str]:
    (directory / "token").write_text(TOKEN + "\n")
    # A proxy of the environment must not be used.
    proxy = {"https_proxy": "http://127.0.0.1:1", "http_proxy": "http://127.0.0.1:1"}
    return triage_agent.run(gateway_url, directory / "token", 60, **proxy, **more)


def test_the_agent_from_environment_to_submission(gateway: SmallGateway, tmp_path: Path) -> None:
    done = run_agent(gateway.url, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert gateway.submitted == [{"entities": [{"name": "shop/Deployment/cart"}]}]
    journal = [json.loads(line) for line in done.stdout.splitlines()]
    assert {entry["event"] for entry in journal} >= {"look", "world", "hypothesis", "submit", "accepted"}
    assert any(entry["event"] == "unseen" for entry in journal), "nodes are refused, and that is said"
    assert TOKEN not in done.stdout


def test_traces_are_asked_for_by_the_time_behind_the_door(gateway: SmallGateway) -> None:
    """A replay stands still at a time long ago."""
    gateway.now = "2026-11-21T12:10:00Z"
    door(gateway).traces("web", limit=5, last_seconds=120)
    assert gateway.seen[-1].endswith("start=1795262880000000")


@pytest.mark.parametrize(
    ("refuse", "code"),
    [
        ((400, "entities[0]: …"), 1),
        ((409, "already submitted"), 0),
        ((410, "too late"), 1),
        # not the agent's failure: such an attempt is made again and never counts
        ((503, "cannot be recorded"), 75),
    ],
)
def test_exit_code_of_a_refused_submission(
    gateway: SmallGateway, tmp_path: Path, refuse: tuple[int, str], code: int
) -> None:
    gateway.refuse = refuse
    done = run_agent(gateway.url, tmp_path)
    assert done.returncode == code
    assert refuse[1] in json.loads(done.stdout.splitlines()[-1])["message"]


def test_everything_missing_is_said(tmp_path: Path) -> None:
    done = run_agent("", tmp_path, TOKEN_FILE="")
    assert done.returncode == 75
    assert "GATEWAY_URL and TOKEN_FILE" in done.stdout


def test_without_a_gateway_it_is_not_the_agents_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(http_door, "CONNECT_PATIENCE_SECONDS", 0.0)
    (tmp_path / "token").write_text(TOKEN)
    monkeypatch.setenv("TOKEN_FILE", str(tmp_path / "token"))
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        monkeypatch.setenv("GATEWAY_URL", f"http://127.0.0.1:{unheard.getsockname()[1]}")
        assert triage.main() == 75
    assert "gateway" in capsys.readouterr().err.splitlines()[-1]


def test_a_wrong_token_is_an_error_with_the_gateways_words(gateway: SmallGateway) -> None:
    with pytest.raises(DoorError, match="expected a token") as caught:
        door(gateway, token="wrong").attempt()
    assert caught.value.status == 401


def test_names_are_quoted(gateway: SmallGateway) -> None:
    door(gateway).logs("shop", "a/../b", container="c d")
    assert gateway.seen == ["/api/v1/namespaces/shop/pods/a%2F..%2Fb/log?container=c+d"]


@pytest.mark.parametrize("url", ["", "ftp://x", "file:///etc/passwd"])
def test_only_http(url: str) -> None:
    with pytest.raises(ValueError, match=r"http\(s\)"):
        HttpDoor(url, TOKEN, None, Journal(io.StringIO()))


def config(gateway: SmallGateway, token: str = TOKEN) -> bytes:
    # Over plain HTTP nobody looks at the authority.
    return json.dumps(kubeconfig.build(gateway.url, "none", token, "shop")).encode()


async def test_a_proof_plays_the_agent(gateway: SmallGateway) -> None:
    found = await yardstick.play(config(gateway))
    assert gateway.submitted == [{"entities": [{"name": "shop/Deployment/cart"}]}]
    assert found.entities == ("shop/Deployment/cart",)
    assert found.score is None, "the run says what it scored"
    assert found.requests == len(gateway.seen) + 1, "the submission too"
    assert any(line.startswith("shop/Deployment/cart (scaled-to-zero, 0.9") for line in found.suspected)


async def test_a_proof_takes_a_refused_agent_for_no_answer(gateway: SmallGateway) -> None:
    with pytest.raises(errors.Unreachable, match=r"exit code \d+: .*expected a token"):
        await yardstick.play(config(gateway, "1" * 64))


async def test_a_proof_waits_for_the_agent_only_so_long(gateway: SmallGateway) -> None:
    with pytest.raises(errors.Unreachable, match="within 0 s"):
        await yardstick.play(config(gateway), seconds=0.01)
    assert gateway.submitted == []
