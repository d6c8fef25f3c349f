"""The same program by another path: `python3 /usr/local/lib/netagent/netagent.py`."""

import runpy
from pathlib import Path

if __name__ == "__main__":
    runpy.run_path(str(Path(__file__).parent), run_name="__main__")
