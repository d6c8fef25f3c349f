"""A recorded incident behind the gateway: what an API server, Prometheus and Jaeger would answer, from files.

As in the gateway, nothing in here may reach the truth, the scoring, the scenarios, the faults or the private
half of a snapshot, even indirectly; import-linter checks it.
"""
