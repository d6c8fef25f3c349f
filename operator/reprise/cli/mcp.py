"""`reprise mcp`: an MCP server on stdin and stdout that passes everything on to the gateway's /mcp.

It holds no tool of its own, so that a client over stdio gets what one over HTTP gets, at the same price.
"""

import asyncio
import base64
import binascii
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
import httpx2
import mcp_types as types
import yaml
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError
from mcp_types.version import LATEST_MODERN_VERSION

from reprise.domain import errors
from reprise.gateway.tools import about

# A tool of the gateway may ask many things before it answers.
TIMEOUT_SECONDS = 90.0
T = TypeVar("T")


@dataclass(frozen=True)
class Door:
    """Where the gateway is. `ca_pem` is the text of its certificate authority; empty for the system's."""

    url: str
    token: str
    ca_pem: str


@click.command()
@click.option("--url", envvar="GATEWAY_URL", default="", help="The gateway's URL.  [env: GATEWAY_URL]")
@click.option(
    "--token-file",
    envvar="TOKEN_FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    default=None,
    help="File with the attempt's token.  [env: TOKEN_FILE]",
)
@click.option(
    "--ca",
    envvar="CA_FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    default=None,
    help="The gateway's certificate authority, PEM.  [env: CA_FILE]",
)
@click.option(
    "--kubeconfig",
    envvar="KUBECONFIG",
    type=click.Path(dir_okay=False, path_type=Path),
    default=None,
    help="Instead of all these: the attempt's kubeconfig, from `attach`.  [env: KUBECONFIG]",
)
def mcp(url: str, token_file: Path | None, ca: Path | None, kubeconfig: Path | None) -> None:
    """Give an attempt's tools to an MCP client that speaks stdio. The clock starts with its first request."""
    if url and token_file is not None:
        door = Door(url, _text(token_file), _text(ca) if ca else "")
    elif kubeconfig is not None and not url:
        door = from_kubeconfig(_text(kubeconfig))
    else:
        raise click.UsageError("expected --url with --token-file, or --kubeconfig (from `reprise attach`)")
    asyncio.run(serve(door))


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise errors.InvalidInput(f"expected a readable text file, found: {exc}") from exc


def from_kubeconfig(text: str) -> Door:
    """The current context's server, token and authority. Raises InvalidInput."""
    try:
        loaded = yaml.safe_load(text)
        contexts = {one["name"]: one["context"] for one in loaded["contexts"]}
        context = contexts[loaded["current-context"]]
        (cluster,) = [one["cluster"] for one in loaded["clusters"] if one["name"] == context["cluster"]]
        (user,) = [one["user"] for one in loaded["users"] if one["name"] == context["user"]]
        authority = base64.b64decode(cluster.get("certificate-authority-data", "")).decode()
        return Door(str(cluster["server"]), str(user["token"]), authority)
    except (yaml.YAMLError, LookupError, TypeError, ValueError, binascii.Error) as exc:
        raise errors.InvalidInput(
            f"expected a kubeconfig of an attempt, with a token, found {exc!r}; "
            "`reprise attach RUN` writes one"
        ) from exc


async def serve(door: Door) -> None:
    """Serve on stdin and stdout until stdin ends."""
    context = ssl.create_default_context(cadata=door.ca_pem or None) if door.url.startswith("https") else True
    async with httpx2.AsyncClient(
        headers={"Authorization": f"Bearer {door.token}"},
        verify=context,
        timeout=TIMEOUT_SECONDS,
        trust_env=False,  # no proxy: the door is direct
    ) as http:
        bridge = Bridge(door.url.rstrip("/") + "/mcp", http)
        server: Server[Any] = Server(
            about.NAME,
            instructions=about.INSTRUCTIONS,
            on_list_tools=bridge.list_tools,
            on_call_tool=bridge.call_tool,
        )
        async with stdio_server() as (read, write):
            await server.run(read, write, server.create_initialization_options())


class Bridge:
    """Passes requests on, each in an exchange of its own: a gateway that restarts is missed for one call, not
    for good."""

    def __init__(self, url: str, http: httpx2.AsyncClient) -> None:
        self._url = url
        self._http = http

    async def list_tools(
        self, _: ServerRequestContext[Any, Any], params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        async def ask(client: Client) -> types.ListToolsResult:
            request = types.ListToolsRequest(params=params)
            return await client.session.send_request(request, types.ListToolsResult)

        return await self._passed_on(ask)

    async def call_tool(
        self, _: ServerRequestContext[Any, Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        async def ask(client: Client) -> types.CallToolResult:
            given = types.CallToolRequestParams(name=params.name, arguments=params.arguments)
            request = types.CallToolRequest(params=given)
            return await client.session.send_request(request, types.CallToolResult)

        return await self._passed_on(ask)

    async def _passed_on(self, ask: Callable[[Client], Awaitable[T]]) -> T:
        """What the gateway answers. Raises MCPError with its reason, or that it cannot be reached."""
        transport = streamable_http_client(self._url, http_client=self._http)
        try:
            async with Client(transport, mode=LATEST_MODERN_VERSION) as client:
                return await ask(client)
        except BaseExceptionGroup as found:
            # The SDK's task groups wrap whatever ends the exchange.
            exc = _first(found)
            if isinstance(exc, MCPError):
                raise exc from found
            if isinstance(exc, httpx2.HTTPError):
                raise MCPError(
                    types.INTERNAL_ERROR,
                    f"the gateway at {self._url} does not answer: {exc or type(exc).__name__}; try again, "
                    "or see that --url or the kubeconfig is right",
                ) from found
            raise


def _first(exc: BaseException) -> BaseException:
    while isinstance(exc, BaseExceptionGroup):
        exc = exc.exceptions[0]
    return exc
