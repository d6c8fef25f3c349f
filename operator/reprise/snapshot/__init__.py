"""Records an incident's observable state into files with digests, and verifies them.

One module a signal. What may not live here: the truth, or anything that knows it. Whoever reads a snapshot
is in the place of an agent, so every object, event and log line passes `domain.redaction` first.
`docs/snapshot-format.md` has the layout.
"""
