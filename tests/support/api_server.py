"""A real API server over a real etcd, from what `reprise up` has built. No cluster: nothing runs on it."""

import secrets
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from reprise.cluster import paths

# Found before tests are cut off from the home folder.
ETCD = sorted(paths.cache_dir().glob("go/etcd-*/server"))
APISERVER = sorted(paths.cache_dir().glob("go/kubernetes-*/kube-apiserver"))
START_SECONDS = 180


@dataclass(frozen=True)
class Server:
    url: str
    token: str

    def send(
        self, method: str, path: str, body: bytes = b"", kind: str = "application/json"
    ) -> tuple[int, str]:
        """Status and text of one request."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": kind}
        request = urllib.request.Request(self.url + path, body or None, headers, method=method)  # noqa: S310
        trusting = ssl._create_unverified_context()  # noqa: S323 - its own, new each time
        try:
            with urllib.request.urlopen(request, context=trusting, timeout=60) as answer:  # noqa: S310
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as exc:
            return exc.code, exc.read().decode()


def _ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@contextmanager
def _process(words: list[Any], log: Path) -> Iterator[None]:
    with log.open("wb") as out:
        process = subprocess.Popen([str(word) for word in words], stdout=out, stderr=out)
        try:
            yield
        finally:
            process.kill()
            process.wait()


@contextmanager
def running(folder: Path) -> Iterator[Server]:
    """Ready to take objects."""
    client, peer, port = _ports(3)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    (folder / "key.pem").write_bytes(pem)
    token = secrets.token_hex(16)
    (folder / "tokens.csv").write_text(f"{token},admin,admin,system:masters\n")
    server = Server(f"https://127.0.0.1:{port}", token)
    etcd = [
        ETCD[-1], "--data-dir", folder / "etcd", "--unsafe-no-fsync",
        f"--listen-client-urls=http://127.0.0.1:{client}", f"--advertise-client-urls=http://127.0.0.1:{client}",
        f"--listen-peer-urls=http://127.0.0.1:{peer}", f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
        f"--initial-cluster=default=http://127.0.0.1:{peer}",
    ]  # fmt: skip
    apiserver = [
        APISERVER[-1], f"--etcd-servers=http://127.0.0.1:{client}", f"--secure-port={port}",
        "--bind-address=127.0.0.1", f"--cert-dir={folder / 'certs'}", "--authorization-mode=AlwaysAllow",
        f"--token-auth-file={folder / 'tokens.csv'}", "--service-account-issuer=https://issuer",
        f"--service-account-key-file={folder / 'key.pem'}",
        f"--service-account-signing-key-file={folder / 'key.pem'}",
        "--disable-admission-plugins=ServiceAccount",
    ]  # fmt: skip
    with _process(etcd, folder / "etcd.log"), _process(apiserver, folder / "apiserver.log"):
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                if server.send("GET", "/readyz")[0] == 200:
                    break
            except OSError:
                pass
            if time.monotonic() > deadline:
                raise TimeoutError((folder / "apiserver.log").read_text()[-3000:])
            time.sleep(1)
        yield server
