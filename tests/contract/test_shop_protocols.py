"""The shop's runtime on the wire: gRPC and HTTP between real sockets, and one trace across them."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

IMAGE = Path(__file__).parents[2] / "images" / "otel-demo-lite"
sys.path.insert(0, str(IMAGE))

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider  # noqa: E402
from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: E402
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter  # noqa: E402
from shop import rpc, telemetry, web  # noqa: E402
from shop.proto import demo_pb2  # noqa: E402


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """What the runtime traces, in memory."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(telemetry, "_tracer", provider.get_tracer("test"))
    return exporter


@pytest.fixture
def port() -> int:
    """A port of this machine that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


def get_ads(request: demo_pb2.AdRequest) -> demo_pb2.AdResponse:
    match list(request.context_keys):
        case ["refused"]:
            raise rpc.RpcFailure(grpc.StatusCode.UNAVAILABLE, "no ads today")
        case ["bad question"]:
            raise rpc.RpcFailure(grpc.StatusCode.INVALID_ARGUMENT, "what?")
        case ["broken"]:
            raise ZeroDivisionError("1/0")
    return demo_pb2.AdResponse(ads=[demo_pb2.Ad(text=key) for key in request.context_keys])


@pytest.fixture
def client(port: int) -> Iterator[rpc.Client]:
    server = rpc.serve(port, "AdService", {"GetAds": get_ads}, healthy=lambda: False)
    client = rpc.Client(f"127.0.0.1:{port}", "AdService")
    yield client
    client.close()
    server.stop(0).wait()


def by_kind(exporter: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.kind.name: span for span in exporter.get_finished_spans()}


def test_rpc_is_one_trace(client: rpc.Client, spans: InMemorySpanExporter) -> None:
    answer = client.call("GetAds", demo_pb2.AdRequest(context_keys=["a", "b"]))
    assert [ad.text for ad in answer.ads] == ["a", "b"]
    found = by_kind(spans)
    assert {span.name for span in found.values()} == {"oteldemo.AdService/GetAds"}
    server, calling = found["SERVER"], found["CLIENT"]
    assert server.parent is not None
    assert server.parent.span_id == calling.context.span_id
    assert server.context.trace_id == calling.context.trace_id
    assert server.attributes is not None
    assert server.attributes["rpc.method"] == "GetAds"


@pytest.mark.parametrize(
    ("key", "code", "message", "server_error"),
    [
        ("refused", grpc.StatusCode.UNAVAILABLE, "no ads today", True),
        ("bad question", grpc.StatusCode.INVALID_ARGUMENT, "what?", False),
        ("broken", grpc.StatusCode.INTERNAL, "ZeroDivisionError: 1/0", True),
    ],
)
def test_failing_rpc(
    key: str,
    code: grpc.StatusCode,
    message: str,
    server_error: bool,
    client: rpc.Client,
    spans: InMemorySpanExporter,
) -> None:
    with pytest.raises(rpc.RpcFailure) as caught:
        client.call("GetAds", demo_pb2.AdRequest(context_keys=[key]))
    assert (caught.value.code, caught.value.message) == (code, message)
    found = by_kind(spans)
    assert not found["CLIENT"].status.is_ok
    assert found["SERVER"].status.is_ok is not server_error
    assert [event.name for event in found["SERVER"].events] == ["exception"]


def test_nobody_there_is_unavailable(port: int, spans: InMemorySpanExporter) -> None:
    client = rpc.Client(f"127.0.0.1:{port}", "AdService")
    with pytest.raises(rpc.RpcFailure) as caught:
        client.call("GetAds", demo_pb2.AdRequest())
    client.close()
    assert caught.value.code is grpc.StatusCode.UNAVAILABLE


def test_standard_health_check_says_what_the_service_says(client: rpc.Client, port: int) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        check = channel.unary_unary("/grpc.health.v1.Health/Check")
        assert check(b"", timeout=10) == b"\x08\x02"


def test_handlers_must_be_the_declared_ones(port: int) -> None:
    with pytest.raises(ValueError, match="AddItem"):
        rpc.serve(port, "CartService", {"GetCart": lambda request: request})


@pytest.fixture
def site(port: int) -> Iterator[str]:
    def echo(request: web.Request) -> web.Response:
        return web.json_response(
            {"method": request.method, "query": request.first("q"), "body": request.json()}
        )

    def refuse(request: web.Request) -> web.Response:
        raise web.WebFailure(503, "closed")

    server = web.serve(port, [web.Route("POST", "/echo", echo), web.Route("GET", "/refuse", refuse)])
    yield f"http://127.0.0.1:{port}"
    server.shutdown()
    server.server_close()


def test_http_is_one_trace(site: str, spans: InMemorySpanExporter) -> None:
    response = web.fetch("POST", f"{site}/echo?q=a%20b", {"n": 1})
    assert response.json() == {"method": "POST", "query": "a b", "body": {"n": 1}}
    found = by_kind(spans)
    assert found["SERVER"].name == "POST /echo"
    assert found["SERVER"].parent is not None
    assert found["SERVER"].parent.span_id == found["CLIENT"].context.span_id


def test_failing_http_marks_both_spans(site: str, spans: InMemorySpanExporter) -> None:
    response = web.fetch("GET", f"{site}/refuse")
    assert (response.status, response.json()) == (503, {"error": "closed"})
    assert [span.status.is_ok for span in spans.get_finished_spans()] == [False, False]


def test_nobody_at_the_url(port: int, spans: InMemorySpanExporter) -> None:
    with pytest.raises(web.WebFailure, match="refused") as caught:
        web.fetch("GET", f"http://127.0.0.1:{port}/")
    assert caught.value.status == 503
    assert not by_kind(spans)["CLIENT"].status.is_ok


def test_silent_server_times_out(spans: InMemorySpanExporter) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(web.WebFailure, match=r"no answer within 0\.2 s") as caught:
            web.fetch("GET", url, timeout_seconds=0.2)
    assert caught.value.status == 504


def test_generated_messages_are_those_of_the_proto_file(tmp_path: Path) -> None:
    command: list[Any] = [sys.executable, "-m", "grpc_tools.protoc", f"-I{IMAGE}", f"--python_out={tmp_path}"]
    command += [f"--pyi_out={tmp_path}", "shop/proto/demo.proto"]
    subprocess.run(command, check=True, cwd=IMAGE)
    for name in ("demo_pb2.py", "demo_pb2.pyi"):
        assert (tmp_path / "shop/proto" / name).read_text() == (IMAGE / "shop/proto" / name).read_text(), name


def test_image_and_tests_have_the_same_pins() -> None:
    """requirements.txt is what the image installs, pyproject's `dev` is what these tests run with."""
    import tomllib

    project = tomllib.loads((IMAGE.parents[1] / "pyproject.toml").read_text())["project"]
    pinned = {*project["dependencies"], *project["optional-dependencies"]["dev"]}
    wanted = {line for line in (IMAGE / "requirements.txt").read_text().splitlines() if "==" in line}
    transitive = {line for line in wanted if line.startswith("protobuf==")}
    assert wanted - transitive <= pinned
