"""What an agent looked at and thought, as JSON lines, so that a run can be read afterwards."""

import datetime as dt
import json
import sys
from typing import Any, TextIO


class Journal:
    """Writes one line an entry: time, event, and the fields given."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out if out is not None else sys.stdout

    def note(self, event: str, **fields: Any) -> None:
        time = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        print(json.dumps({"time": time, "event": event, **fields}, default=str), file=self._out, flush=True)
