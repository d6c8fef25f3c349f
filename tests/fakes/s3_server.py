"""A real S3 server on this machine, in a thread, that can be told to fail."""

import io
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import fsspec
import localbucket
import pytest

BUCKET = "bucket"


class Server:
    """`url` is what clients talk to, at the address `host`; files lie under `root / BUCKET`."""

    def __init__(self, root: Path, host: str = "127.0.0.1") -> None:
        self.root = root
        # Writes that are answered before every later one is refused; None: all.
        self.writes_left: int | None = None
        self.deletes_fail = False
        # Dies with this write (from 1; 0: now) until it is None again: every connection is cut.
        self.dies_at_write: int | None = None
        # Every answer to a GET of an object is cut after so many bytes of it; None: none is.
        self.dies_after: int | None = None
        self._writes = 0
        (root / BUCKET).mkdir(parents=True)
        owner = self

        class Handler(localbucket.S3Handler):  # type: ignore[misc,name-defined]
            data_root = root

            def log_message(self, format: str, *args: Any) -> None:
                pass

            def cut(self) -> None:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)

            def is_dead(self) -> bool:
                return owner.dies_at_write is not None and owner._writes >= owner.dies_at_write

            def do_GET(self) -> None:
                if self.is_dead():
                    self.cut()
                    return
                if owner.dies_after is None or "list-type" in self.path:
                    super().do_GET()
                    return
                whole, self.wfile = self.wfile, io.BytesIO()
                super().do_GET()
                head, _, body = self.wfile.getvalue().partition(b"\r\n\r\n")
                self.wfile = whole
                # What is smaller is sent whole: the manifest is, the data are not.
                self.wfile.write(head + b"\r\n\r\n" + body[: max(owner.dies_after, 0)])
                if len(body) > owner.dies_after:
                    self.wfile.flush()
                    self.cut()

            def do_PUT(self) -> None:
                owner._writes += 1
                if self.is_dead():
                    self.cut()
                    return
                if owner.writes_left is not None:
                    owner.writes_left -= 1
                    if owner.writes_left < 0:
                        self.rfile.read(int(self.headers.get("Content-Length") or 0))
                        self.send_error(403, "no more")
                        return
                super().do_PUT()

            def do_POST(self) -> None:
                if self.is_dead():
                    self.cut()
                    return
                if not self.path.endswith("?delete"):
                    super().do_POST()
                    return
                # DeleteObjects, which localbucket does not have.
                body = ElementTree.fromstring(self.rfile.read(int(self.headers["Content-Length"])))  # noqa: S314
                if owner.deletes_fail:
                    self.send_error(403, "no")
                    return
                keys = [found.text or "" for found in body.iterfind(".//{*}Key")]
                for key in keys:
                    (root / BUCKET / key).unlink(missing_ok=True)
                deleted = "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in keys)
                answer = f"<DeleteResult>{deleted}</DeleteResult>".encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

        self._server = ThreadingHTTPServer((host, 0), Handler)
        self.url = f"http://{host}:{self._server.server_address[1]}"

    def variables(self) -> dict[str, str]:
        """What a client's environment says of it."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
        }

    def keys(self) -> list[str]:
        top = self.root / BUCKET
        return sorted(str(path.relative_to(top)) for path in top.rglob("*") if path.is_file())

    @contextmanager
    def running(self) -> Iterator["Server"]:
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()


@contextmanager
def in_environment(root: Path, monkeypatch: pytest.MonkeyPatch, **more: str) -> Iterator[Server]:
    """A server that runs, as the store that the environment names; `more` variables are set, too."""
    server = Server(root)
    for name, value in {**server.variables(), **more}.items():
        monkeypatch.setenv(name, value)
    with server.running():
        yield server
    # obstore keeps what it read from the environment with the file system.
    fsspec.get_filesystem_class("s3").clear_instance_cache()
