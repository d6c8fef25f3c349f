"""The agent-facing server: the trust boundary.

Nothing in this package may import the truth, the scoring, the scenarios or the faults, even indirectly;
import-linter checks it. So redaction here is made of rules, never of the answer.
"""
