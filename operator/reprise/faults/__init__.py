"""Fault mechanisms: pure planners from a target and parameters to mutations, one module a family.

No I/O: what a planner must know about the cluster it is handed as observed objects.
"""
