"""The open harness Stirrup (PyPI `stirrup`) as an agent: a model, a shell, and a list to finish with.

It needs Python 3.12 and packages of its own, so it lives in the image `agent-shell` and nowhere else; nothing
outside of this package may import it.
"""
