"""The agent is a program of the node image, not a part of the product: it is found by its path."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3] / "images" / "node"))
