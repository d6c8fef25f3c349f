"""The runtime that the services share."""

import itertools
import json
import logging
import random
from collections import Counter
from decimal import Decimal
from typing import Any

import grpc
import pytest
from shop import __main__ as program
from shop import database, logs, money, process, rpc, telemetry, visits, web
from shop.proto import demo_pb2
from shop.services import accounting, currency, frontend_proxy, load_generator, payment, quote, shipping


@pytest.mark.parametrize(
    ("environment", "endpoint"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, "http://c:4318"),
        ({"OTEL_COLLECTOR_HOST": "c", "OTEL_COLLECTOR_PORT_GRPC": "4317"}, "http://c:4317"),
        ({"OTEL_COLLECTOR_NAME": "c"}, "http://c:4317"),
        ({}, None),
    ],
)
def test_telemetry_endpoint(environment: dict[str, str], endpoint: str | None) -> None:
    assert telemetry.endpoint(environment) == endpoint


def test_log_line_is_json_with_its_fields() -> None:
    record = logging.makeLogRecord({"msg": "order %s", "args": ("1",), "levelname": "INFO", "order_id": "1"})
    line = json.loads(logs.JsonFormatter("checkout").format(record))
    assert {key: line[key] for key in ("level", "service", "message", "order_id")} == {
        "level": "info",
        "service": "checkout",
        "message": "order 1",
        "order_id": "1",
    }
    assert "trace_id" not in line


def test_log_line_names_its_trace() -> None:
    from opentelemetry.sdk.trace import TracerProvider

    formatter = logs.JsonFormatter("checkout")
    with TracerProvider().get_tracer("test").start_as_current_span("work") as span:
        line = json.loads(formatter.format(logging.makeLogRecord({"msg": "x"})))
    assert int(line["trace_id"], 16) == span.get_span_context().trace_id
    assert int(line["span_id"], 16) == span.get_span_context().span_id


@pytest.mark.parametrize("address", ["cart:8080", "http://cart:8080", "http://cart:8080/"])
def test_host_port(address: str) -> None:
    assert process.host_port(address) == ("cart", 8080)


@pytest.mark.parametrize("address", ["cart", "cart:", ":x", "http://cart"])
def test_host_port_without_port(address: str) -> None:
    with pytest.raises(ValueError, match="expected host:port"):
        process.host_port(address)


def test_missing_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CART_ADDR", raising=False)
    with pytest.raises(SystemExit, match="CART_ADDR"):
        process.setting("CART_ADDR")


@pytest.mark.parametrize(
    ("text", "libpq"),
    [
        ("Host=db;Username=u;Password=p;Database=d", "host=db user=u password=p dbname=d"),
        ("host=db user=u password=p dbname=d", "host=db user=u password=p dbname=d"),
        ("postgres://u:p@db/d?sslmode=disable", "postgres://u:p@db/d?sslmode=disable"),
    ],
)
def test_connection_string(text: str, libpq: str) -> None:
    assert database.connection_string(text) == libpq


def test_connection_string_with_unknown_keyword() -> None:
    with pytest.raises(ValueError, match="Pooling"):
        database.connection_string("Host=db;Pooling=true")


@pytest.mark.parametrize(
    ("nanos", "units", "rest"),
    [(1_500_000_000, 1, 500_000_000), (-1_500_000_000, -1, -500_000_000), (0, 0, 0), (-1, 0, -1)],
)
def test_money_keeps_one_sign(nanos: int, units: int, rest: int) -> None:
    amount = money.from_nanos("USD", nanos)
    assert (amount.units, amount.nanos, money.total_nanos(amount)) == (units, rest, nanos)


def test_money_of_two_currencies_is_not_added() -> None:
    with pytest.raises(ValueError, match="one currency"):
        money.add(demo_pb2.Money(currency_code="USD"), demo_pb2.Money(currency_code="EUR"))


def convert(code: str, to: str) -> demo_pb2.Money:
    request = demo_pb2.CurrencyConversionRequest(to_code=to)
    getattr(request, "from").CopyFrom(demo_pb2.Money(currency_code=code, units=108))
    return currency.convert(request)


def test_conversion() -> None:
    assert money.as_decimal(convert("USD", "EUR")) == Decimal(100)


def test_unknown_currency_is_named() -> None:
    with pytest.raises(rpc.RpcFailure, match="unsupported currency: XXX"):
        convert("USD", "XXX")


@pytest.mark.parametrize(
    ("number", "year", "message"),
    [
        ("4432-8015-6152-0455", 9999, "number is not valid"),
        ("", 9999, "number is not valid"),
        ("4432-8015-6152-0454", 2000, "expired"),
    ],
)
def test_bad_card(number: str, year: int, message: str, flag_values: Any) -> None:
    card = demo_pb2.CreditCardInfo(
        credit_card_number=number, credit_card_expiration_year=year, credit_card_expiration_month=1
    )
    service = payment.PaymentService(flag_values(), random.Random(1))
    with pytest.raises(rpc.RpcFailure, match=message) as caught:
        service.charge(demo_pb2.ChargeRequest(credit_card=card))
    assert caught.value.code is grpc.StatusCode.INVALID_ARGUMENT


