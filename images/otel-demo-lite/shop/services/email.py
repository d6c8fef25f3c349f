"""Order confirmations.

Flag: emailMemoryLeak (every confirmation stays in memory, as many times as the flag says).
"""

from __future__ import annotations

import logging

from shop import flags, process, telemetry, web

_CONFIRMATION_BYTES = 50_000

_log = logging.getLogger(__name__)


class EmailService:
    """POST /send_order_confirmation."""

    def __init__(self, flag: flags.Flags) -> None:
        self._flags = flag
        self._kept: list[bytes] = []

    def send(self, request: web.Request) -> web.Response:
        """Pretend to send the confirmation of `order` to `email`."""
        body = request.json()
        order_id, address = body["order"]["order_id"], body["email"]
        factor = int(self._flags.number("emailMemoryLeak"))
        if factor > 0:
            # NB: not zeros; pages that nobody has written are not in memory.
            self._kept.append(b"." * (_CONFIRMATION_BYTES * factor))
        elif self._kept:
            self._kept.clear()
        with telemetry.span("send_email", attributes={"app.order.id": order_id}):
            _log.info("order confirmation sent", extra={"order_id": order_id, "recipient": address})
        return web.json_response({"status": "sent"})

    def kept_bytes(self) -> int:
        """How much of what was sent is still in memory."""
        return sum(len(text) for text in self._kept)


def main() -> None:
    """Serve until stopped."""
    telemetry.start("email")
    service = EmailService(flags.Flags.from_environment())
    routes = [web.Route("POST", "/send_order_confirmation", service.send)]
    web.serve_until_stopped(int(process.setting("EMAIL_PORT")), routes)
