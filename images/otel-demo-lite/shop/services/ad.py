"""Advertisements by category.

Flags: adFailure (one call in ten fails), adManualGc (full collections over a large heap at every call),
adHighCpu (a thread computes as long as the flag is on).
"""

from __future__ import annotations

import gc
import logging
import random
import threading

import grpc

from shop import flags, process, rpc, telemetry
from shop.proto import demo_pb2

_MOST_ADS = 2
_FAILURE_SHARE = 0.1
# Together a good half of a second on an idle machine, a multiple of it on a busy one.
_GARBAGE_OBJECTS = 200_000
_COLLECTIONS = 8
_FLAG_CHECK_ROUNDS = 200_000

ADS: dict[str, list[tuple[str, str]]] = {
    "binoculars": [
        ("/product/2ZYFJ3GM2N", "Roof binoculars for birds by day and Jupiter by night. Half price.")
    ],
    "telescopes": [
        ("/product/66VCHSJNUP", "A starter refractor for the first look at Saturn's rings. 20 % off."),
        ("/product/0PUK6V6EV0", "Solar system imager: the colours of the planets on your screen. 30 % off."),
    ],
    "accessories": [("/product/L9ECAV7KIM", "Lens cleaning kit: buy one, the second is free.")],
    "assembly": [("/product/9SIQT8TOJO", "Tube assembly, collimated at the works. 10 % off.")],
    "travel": [("/product/1YMWWN1N4O", "A solar telescope that fits your hand luggage. 20 % off.")],
    "books": [("/product/HQTGWGPNH4", "The book of comets: two for the price of one.")],
    "flashlights": [("/product/LS4PSXUNUM", "Red light keeps your night vision. 25 % off.")],
}

_log = logging.getLogger(__name__)


class AdService:
    """GetAds."""

    def __init__(self, flag: flags.Flags, chance: random.Random, collections: int = _COLLECTIONS) -> None:
        self._flags = flag
        self._chance = chance
        self._collections = collections
        self._burner = threading.Lock()

    def get_ads(self, request: demo_pb2.AdRequest) -> demo_pb2.AdResponse:
        """Ads of the categories asked for, any ads where there are none."""
        if self._flags.enabled("adHighCpu"):
            self._burn()
        if self._flags.enabled("adManualGc"):
            _collect(self._collections)
        if self._flags.enabled("adFailure") and self._chance.random() < _FAILURE_SHARE:
            raise rpc.RpcFailure(grpc.StatusCode.UNAVAILABLE, "ads are unavailable")
        found = [ad for key in request.context_keys for ad in ADS.get(key, [])]
        if not found:
            every = [ad for ads in ADS.values() for ad in ads]
            found = self._chance.sample(every, _MOST_ADS)
        return demo_pb2.AdResponse(ads=[demo_pb2.Ad(redirect_url=url, text=text) for url, text in found])

    def _burn(self) -> None:
        """Start the computing thread, unless it runs."""
        if self._burner.acquire(blocking=False):
            _log.info("high CPU load starts")
            threading.Thread(target=self._compute, name="load", daemon=True).start()

    def _compute(self) -> None:
        try:
            value = 1
            while self._flags.enabled("adHighCpu"):
                for number in range(_FLAG_CHECK_ROUNDS):
                    value = (value * 1_103_515_245 + number) % 2_147_483_648
        finally:
            _log.info("high CPU load ends")
            self._burner.release()


def _collect(times: int) -> None:
    """Full collections over many small objects in cycles, which nothing but a collection frees."""
    _log.info("full garbage collection requested")
    with telemetry.span("collect garbage"):
        for _ in range(times):
            ring: list[object] = []
            ring.extend([ring] for _ in range(_GARBAGE_OBJECTS))
            gc.collect()
            del ring


def main() -> None:
    """Serve until stopped."""
    telemetry.start("ad")
    service = AdService(flags.Flags.from_environment(), random.Random())  # noqa: S311
    rpc.serve_until_stopped(int(process.setting("AD_PORT")), "AdService", {"GetAds": service.get_ads})