ROUTES = [
    web.Route("GET", "/api/products/{id}", lambda request: web.json_response(dict(request.params))),
    web.Route(
        "GET", "/files/{rest...}", lambda request: web.json_response(dict(request.params)), traced=False
    ),
    web.Route("POST", "/json", lambda request: web.json_response(request.json())),
    web.Route("GET", "/broken", lambda _: web.json_response(1 // 0)),
]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "answer"),
    [
        ("GET", "/api/products/P1", b"", 200, {"id": "P1"}),
        ("GET", "/api/products/P1/x", b"", 404, {"error": "nothing is served at GET /api/products/P1/x"}),
        ("POST", "/api/products/P1", b"", 404, {"error": "nothing is served at POST /api/products/P1"}),
        ("GET", "/files/a/b", b"", 200, {"rest": "a/b"}),
        ("POST", "/json", b'{"a": 1}', 200, {"a": 1}),
        ("GET", "/broken", b"", 500, {"error": "integer division or modulo by zero"}),
    ],
)
def test_dispatch(method: str, path: str, body: bytes, status: int, answer: Any) -> None:
    response = web.dispatch(ROUTES, web.Request(method, path, body=body))
    assert (response.status, response.json()) == (status, answer)


def test_body_that_is_no_json_is_refused() -> None:
    assert web.dispatch(ROUTES, web.Request("POST", "/json", body=b"{")).status == 400


@pytest.mark.parametrize("count", [-1, None, "3"])
def test_quote_needs_a_count(count: Any) -> None:
    request = web.Request("POST", "/getquote", body=json.dumps({"numberOfItems": count}).encode())
    with pytest.raises(web.WebFailure, match="numberOfItems"):
        quote.quote(request)


def test_shipping_asks_for_the_quantities() -> None:
    asked: list[Any] = []

    def fetch(method: str, url: str, body: Any) -> web.Response:
        asked.append((url, body))
        return web.json_response(26.7)

    body = json.dumps({"items": [{"product_id": "A", "quantity": 1}, {"product_id": "B", "quantity": 2}]})
    answer = shipping.Shipping("http://quote:8080", fetch).get_quote(
        web.Request("POST", "/", body=body.encode())
    )
    assert asked == [("http://quote:8080/getquote", {"numberOfItems": 3})]
    assert answer.json() == {"cost_usd": {"currency_code": "USD", "units": "26", "nanos": 700_000_000}}


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("/", "http://frontend:8080/"),
        ("/api/cart", "http://frontend:8080/api/cart?sessionId=a%20b"),
        ("/images/products/x.svg", "http://image-provider:8081/products/x.svg"),
    ],
)
def test_proxy_route(path: str, url: str) -> None:
    asked: list[str] = []

    def fetch(method: str, target: str, *_: Any) -> web.Response:
        asked.append(target)
        return web.Response()

    proxy = frontend_proxy.Proxy(
        [
            frontend_proxy.Upstream("/images/", "image-provider", "image-provider", "8081"),
            frontend_proxy.Upstream("/", "frontend", "frontend", "8080", keep_prefix=True),
        ],
        fetch,
    )
    proxy.forward(web.Request("GET", path, {"sessionId": ["a b"]} if path == "/api/cart" else {}))
    assert asked == [url]


def test_order_becomes_three_statements() -> None:
    item = demo_pb2.OrderItem(item=demo_pb2.CartItem(product_id="P", quantity=2))
    order = demo_pb2.OrderResult(order_id="o", shipping_tracking_id="t", items=[item, item])
    tables = [(table, len(rows)) for table, _, rows in accounting.statements(order)]
    assert tables == [("accounting.order", 1), ("accounting.shipping", 1), ("accounting.orderitem", 2)]


def first_visits(seed: int, count: int = 44) -> list[tuple[str, int]]:
    return [
        (visit.name, choices.getrandbits(32))
        for visit, choices in itertools.islice(visits.schedule(seed), count)
    ]


def test_visits_are_seeded() -> None:
    assert first_visits(1) == first_visits(1)
    assert first_visits(1) != first_visits(2)


def test_every_deck_of_visits_has_the_same_mixture() -> None:
    size = sum(visit.weight for visit in visits.VISITS)
    names = [name for name, _ in first_visits(3, 2 * size)]
    assert (
        Counter(names[:size])
        == Counter(names[size:])
        == {visit.name: visit.weight for visit in visits.VISITS}
    )


@pytest.mark.parametrize(
    ("failures", "patience", "opened"),
    [
        pytest.param(0, 60, True, id="open"),
        pytest.param(99, 0, False, id="closed"),
    ],
)
def test_visits_begin_with_the_first_order(
    failures: int, patience: float, opened: bool, flag_values: Any
) -> None:
    asked: list[str] = []

    def fetch(method: str, url: str, *_: Any) -> web.Response:
        asked.append(url)
        return web.Response(503 if len(asked) <= failures else 200)

    shop = visits.Shop("http://shop", flag_values(), fetch)
    generator = load_generator.Generator(shop, users=1, rate=1, seed=1)
    assert generator.try_first_order(patience) is opened
    assert ("http://shop/api/checkout" in asked) is opened


def test_unknown_service_is_refused_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["nothing"]) == 2
    assert "product-catalog" in capsys.readouterr().err
