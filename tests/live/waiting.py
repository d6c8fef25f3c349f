"""What has no watch is asked for again and again."""

import time
from collections.abc import Callable
from typing import Any


def eventually(look: Callable[[], Any], what: str, seconds: float = 300, pause: float = 1) -> Any:
    """What `look` finds, asked again until the deadline."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"expected {what} within {seconds:g} s, found nothing"
        time.sleep(pause)
    return found
