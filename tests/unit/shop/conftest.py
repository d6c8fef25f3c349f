"""The shop's code is no part of the product's package: it comes from its image's folder."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

IMAGE = Path(__file__).parents[3] / "images" / "otel-demo-lite"
sys.path.insert(0, str(IMAGE))


@dataclass
class FlagValues:
    """Flags with fixed values, in the place of flagd's client."""

    values: dict[str, Any] = field(default_factory=dict)

    def enabled(self, key: str) -> bool:
        return self.values.get(key) is True

    def number(self, key: str) -> float:
        return float(self.values.get(key, 0))


@pytest.fixture
def flag_values() -> type[FlagValues]:
    return FlagValues
