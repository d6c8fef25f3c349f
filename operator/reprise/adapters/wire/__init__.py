"""The custom resources as they travel, and their conversion to and from domain values.

Pydantic stays in here. Nothing in here may know the answer of a run: the gateway may import it.
"""
