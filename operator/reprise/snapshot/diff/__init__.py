"""What differs between two snapshots, or within one between before the fault and later.

`compare` makes a Report of values; `text` and `to_json` show it. What counts as noise is written in
`noise.py` (objects) and `signals.py` (services), and in docs/snapshots.md for people. Nothing here writes.
"""

from reprise.snapshot.diff.compare import Report, compare
from reprise.snapshot.diff.show import text, to_json

__all__ = ["Report", "compare", "text", "to_json"]
