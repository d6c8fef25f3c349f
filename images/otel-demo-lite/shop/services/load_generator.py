"""People in the shop: a steady, seeded stream of visits.

The stream begins with the first order that goes through, or after a minute without one: services that start
one after the other are no outage. From then on visits begin at a fixed rate, whatever becomes of them,
so that a slow shop does not look like a quiet one. LOCUST_USERS visitors make LOAD_VISITS_PER_USER_SECOND
visits each; LOAD_SEED orders the kinds of visits.

Flag: loadGeneratorFloodHomepage (that many requests to the home page in one go, again and again).
"""

from __future__ import annotations

import logging
import queue
import random
import threading
import time

from opentelemetry.trace import SpanKind

from shop import flags, process, telemetry, visits, web

_THREADS_PER_USER = 3
_FLOOD_PAUSE_SECONDS = 2.0
_PATIENCE_SECONDS = 60.0
_FIRST_ORDER_PAUSE_SECONDS = 1.0

_log = logging.getLogger(__name__)


class Generator:
    """Starts visits at a rate; a few threads make them."""

    def __init__(
        self, shop: visits.Shop, users: int, rate: float, seed: int, first: visits.Shop | None = None
    ) -> None:
        """rate: visits a second of all users together. first: the shop to try an order in."""
        self._shop = shop
        self._first = first or shop
        self._users = users
        self._rate = rate
        self._seed = seed
        self._stop = threading.Event()
        self._waiting: queue.Queue[tuple[visits.Visit, random.Random]] = queue.Queue(
            maxsize=users * _THREADS_PER_USER
        )

    def start(self) -> None:
        """Start the threads."""
        for number in range(self._users * _THREADS_PER_USER):
            threading.Thread(target=self._visit, name=f"visitor-{number}", daemon=True).start()
        threading.Thread(target=self._begin, name="schedule", daemon=True).start()
        threading.Thread(target=self._flood, name="flood", daemon=True).start()
        _log.info("%d users, %.2f visits/s, seed %d", self._users, self._rate, self._seed)

    def stop(self) -> None:
        """Begin no more visits."""
        self._stop.set()

    def try_first_order(self, patience_seconds: float = _PATIENCE_SECONDS) -> bool:
        """Order again and again until an order goes through; False when patience ended first."""
        deadline = time.monotonic() + patience_seconds
        while True:
            try:
                visits.order(self._first, random.Random(self._seed))  # noqa: S311
                return True
            except (web.WebFailure, visits.PageError) as error:
                _log.info("the shop is not open yet: %s", error)
            if time.monotonic() >= deadline or self._stop.wait(_FIRST_ORDER_PAUSE_SECONDS):
                return False

    def _begin(self) -> None:
        if not self.try_first_order():
            _log.warning("no order went through, visits begin all the same")
        began = time.monotonic()
        for number, planned in enumerate(visits.schedule(self._seed)):
            # From the start of it all, not from the last visit: the rate does not drift.
            if self._stop.wait(max(0.0, began + number / self._rate - time.monotonic())):
                return
            try:
                self._waiting.put_nowait(planned)
            except queue.Full:
                _log.warning("every visitor is busy, a %s visit is left out", planned[0].name)

    def _visit(self) -> None:
        while not self._stop.is_set():
            visit, choices = self._waiting.get()
            try:
                with telemetry.span(f"user_{visit.name}"):
                    visit.play(self._shop, choices)
            except (web.WebFailure, visits.PageError) as error:
                _log.warning("%s visit failed: %s", visit.name, error)
            except Exception:
                _log.exception("%s visit failed", visit.name)

    def _flood(self) -> None:
        while not self._stop.wait(_FLOOD_PAUSE_SECONDS):
            self.flood()

    def flood(self) -> None:
        """As many requests to the home page as the flag says, one after the other."""
        count = self._shop.flood_size()
        if not count:
            return
        with telemetry.span("user_flood_home", SpanKind.INTERNAL, {"app.flood.requests": count}):
            for _ in range(count):
                try:
                    self._shop.get("/")
                except (web.WebFailure, visits.PageError) as error:
                    _log.warning("flood: %s", error)


def main() -> None:
    """Generate load until stopped; port 8089 tells the settings."""
    telemetry.start("load-generator")
    users = int(process.setting("LOCUST_USERS"))
    rate = users * float(process.setting("LOAD_VISITS_PER_USER_SECOND", "0.25"))
    seed = int(process.setting("LOAD_SEED", "1"))
    host, flag = process.setting("LOCUST_HOST"), flags.Flags.from_environment("FLAGD_OFREP_PORT")
    generator = Generator(
        visits.Shop(host, flag), users, rate, seed, first=visits.Shop(host, flag, visits.fetch_untraced)
    )
    settings = {"users": users, "visitsPerSecond": rate, "seed": seed}
    server = web.serve(
        int(process.setting("LOCUST_WEB_PORT")),
        [web.Route("GET", "/", lambda _: web.json_response(settings), traced=False)],
    )
    if process.setting("LOCUST_AUTOSTART", "true") == "true":
        generator.start()
    process.run(generator.stop, server.shutdown)
