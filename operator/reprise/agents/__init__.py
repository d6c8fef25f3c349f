"""Agents that come with the product, and the protocol to write others.

This package goes into the agent image alone, so it imports nothing else of `reprise`: code that an agent
can read must not hold the answer.
"""
