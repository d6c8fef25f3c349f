"""A baseline: rules only, no model, no knowledge of any scenario, nothing but what the door shows.

`world` reads, `rules` suspect, `resolve` picks. A rule is a function from a World to hypotheses; it knows
Kubernetes and OpenTelemetry, never the application.
"""
