"""Families of incidents: mechanisms with ranges for target and parameters, over the pinned otel-demo.

Data and pure choices only: what can be generated, how many there are, and which ones a seed picks. Nothing
here plans a mutation (the mechanisms do), reads a file or writes one.
"""
