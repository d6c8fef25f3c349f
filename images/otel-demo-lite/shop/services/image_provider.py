"""Pictures of the products: one drawing for each name."""

from __future__ import annotations

import hashlib
import html

from shop import process, telemetry, web


def picture(request: web.Request) -> web.Response:
    """A drawing with the product's name; its colour comes from the name too."""
    name = request.params["name"]
    hue = hashlib.sha256(name.encode()).digest()[0] * 360 // 256
    drawing = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="320" height="240">'
        f'<rect width="320" height="240" fill="hsl({hue},40%,30%)"/>'
        f'<text x="20" y="120" fill="#fff">{html.escape(name)}</text></svg>'
    )
    return web.Response(200, drawing.encode(), "image/svg+xml")


def main() -> None:
    """Serve until stopped."""
    telemetry.start("image-provider")
    routes = [
        web.Route("GET", "/status", lambda _: web.json_response({"status": "ok"}), traced=False),
        web.Route("GET", "/{name...}", picture),
    ]
    web.serve_until_stopped(int(process.setting("IMAGE_PROVIDER_PORT")), routes)
