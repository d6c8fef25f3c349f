"""The flag editor: reads and writes the copy of the flags that it shares with flagd, not the ConfigMap."""

from __future__ import annotations

import html
import json
import pathlib

from shop import flag_rules, logs, process, web

_FILE = pathlib.Path("/app/data/demo.flagd.json")


def page(text: str) -> web.Response:
    """A table of the flags and the variants that serve."""
    rows = "".join(
        f"<tr><td>{html.escape(key)}</td><td>{html.escape(flag.default_variant)}</td></tr>"
        for key, flag in sorted(flag_rules.parse(text).items())
    )
    return web.html_response(f"<!doctype html><title>Feature flags</title><table>{rows}</table>")


def write(path: pathlib.Path, request: web.Request) -> web.Response:
    """Replace the file by `data` of the request. Raises WebFailure (422) for what is no flag file."""
    text = json.dumps(request.json().get("data"), indent=2)
    try:
        flag_rules.parse(text)
    except flag_rules.FlagFileError as error:
        raise web.WebFailure(422, str(error)) from None
    path.write_text(text)
    return web.json_response({"status": "ok"})


def main() -> None:
    """Serve until stopped."""
    logs.configure("flagd-ui")
    web.serve_until_stopped(
        int(process.setting("FLAGD_UI_PORT")),
        [
            web.Route("GET", "/", lambda _: page(_FILE.read_text()), traced=False),
            web.Route("GET", "/feature", lambda _: page(_FILE.read_text()), traced=False),
            web.Route("GET", "/api/read", lambda _: web.Response(200, _FILE.read_bytes()), traced=False),
            web.Route("POST", "/api/write", lambda request: write(_FILE, request), traced=False),
        ],
    )
