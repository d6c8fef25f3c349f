"""Tokens and what they cost, summed over an attempt."""

from dataclasses import dataclass

from reprise.agents.stirrup_harness.settings import Price


@dataclass(frozen=True)
class Usage:
    """`cached` of the tokens in `given` came from a cache."""

    given: int = 0
    made: int = 0
    cached: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(self.given + other.given, self.made + other.made, self.cached + other.cached)

    def cost(self, price: Price) -> float:
        """US dollars."""
        fresh = self.given - self.cached
        return (fresh * price.input + self.cached * price.cached + self.made * price.output) / 1e6

    def headers(self, price: Price | None) -> dict[str, str]:
        """As the gateway reads them: totals of the attempt so far."""
        found = {
            "X-Tokens-In": str(self.given),
            "X-Tokens-Out": str(self.made),
            "X-Tokens-Cached": str(self.cached),
        }
        return found if price is None else {**found, "X-Cost-USD": f"{self.cost(price):.6f}"}
