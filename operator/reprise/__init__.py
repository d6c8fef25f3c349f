"""Replays incidents on a live Kubernetes cluster and measures the agents that diagnose them.

Nothing but the version may live here: importing `reprise` must cost nothing, because the agent image
carries this package with `reprise.agents` alone.
"""

__version__ = "0.1.0"
