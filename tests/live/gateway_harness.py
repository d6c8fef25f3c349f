"""A gateway of one's own beside the cluster, attempts for it, and kubectl as the agent."""

import base64
import datetime
import hashlib
import ipaddress
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.live.waiting import eventually

from reprise.domain import kubeconfig

ROOT = Path(__file__).parents[2]
START_SECONDS = 180


def certificate(directory: Path) -> str:
    """Write tls.crt and tls.key for 127.0.0.1; returns the certificate's PEM text, its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.DNSName("localhost"), x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))]
            ),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM).decode()
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "tls.crt").write_text(pem)
    (directory / "tls.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return pem


@dataclass(frozen=True)
class Agent:
    """One attempt, as its agent and as its watcher see it."""

    name: str
    uid: str
    token: str
    server: str
    kubeconfig: Path
    ca_file: Path
    read_attempt: Callable[[], dict[str, Any]]

    def kubectl(
        self, *arguments: str, stdin: str | None = None, timeout_seconds: int = 330
    ) -> subprocess.CompletedProcess[str]:
        cache = self.kubeconfig.parent / f"cache-{self.name}"
        return subprocess.run(
            ["kubectl", "--kubeconfig", str(self.kubeconfig), "--cache-dir", str(cache), *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_seconds,
        )

    def ok(self, *arguments: str) -> str:
        done = self.kubectl(*arguments)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def http(self, method: str, path: str, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        return requests.request(
            method, self.server + path, headers=headers, verify=str(self.ca_file), timeout=120, **options
        )

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.read_attempt().get("status", {})
        return found

    def wait_for_phase(self, phase: str, timeout_seconds: float = 120) -> dict[str, Any]:
        deadline = time.monotonic() + timeout_seconds
        while (status := self.status()).get("phase") != phase:
            assert time.monotonic() < deadline, f"expected phase {phase}, found {status}"
            time.sleep(0.1)
        return status


class Gateway:
    """`reprise gateway` as a process that can be killed and started again."""

    def __init__(
        self, directory: Path, admin_kubeconfig: str, prometheus: str = "", jaeger: str = ""
    ) -> None:
        self.directory = directory
        self.audit = directory / "audit"
        self._admin = admin_kubeconfig
        self.pem = certificate(directory / "tls")
        self._upstreams = {
            "PROMETHEUS_URL": prometheus or "http://127.0.0.1:9",
            "JAEGER_URL": jaeger or "http://127.0.0.1:9",
        }
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def has_telemetry(self) -> bool:
        return not any(url.endswith(":9") for url in self._upstreams.values())

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def start(self) -> None:
        with (self.directory / "gateway.log").open("ab") as log:
            self.process = self._popen(log)
        self._wait_ready(self.process)

    def _popen(self, log: IO[bytes]) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [
                sys.executable, "-c", "from reprise.cli.main import main; main()", "gateway",
                "--host", "127.0.0.1", "--port", str(self.port),
                "--tls", str(self.directory / "tls"), "--audit", str(self.audit),
                # The deployed gateway serves these as well; this one leaves those of real runs alone.
                "--selector", "door-test=true",
            ],
            env={**os.environ, "KUBECONFIG": self._admin, **self._upstreams},
            stdout=log,
            stderr=log,
        )  # fmt: skip

    def _wait_ready(self, process: "subprocess.Popen[bytes]") -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            try:
                answer = requests.get(
                    f"{self.url}/readyz", verify=str(self.directory / "tls" / "tls.crt"), timeout=5
                )
                if answer.status_code == 200:
                    return
            except requests.RequestException:
                pass
            assert process.poll() is None, (self.directory / "gateway.log").read_text()
            time.sleep(0.1)
        raise AssertionError((self.directory / "gateway.log").read_text())

    def stop(self, hard: bool = False) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL if hard else signal.SIGTERM)
            self.process.wait(30)
            self.process = None

    def agent(self, application: str, **spec: Any) -> Agent:
        """Make an attempt in the namespace `default`, and everything its agent needs."""
        name, token = f"door-{secrets.token_hex(4)}", secrets.token_hex(32)
        window = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
        manifest = {
            "apiVersion": "reprise.dev/v1alpha1",
            "kind": "AgentAttempt",
            "metadata": {"name": name, "namespace": "default", "labels": {"door-test": "true"}},
            "spec": {
                "run": {"name": name, "uid": name},
                "index": 1,
                "agent": {"kind": "external"},
                "tokenSha256": hashlib.sha256(token.encode()).hexdigest(),
                "application": {"namespace": application},
                "window": {"start": window.isoformat(timespec="seconds").replace("+00:00", "Z")},
                "budgets": {"wallClockSeconds": 3600, "requests": 100000},
                "injector": "hidden",
                **spec,
            },
        }
        made = json.loads(self.admin("create", "-o", "json", "-f", "-", stdin=json.dumps(manifest)))
        path = self.directory / f"{name}.kubeconfig"
        path.write_text(json.dumps(kubeconfig.build(self.url, self.pem, token, application)))
        path.chmod(0o600)
        agent = Agent(
            name=name,
            uid=made["metadata"]["uid"],
            token=token,
            server=self.url,
            kubeconfig=path,
            ca_file=self.directory / "tls" / "tls.crt",
            read_attempt=lambda: json.loads(self.admin("get", "agentattempt", name, "-o", "json")),
        )
        agent.wait_for_phase("Pending")
        self._wait_known(agent)
        return agent

    def _wait_known(self, agent: Agent) -> None:
        """Any gateway may have set Pending; this one knows the attempt when it has begun its trail."""
        path = self.audit / f"{agent.uid}.jsonl"
        eventually(path.exists, f"a trail of {agent.name}", 60, 0.1)

    def trail(self, agent: Agent) -> list[dict[str, Any]]:
        """Its lines so far; none before the first request."""
        path = self.audit / f"{agent.uid}.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def admin(self, *arguments: str, stdin: str | None = None) -> str:
        done = subprocess.run(
            ["kubectl", "--kubeconfig", self._admin, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=330,
        )
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout


class Deployed(Gateway):
    """The gateway that runs in the cluster, with its own rights."""

    def __init__(self, directory: Path, admin_kubeconfig: str) -> None:
        super().__init__(directory, admin_kubeconfig, "http://in.cluster", "http://in.cluster")
        inside = ("-n", "reprise-system", "-o", "json")
        endpoints = json.loads(self.admin("get", "configmap", "endpoints", *inside))
        tls = json.loads(self.admin("get", "secret", "gateway-tls", *inside))
        self._url: str = endpoints["data"]["gatewayExternal"]
        self.pem = base64.b64decode(tls["data"]["ca.crt"]).decode()
        (directory / "tls" / "tls.crt").write_text(self.pem)

    @property
    def url(self) -> str:
        return self._url

    def _wait_known(self, agent: Agent) -> None:
        eventually(
            lambda: agent.http("GET", "/attempt").status_code != 401, "the gateway to know it", 60, 0.1
        )
