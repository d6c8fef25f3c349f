"""The shop's front door: a reverse proxy by path prefix.

Flag: imageSlowLoad. The browser asks for the delay by a header (see the load generator), the proxy waits that
long before it goes on to the image provider.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from opentelemetry.trace import SpanKind

from shop import process, telemetry, web

DELAY_HEADER = "x-envoy-fault-delay-request"
_TIMEOUT_SECONDS = 15.0
_LONGEST_DELAY_SECONDS = 30.0
_FORWARDED = ("content-type", "accept", "user-agent", "baggage", "x-requested-with")


@dataclass(frozen=True)
class Upstream:
    """Where a path prefix goes. The prefix is taken off before the request goes on, unless it is kept."""

    prefix: str
    cluster: str
    host: str
    port: str
    keep_prefix: bool = False
    delayable: bool = False

    def url(self, request: web.Request) -> str:
        """The address that the request goes to."""
        path = request.path if self.keep_prefix else "/" + request.path.removeprefix(self.prefix).lstrip("/")
        query = "&".join(
            f"{web.quoted(key)}={web.quoted(value)}"
            for key, values in request.query.items()
            for value in values
        )
        return f"http://{self.host}:{self.port}{path}" + (f"?{query}" if query else "")


class Proxy:
    """Sends each request on to the upstream with the first prefix that fits."""

    def __init__(
        self,
        upstreams: Sequence[Upstream],
        fetch: Callable[..., web.Response] = web.fetch,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._upstreams = upstreams
        self._fetch = fetch
        self._sleep = sleep

    def forward(self, request: web.Request) -> web.Response:
        """The upstream's answer; 503 when it cannot be reached, 504 when it does not answer in time."""
        upstream = next(one for one in self._upstreams if request.path.startswith(one.prefix))
        if upstream.delayable and (delay := _delay_seconds(request)):
            with telemetry.span("fault delay", SpanKind.INTERNAL):
                self._sleep(delay)
        headers = {name: value for name, value in request.headers.items() if name in _FORWARDED}
        return self._fetch(
            request.method,
            upstream.url(request),
            request.body or None,
            headers,
            _TIMEOUT_SECONDS,
            f"router {upstream.cluster} egress",
        )


def _delay_seconds(request: web.Request) -> float:
    """The delay that the header asks for, in milliseconds there; 0 for none and for what is no number."""
    text = request.headers.get(DELAY_HEADER, "")
    return min(int(text) / 1000, _LONGEST_DELAY_SECONDS) if text.isdigit() else 0.0


def upstreams_from_environment() -> list[Upstream]:
    """The demo's table of routes."""
    value = process.setting
    return [
        Upstream(
            "/images/",
            "image-provider",
            value("IMAGE_PROVIDER_HOST"),
            value("IMAGE_PROVIDER_PORT"),
            delayable=True,
        ),
        Upstream("/loadgen", "loadgen", value("LOCUST_WEB_HOST"), value("LOCUST_WEB_PORT")),
        Upstream(
            "/otlp-http/",
            "opentelemetry_collector_http",
            value("OTEL_COLLECTOR_HOST"),
            value("OTEL_COLLECTOR_PORT_HTTP"),
        ),
        Upstream("/jaeger", "jaeger", value("JAEGER_HOST"), value("JAEGER_UI_PORT"), keep_prefix=True),
        Upstream("/grafana", "grafana", value("GRAFANA_HOST"), value("GRAFANA_PORT"), keep_prefix=True),
        Upstream("/flagservice/", "flagservice", value("FLAGD_HOST"), value("FLAGD_PORT")),
        Upstream("/feature", "flagd-ui", value("FLAGD_UI_HOST"), value("FLAGD_UI_PORT"), keep_prefix=True),
        Upstream("/", "frontend", value("FRONTEND_HOST"), value("FRONTEND_PORT"), keep_prefix=True),
    ]


def main() -> None:
    """Serve until stopped."""
    telemetry.start("frontend-proxy")
    proxy = Proxy(upstreams_from_environment())
    web.serve_until_stopped(
        int(process.setting("ENVOY_PORT")), [web.Route("*", "/{path...}", proxy.forward, name="ingress")]
    )
