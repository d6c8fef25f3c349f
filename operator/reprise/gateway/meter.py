"""What an attempt uses beside requests and time: what its harness reports, and how often it says the same."""

from typing import Any

from reprise.domain.budget import Loop, Usage


class Meter:
    """`usage`: the totals reported so far. `repeats`: how many times in a row the last call has come; that is
    not stored, and begins anew with the gateway."""

    def __init__(self, usage: Usage) -> None:
        self.usage = usage
        self.repeats = 0
        self._last_call = ""

    def report(self, said: Usage) -> None:
        self.usage = self.usage.grown(said)

    def note_call(self, key: str, loop: Loop) -> str:
        """Count a call; a warning for the agent when it has come too often in a row, "" otherwise."""
        self.repeats = self.repeats + 1 if key == self._last_call else 1
        self._last_call = key
        if not 0 < loop.warn_after <= self.repeats:
            return ""
        end = f"; {loop.stop_after} end the attempt" if loop.stop_after else ""
        return f"the same call has come {self.repeats} times in a row: its answer is what it was{end}"

    def status(self) -> dict[str, Any]:
        """The fields of the attempt's status; none while nothing was reported."""
        found: dict[str, Any] = {}
        usage = self.usage
        if usage.turns:
            found["turns"] = usage.turns
        if usage.tokens or usage.cost_usd:
            found["usage"] = {
                "tokensIn": usage.tokens_in,
                "tokensOut": usage.tokens_out,
                "tokensCached": usage.tokens_cached,
                "costUSD": usage.cost_usd,
            }
        return found
